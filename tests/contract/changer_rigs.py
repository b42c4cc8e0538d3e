"""How the contract suite for changers gets a machine, a world to look at, and a driver, for each implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from robot.changers.manual import ManualChanger, TerminalPerson
from robot.changers.mtx import MtxChanger
from robot.changers.odjp import OdjpChanger
from robot.changers.program import Programs
from robot.changers.script import ScriptChanger
from robot.ports import Changer
from robot.sim.commands import CommandMachine, launcher
from robot.sim.faults import Fault, FaultPlan
from robot.sim.mtxsim import MtxCommands
from robot.sim.openjuke import OpenJuke
from robot.sim.person import SimulatedPerson
from robot.sim.scriptsim import ScriptCommands
from robot.sim.world import World
from robot.transport import memory_pair


@dataclass(frozen=True)
class Traits:
    """What this machine and its protocol can tell; what they cannot, no driver may claim."""

    homes: bool = True
    """It says that it has not homed since it was switched on, and moves nothing until then."""
    counts: bool = True
    """It counts its moves."""
    sees: bool = True
    """It tells which elements are full."""
    sees_picker: bool = True
    """The picker is an element, and after a failed pick the machine tells whether it holds a disc."""
    has_door: bool = True
    tells_fault: bool = True
    """A fault is a state, not only an answer."""
    tells_changes: bool = True
    """After its door was open it says so (``epoch``)."""
    asks: bool = True
    """A status is a question to the machine."""
    repeats: bool = True
    """The protocol itself repeats a motion's command safely; otherwise a lost answer leaves the position unknown."""
    queues: bool = False
    """A command that comes while the arm moves waits instead of being refused."""


@dataclass
class Rig:
    """One machine under test."""

    changer: Changer
    world: World
    plan: FaultPlan
    move_word: str
    """The word under which the fault plan knows a move."""
    reopen: Callable[[], Changer]
    """A driver of a new life of the host, on the same machine."""
    traits: Traits = Traits()


OpenRig = Callable[[Path, Iterable[Fault]], AbstractAsyncContextManager[Rig]]


def small_world(directory: Path) -> World:
    """Twelve slots, two drives, discs in slots 1 to 6; enough for every case, quick to write."""
    return World.create(directory, slots=12, drives=2, mailslots=1, blanks=range(1, 7))


@asynccontextmanager
async def openjuke(directory: Path, faults: Iterable[Fault] = ()) -> AsyncIterator[Rig]:
    world = small_world(directory)
    plan = FaultPlan(faults)
    machine = OpenJuke(world, faults=plan)
    async with trio.open_nursery() as nursery:

        def connect() -> Changer:
            host, far = memory_pair()
            nursery.start_soon(machine.serve, far)
            return OdjpChanger(host)

        yield Rig(connect(), world, plan, "MOVE", connect)
        nursery.cancel_scope.cancel()


MTX_TRAITS = Traits(homes=False, counts=False, sees_picker=False, tells_fault=False, repeats=False, queues=True)


@asynccontextmanager
async def mtx(directory: Path, faults: Iterable[Fault] = ()) -> AsyncIterator[Rig]:
    world = small_world(directory)
    plan = FaultPlan(faults)
    machine = CommandMachine(MtxCommands(world), plan)
    async with trio.open_nursery() as nursery:

        def connect() -> Changer:
            return MtxChanger("/dev/sg9", programs=Programs(launcher(machine, nursery)))

        yield Rig(connect(), world, plan, "MOVE", connect, MTX_TRAITS)
        nursery.cancel_scope.cancel()


SCRIPT_TRAITS = Traits(
    homes=False,
    counts=False,
    sees_picker=False,
    tells_fault=False,
    tells_changes=False,
    repeats=False,
    queues=True,
)


@asynccontextmanager
async def script(directory: Path, faults: Iterable[Fault] = ()) -> AsyncIterator[Rig]:
    world = small_world(directory)
    plan = FaultPlan(faults)
    machine = CommandMachine(ScriptCommands(world), plan)
    async with trio.open_nursery() as nursery:

        def connect() -> Changer:
            programs = Programs(launcher(machine, nursery))
            return ScriptChanger(["/etc/changer"], "/dev/x", ["/dev/sr0", "/dev/sr1"], programs=programs)

        yield Rig(connect(), world, plan, "MOVE", connect, SCRIPT_TRAITS)
        nursery.cancel_scope.cancel()


MANUAL_TRAITS = Traits(
    homes=False,
    counts=False,
    sees=False,
    sees_picker=False,
    has_door=False,
    asks=False,
    repeats=False,
    queues=True,
)


@asynccontextmanager
async def manual(directory: Path, faults: Iterable[Fault] = ()) -> AsyncIterator[Rig]:
    world = small_world(directory)
    plan = FaultPlan(faults)
    person = SimulatedPerson(world, faults=plan)
    async with trio.open_nursery() as nursery:

        def connect() -> Changer:
            host, far = memory_pair()
            nursery.start_soon(person.serve, far)
            return ManualChanger(TerminalPerson(host), slots=12, drives=2, mailslots=1, patience=300)

        yield Rig(connect(), world, plan, "MOVE", connect, MANUAL_TRAITS)
        nursery.cancel_scope.cancel()


RIGS: dict[str, OpenRig] = {"openjuke": openjuke, "mtx": mtx, "script": script, "manual": manual}
"""Machines with random access, by name."""
