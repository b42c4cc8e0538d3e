"""The mechanics of stack machines: a picker between bins and drives, which sees nothing but what it touches.

For what happens to discs. Not for protocols: the stack machines of this package share it. Only the top disc of a bin
can be reached. The world of such a machine has no slots; its blanks lie in the first input bin, disc-0001 on top.

Concurrency: one motion at a time (the machine holds the lock). Between awaits the world is whole.
"""

from __future__ import annotations

from pathlib import Path

import trio

from robot.ports import PICKER, Element, ElementKind
from robot.sim.arm import PowerCutError, Refusal, Timing
from robot.sim.faults import Fault, FaultKind
from robot.sim.world import FLOOR, DiscKind, World

INPUT = Element(ElementKind.INPUT_BIN, 1)
OUTPUT = Element(ElementKind.OUTPUT_BIN, 1)
REJECT = Element(ElementKind.REJECT_BIN, 1)


def stacked_world(directory: Path, *, drives: int, blanks: int, kind: DiscKind | None = None) -> World:
    """A new world with ``blanks`` blank discs in the input bin.

    Raises:
        WorldError: there is a world already.
    """
    world = World.create(directory, slots=0, drives=drives, mailslots=0, blanks=())
    for number in range(blanks, 0, -1):
        world.add_disc(f"disc-{number:04}", INPUT, kind)
    return world


class BinArm:
    """The picker."""

    def __init__(self, world: World, timing: Timing, bin_holds: int | None = None) -> None:
        """``bin_holds``: discs that go into an output or reject bin, whose sensor then stops the picker."""
        self.world = world
        self.timing = timing
        self._bin_holds = bin_holds
        self.fault: str | None = None

    @property
    def holds(self) -> bool:
        """Whether there is a disc in the picker."""
        return bool(self.world.at(PICKER))

    async def home(self, fault: Fault | None = None) -> None:
        """Go home, which clears a fault; a disc in the picker stays there."""
        await trio.sleep(self.timing.home)
        self.fault = None
        self._act_on_start(fault)

    async def grab(self, place: Element, fault: Fault | None = None) -> None:
        """Take the top disc of ``place``.

        Raises:
            Refusal: Fault, PickFailed, DriveNotEjected, SourceEmpty.
            PowerCutError: by order of ``fault``.
        """
        self._begin(held=True)
        await trio.sleep(self.timing.travel)
        self._act_on_start(fault)
        self._reach(place)
        await trio.sleep(self.timing.pick)
        if fault and fault.kind is FaultKind.JAM_EMPTY:
            fault.hit()
            raise Refusal("PickFailed", held="0")
        if not self.world.at(place):
            raise Refusal("SourceEmpty")
        self.world.lift(place, PICKER)
        if fault and fault.kind is FaultKind.DOUBLE and self.world.at(place):
            fault.hit()
            self.world.lift(place, PICKER)
        self._cut_power(fault, "held")

    async def put(self, place: Element, fault: Fault | None = None) -> None:
        """Set down what the picker holds: on top of whatever lies there.

        Raises:
            Refusal: Fault, SourceEmpty, PickFailed, DriveNotEjected.
            PowerCutError: by order of ``fault``.
        """
        self._begin(held=False)
        await trio.sleep(self.timing.travel)
        if fault and fault.kind is FaultKind.DROP:
            fault.hit()
            self.world.shift(PICKER, FLOOR)
            raise Refusal("PickFailed", held="0")
        self._reach(place)
        if fault and fault.kind is FaultKind.JAM_HELD:
            fault.hit()
            raise Refusal("PickFailed", held="1")
        if self._bin_holds is not None and place in (OUTPUT, REJECT) and len(self.world.at(place)) >= self._bin_holds:
            raise Refusal("PickFailed", held="1")
        await trio.sleep(self.timing.place)
        self.world.shift(PICKER, place)
        self._cut_power(fault, "placed")

    def _begin(self, *, held: bool) -> None:
        if self.fault:
            raise Refusal("Fault", code=self.fault)
        if held and self.holds:
            raise Refusal("PickFailed", held="1")
        if not held and not self.holds:
            raise Refusal("SourceEmpty")

    def _reach(self, place: Element) -> None:
        if place.kind is ElementKind.DRIVE and not self.world.tray_is_open(place.number):
            raise Refusal("DriveNotEjected")

    def _act_on_start(self, fault: Fault | None) -> None:
        if fault and fault.kind is FaultKind.FAULT:
            fault.hit()
            self.fault = fault.code
            raise Refusal("Fault", code=fault.code)
        self._cut_power(fault, "start")

    def _cut_power(self, fault: Fault | None, at: str) -> None:
        if fault and fault.kind is FaultKind.POWER and fault.at == at:
            fault.hit()
            raise PowerCutError
