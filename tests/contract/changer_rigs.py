"""How the contract suite for changers gets a machine, a world to look at, and a driver, for each implementation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from robot.changers.odjp import OdjpChanger
from robot.ports import Changer
from robot.sim.faults import Fault, FaultPlan
from robot.sim.openjuke import OpenJuke
from robot.sim.world import World
from robot.transport import memory_pair


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


RIGS: dict[str, OpenRig] = {"openjuke": openjuke}
