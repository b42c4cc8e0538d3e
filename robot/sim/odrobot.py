"""The MicroPython disc robot: a prompt, a turning gripper on a vertical axis, four piles.

For being the machine as far as its host program shows it; guesses are those of ``robot.wire.odrobot``. It feels
nothing: a grip that misses and a disc that falls print the same prompt. Words for the fault plan: GRIP, RELEASE, NUDGE,
ROTATE, STATE, PARK, OTHER.
"""

from __future__ import annotations

import trio

from robot.ports import PICKER, Element, drive
from robot.sim.arm import PowerCutError, Timing
from robot.sim.bins import INPUT, OUTPUT, REJECT
from robot.sim.faults import Fault, FaultKind, FaultPlan
from robot.sim.plain import PlainMachine
from robot.sim.world import FLOOR, World
from robot.wire.odrobot import PROMPT, Calibration, ZState, decode_call

_PLACES = {"in": INPUT, "out": OUTPUT, "od": drive(0), "waste": REJECT}
_WORDS = {
    "th.grip": "GRIP",
    "th.release": "RELEASE",
    "th.park": "PARK",
    "z_axis.nudge": "NUDGE",
    "z_axis.state": "STATE",
    "rotate.wait_set_position": "ROTATE",
}
_DEPTH = 60.0
"""Tenths of a second down to the top disc of any pile."""
_NEAR = 3.0
"""Servo units: further from a pile than this, the gripper is over the floor."""
_ERROR = 'Traceback (most recent call last):\r\n  File "<stdin>", line 1, in <module>\r\n{}\r\n'


class OdRobotMachine(PlainMachine):
    """The machine."""

    def __init__(self, world: World, *, timing: Timing | None = None, faults: FaultPlan | None = None) -> None:
        super().__init__(world, timing=timing, faults=faults)
        self._scale = self.timing.travel / Timing().travel  # of the times this robot has of its own
        self._bins = Calibration().bins
        self.reboot()

    def reboot(self) -> None:
        """The board starts: nothing is imported; the gripper opens without power."""
        self._imported = False
        self._position = 0.0
        self._z = 0.0
        self._touches = False

    def cut(self, buffer: bytearray) -> bytes | None:
        """A line; an empty one too."""
        end = buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        return line

    def word(self, command: bytes) -> str:
        """What is called."""
        call = decode_call(command.decode("ascii", "replace"))
        return _WORDS.get(call[0], "OTHER") if call else "OTHER"

    def answer_at_once(self, command: bytes) -> bytes | None:
        """Python does one thing at a time."""
        return None

    async def perform(self, command: bytes, motion: Fault | None) -> bytes:
        """Evaluate a line: echo, what it prints, prompt."""
        text = command.decode("ascii", "replace")
        call = decode_call(text)
        if call is None:
            printed = _ERROR.format("NameError: name isn't defined") if text.strip() else ""
        elif call[0] != "import" and not self._imported:
            printed = _ERROR.format("NameError: name 'control1' isn't defined")
        else:
            printed = await self._call(*call, motion)
        return command + b"\r\n" + printed.encode("ascii") + PROMPT

    async def _call(self, name: str, numbers: tuple[float, ...], motion: Fault | None) -> str:
        if motion and motion.kind is FaultKind.FAULT:
            motion.hit()
            return _ERROR.format(f"OSError: {motion.code}")
        if motion and motion.kind is FaultKind.POWER:
            motion.hit()
            self._let_go(None)
            raise PowerCutError
        match name, numbers:
            case "import", ():
                self._imported = True
            case "z_axis.state", ():
                return f"{self._z_state()}\r\n"
            case "z_axis.nudge", (setting, time):
                await self._nudge(setting, time)
            case "rotate.wait_set_position", (position,):
                await trio.sleep(0.5 * self._scale)
                self._position = position
            case "th.grip", ():
                self._grip(motion)
            case (("th.release" | "th.park"), ()):
                self._let_go(motion)
            case (("th.shutdown" | "z_axis.shutdown"), ()):
                pass
            case _:
                return _ERROR.format("AttributeError: no such attribute")
        return ""

    def _z_state(self) -> ZState:
        if self._z <= 0:
            return ZState.TOP
        return ZState.BOTTOM if self._touches else ZState.MIDDLE

    async def _nudge(self, setting: float, time: float) -> None:
        """Move down (settings above the middle) or up for a time, or until a switch stops it."""
        middle = (Calibration().down + Calibration().up) / 2
        target = min(self._z + time, _DEPTH) if setting > middle else max(self._z - time, 0.0)
        await trio.sleep(abs(target - self._z) / 10 * self._scale)
        self._z = target
        place = self._place()
        self._touches = self._z >= _DEPTH and place is not None and bool(self.world.at(place))

    def _place(self) -> Element | None:
        """What the gripper is over, and can reach."""
        name = min(self._bins, key=lambda name: abs(self._bins[name].position - self._position))
        if abs(self._bins[name].position - self._position) > _NEAR:
            return None
        return None if name == "od" and not self.world.tray_is_open(0) else _PLACES[name]

    def _grip(self, motion: Fault | None) -> None:
        place = self._place()
        if not self._touches or place is None:
            return
        if motion and motion.kind is FaultKind.JAM_EMPTY:
            motion.hit()
            return
        self.world.lift(place, PICKER)
        if motion and motion.kind is FaultKind.DOUBLE and self.world.at(place):
            motion.hit()
            self.world.lift(place, PICKER)

    def _let_go(self, motion: Fault | None) -> None:
        if not self.world.at(PICKER):
            return
        if motion and motion.kind is FaultKind.JAM_HELD:
            motion.hit()
            return
        is_dropped = motion is not None and motion.kind is FaultKind.DROP
        if motion and is_dropped:
            motion.hit()
        self.world.shift(PICKER, FLOOR if is_dropped else self._place() or FLOOR)
