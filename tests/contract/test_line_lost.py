"""A port that is unplugged and plugged in again, and noise on the line: every driver of a machine on a serial line.

The rule of ``test_changer`` holds: no disc is lost, no two are put together, whoever asks gets an answer in bounded
time, and when the line is back the machine can be used again without a new driver.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from changer_rigs import small_world
from stack_rigs import STACKS

from robot.changers.manual import ManualChanger, TerminalPerson
from robot.changers.odjp import OdjpChanger
from robot.changers.people import Board, Several
from robot.errors import Busy, ChangerError, CommunicationLost
from robot.ports import PICKER, ByteStream, Changer, Element, ElementKind, Fill, MachineState, drive, slot
from robot.sim.bins import stacked_world
from robot.sim.openjuke import OpenJuke
from robot.sim.person import SimulatedPerson
from robot.sim.world import FLOOR, World
from robot.transport import MemoryStream, ReopeningStream, memory_pair

DRIVE = drive(0)
OUTPUT = Element(ElementKind.OUTPUT_BIN, 1)
REJECT = Element(ElementKind.REJECT_BIN, 1)


class Port:
    """A socket in the wall that a machine listens on."""

    def __init__(self, serve: Callable[[ByteStream], object], nursery: trio.Nursery) -> None:
        self._serve, self._nursery = serve, nursery
        self._ends: tuple[MemoryStream, MemoryStream] | None = None
        self._is_plugged = True
        self.opened = 0
        self.noise: random.Random | None = None
        self.letters = bytes(range(256))

    def open(self) -> ByteStream:
        if not self._is_plugged:
            raise CommunicationLost("/dev/ttyUSB0: No such file or directory")
        self.opened += 1
        host, far = self._ends = memory_pair("/dev/ttyUSB0")
        self._nursery.start_soon(self._serve, far)
        return Noisy(host, self)

    async def unplug(self) -> None:
        self._is_plugged = False
        if self._ends:
            for end in self._ends:
                await end.aclose()

    def plug(self) -> None:
        self._is_plugged = True


class Noisy:
    """A line on which a motor nearby is heard, as long as the port has noise."""

    def __init__(self, line: ByteStream, port: Port) -> None:
        self._line, self._port = line, port
        self.send, self.aclose = line.send, line.aclose

    async def receive(self) -> bytes:
        chance = self._port.noise
        if chance is not None and chance.random() < 0.3:
            await trio.lowlevel.checkpoint()
            return bytes(chance.choices(self._port.letters, k=chance.randint(1, 40)))
        return await self._line.receive()


@dataclass
class LineRig:
    changer: Changer
    world: World
    port: Port
    source: Element
    away: Element


def _openjuke(world: World, line: ByteStream) -> Changer:
    return OdjpChanger(line)


def _manual(world: World, line: ByteStream) -> Changer:
    return ManualChanger(TerminalPerson(line), slots=12, drives=2, mailslots=1, patience=300)


def _manual_and_board(world: World, line: ByteStream) -> Changer:
    return ManualChanger(Several([TerminalPerson(line), Board()]), slots=12, drives=2, mailslots=1, patience=300)


DRIVERS = {"openjuke": _openjuke, "manual": _manual, "manual and a board": _manual_and_board}


@asynccontextmanager
async def opened(name: str, directory: Path) -> AsyncIterator[LineRig]:
    stack = STACKS.get(name)
    world = stacked_world(directory, drives=1, blanks=6) if stack else small_world(directory)

    async def look(_number) -> Fill:
        await trio.sleep(10)
        return Fill.FULL if len(world.at(DRIVE)) == 1 else Fill.EMPTY

    machine = stack.machine if stack else OpenJuke if name == "openjuke" else SimulatedPerson
    driver = DRIVERS.get(name) or (lambda _, line: stack.driver(line, look))
    async with trio.open_nursery() as nursery:
        port = Port(machine(world).serve, nursery)
        changer = driver(world, ReopeningStream(port.open))
        source = Element(ElementKind.INPUT_BIN, 1) if stack else slot(1)
        yield LineRig(changer, world, port, source, OUTPUT if stack else slot(9))
        await changer.aclose()
        nursery.cancel_scope.cancel()


NAMES = ["generic", "manual", "manual and a board", "odrobot", "openjuke", "ras13"]


async def ready(rig: LineRig) -> None:
    """Until the machine can be used: what the jukebox does after every doubt."""
    rig.world.set_tray(0, is_open=True)
    for _ in range(60):
        with suppress(ChangerError):
            await rig.changer.initialize()
            if (await rig.changer.status()).state is MachineState.READY:
                return
        await trio.sleep(10)
    raise AssertionError("never ready again")


def nothing_is_lost(rig: LineRig, discs: int = 6) -> None:
    places = rig.world.discs()
    assert len(places) == discs
    assert FLOOR not in places.values()
    assert len(rig.world.at(DRIVE)) + len(rig.world.at(PICKER)) <= 1


async def carry(rig: LineRig, source: Element, destination: Element) -> None:
    """Move a disc as a caller must who is not sure of the line: look before acting again. A disc held is put away."""
    for _ in range(4):
        if rig.world.at(PICKER):
            with suppress(ChangerError):
                await rig.changer.move(PICKER, REJECT if rig.away == OUTPUT else slot(12))
        elif rig.world.at(destination):
            return
        else:
            with suppress(ChangerError):
                await rig.changer.move(source, destination)
        await ready(rig)
        nothing_is_lost(rig)
    raise AssertionError("the machine is never reached again")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("moment", [0.1, 0.5, 2.0, 4.0, 7.0, 30.0])
async def test_a_port_unplugged_in_a_move_and_plugged_in_again(autojump_clock, tmp_path, name, moment):
    async with opened(name, tmp_path) as rig:
        await ready(rig)
        errors: list[ChangerError] = []
        limit = (await rig.changer.capabilities()).move_timeout

        async def go() -> None:
            with trio.fail_after(limit + 5):
                try:
                    await rig.changer.move(rig.source, DRIVE)
                except ChangerError as error:
                    errors.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go)
            await trio.sleep(moment)
            await rig.port.unplug()
        for _ in range(3):  # while it is out, every question ends, and says so where the machine is asked at all
            with suppress(ChangerError), trio.fail_after(limit + 5):
                await rig.changer.initialize()
        await trio.sleep(300)  # whatever was begun has ended
        nothing_is_lost(rig)
        rig.port.plug()
        await ready(rig)
        nothing_is_lost(rig)
        await carry(rig, rig.source, DRIVE)
        await carry(rig, DRIVE, rig.away)


@pytest.mark.parametrize("name", NAMES)
async def test_a_port_unplugged_at_rest(autojump_clock, tmp_path, name):
    async with opened(name, tmp_path) as rig:
        await ready(rig)
        await rig.port.unplug()
        with trio.fail_after(600), pytest.raises(ChangerError):
            await rig.changer.move(rig.source, DRIVE)
        rig.port.plug()
        await trio.sleep(301)  # the errand of a person who could not see it is over
        with suppress(Busy):
            await ready(rig)
        await ready(rig)
        await rig.changer.move(rig.source, DRIVE)
        assert len(rig.world.at(DRIVE)) == 1
        nothing_is_lost(rig)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(6))
async def test_noise_puts_no_two_discs_together(autojump_clock, tmp_path, name, seed):
    """Where an answer is one letter, noise is taken to hold none of the two: no driver could tell them apart."""
    async with opened(name, tmp_path) as rig:
        await ready(rig)
        rig.port.letters = bytes(set(range(256)) - set(b"XE" if name == "generic" else b""))
        for turn in range(4):
            rig.port.noise = random.Random(1000 * seed + turn)
            with suppress(ChangerError), trio.fail_after(1200):
                await rig.changer.move(rig.source, DRIVE)
            rig.port.noise = None
            await trio.sleep(120)
            nothing_is_lost(rig)
            await ready(rig)
            if rig.world.at(DRIVE):
                with suppress(ChangerError):
                    await rig.changer.move(DRIVE, rig.away)
                await ready(rig)
                nothing_is_lost(rig)
            if rig.world.at(DRIVE) or rig.world.at(PICKER) or (rig.world.at(rig.away) and rig.away != OUTPUT):
                return  # a person must help now; nothing is lost
