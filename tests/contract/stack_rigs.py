"""How the contract suite gets a stack machine, a world to look at, and a driver, for each implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from robot.changers.odrobot import OdRobotChanger
from robot.changers.oneletter import OneLetterChanger
from robot.changers.ras13 import Ras13Changer
from robot.ports import ByteStream, Changer, DriveId, Fill, drive
from robot.sim.bins import stacked_world
from robot.sim.faults import Fault, FaultPlan
from robot.sim.odrobot import OdRobotMachine
from robot.sim.oneletter import OneLetterMachine
from robot.sim.plain import PlainMachine
from robot.sim.ras13 import Ras13Machine
from robot.sim.world import World
from robot.transport import memory_pair

DISCS = 8
Look = Callable[[DriveId], Awaitable[Fill]]


@dataclass
class StackRig:
    """One stack machine under test."""

    changer: Changer
    world: World
    plan: FaultPlan
    reopen: Callable[[], Changer]
    """A driver of a new life of the host, on the same machine."""


@dataclass(frozen=True)
class StackKind:
    """A kind of stack machine."""

    machine: Callable[..., PlainMachine]
    driver: Callable[[ByteStream, Look], Changer]
    take: str
    """The word under which the fault plan knows the taking of a disc."""
    put: str
    """The word for its setting down."""
    feels: bool = True
    """It notices when it has no disc; otherwise only the drive does."""
    has_picker: bool = True
    """A disc in the picker can be sent on."""

    def open(
        self, directory: Path, faults: Iterable[Fault] = (), discs: int = DISCS, bin_holds: int | None = None
    ) -> AbstractAsyncContextManager[StackRig]:
        return _open(self, directory, faults, discs, bin_holds)


@asynccontextmanager
async def _open(
    kind: StackKind, directory: Path, faults: Iterable[Fault], discs: int, bin_holds: int | None
) -> AsyncIterator[StackRig]:
    world = stacked_world(directory, drives=1, blanks=discs)
    plan = FaultPlan(faults)
    machine = kind.machine(world, faults=plan)
    machine.bin_holds = bin_holds
    machine.reboot()

    async def look(_: DriveId) -> Fill:
        await trio.sleep(10)
        return Fill.FULL if len(world.at(drive(0))) == 1 else Fill.EMPTY

    async with trio.open_nursery() as nursery:

        def connect() -> Changer:
            host, far = memory_pair()
            nursery.start_soon(machine.serve, far)
            return kind.driver(host, look)

        yield StackRig(connect(), world, plan, connect)
        nursery.cancel_scope.cancel()


STACKS: dict[str, StackKind] = {
    "generic": StackKind(
        partial(OneLetterMachine, few_quirk=True), lambda line, look: OneLetterChanger(line, look=look), "I", "I"
    ),
    "ras13": StackKind(Ras13Machine, lambda line, _: Ras13Changer(line), "GRAB", "PUT"),
    "odrobot": StackKind(
        OdRobotMachine,
        lambda line, look: OdRobotChanger(line, look=look),
        "GRIP",
        "RELEASE",
        feels=False,
        has_picker=False,
    ),
}
"""Machines without random access, by name."""
