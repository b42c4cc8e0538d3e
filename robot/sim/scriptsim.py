"""A machine of another make behind a changer script: the command line of ``robot.wire.autochanger`` over a world.

For being script and machine together. Not for any real script. The host opens the trays; the machine has no barcodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from robot.ports import Element, ElementKind, drive
from robot.sim.arm import PowerCutError, Refusal, Timing
from robot.sim.faults import Fault
from robot.sim.fixed import SelfHomingArm
from robot.sim.world import World
from robot.wire.autochanger import parse_words, print_listall
from robot.wire.mtx import Report, Shape
from robot.wire.run import Completed


class ScriptCommands:
    """The command line."""

    def __init__(self, world: World, timing: Timing | None = None) -> None:
        self.world = world
        self.arm = SelfHomingArm(world, timing or Timing())
        shape = world.shape
        self._shape = Shape(shape.slots, shape.drives, shape.mailslots)

    def word(self, arguments: Sequence[str]) -> str:
        """What the fault plan calls it."""
        return "MOVE" if parse_words(arguments)[0] in ("load", "unload", "transfer") else "STATUS"

    async def execute(self, arguments: Sequence[str], motion: Fault | None) -> Completed:
        """One run of the script."""
        try:
            return Completed(0, await self._perform(*parse_words(arguments), motion))
        except Refusal as refusal:
            facts = "".join(f" {key}={value}" for key, value in refusal.facts.items())
            return Completed(1, "", f"error: {refusal.name}{facts}\n")
        except PowerCutError:
            self.arm = SelfHomingArm(self.world, self.arm.timing)
            return Completed(1, "", "the machine does not answer any more\n")

    async def _perform(self, command: str, words: list[str], motion: Fault | None) -> str:
        if self.arm.is_open():
            raise Refusal("DoorOpen")
        if self.arm.fault and command == "listall":
            self.arm.fault = None  # this make clears a fault when it is asked for its list
        match command, words:
            case "listall", _:
                states = [s for s in self.arm.elements() if s.element.kind is not ElementKind.PICKER]
                return print_listall(Report(self._shape, tuple(states)))
            case "load", [slot, _, number]:
                await self.arm.move(self._place(slot), self._unit(number), motion)
            case "unload", [slot, _, number]:
                await self.arm.move(self._unit(number), self._place(slot), motion)
            case "transfer", [first, second]:
                await self.arm.move(self._place(first), self._place(second), motion)
            case _:
                raise Refusal("BadAddress")
        return ""

    def _place(self, number: str) -> Element:
        if not (number.isdigit() and 1 <= int(number) <= self._shape.slots + self._shape.mailslots):
            raise Refusal("BadAddress")
        return self._shape.element(int(number))

    def _unit(self, number: str) -> Element:
        if not (number.isdigit() and int(number) < self._shape.drives):
            raise Refusal("BadAddress")
        return drive(int(number))
