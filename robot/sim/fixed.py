"""A random-access machine that homes by itself: the arm of ``robot.sim.arm`` inside a changer that is simply on.

For the machines that are driven by programs and people, whose protocols have no word for homing. Not for protocols.
What a disc's slot of origin is, and whether it was ever told, is the arm's affair.
"""

from __future__ import annotations

from robot.ports import ElementKind, Fill
from robot.sim.arm import Arm, Timing
from robot.sim.world import World


class SelfHomingArm(Arm):
    """An arm that counts its slots when it is switched on, and again after its door was closed."""

    def __init__(self, world: World, timing: Timing) -> None:
        super().__init__(world, timing)
        self.changed = False
        """The door was opened since somebody was last told."""
        self._openings = world.door()[1]
        world.memory["openings"] = str(self._openings)
        self.count()

    def count(self) -> None:
        """Look into every slot and mailslot, and at drives whose trays are out."""
        for element in self.fills:
            if element.kind is not ElementKind.DRIVE or self.world.tray_is_open(element.number):
                self._know(element, Fill.FULL if self.world.at(element) else Fill.EMPTY)
            elif self.fills[element] is Fill.UNKNOWN:
                self._know(element, Fill.EMPTY)
        self.ready = True

    def is_open(self) -> bool:
        """Whether the door is open now; counts anew when it has been closed."""
        is_open = self.look_at_door()
        openings = self.world.door()[1]
        if openings != self._openings:
            self._openings, self.changed = openings, True
        if not is_open and not self.ready:
            self.count()
        return is_open
