"""A Rimage RAS-13 robot: three bins, up to four drives, escape-framed commands.

For being the machine, as far as one sniffed conversation tells how it behaves. Guesses: it answers ``!e1`` while it
moves, and after a failure ``!e1`` tells why until the next order.
"""

from __future__ import annotations

from robot.ports import Element, drive
from robot.sim.arm import Refusal, Timing
from robot.sim.bins import INPUT, OUTPUT, REJECT
from robot.sim.faults import Fault, FaultPlan
from robot.sim.plain import PlainMachine
from robot.sim.world import World
from robot.wire.ras13 import (
    DONE,
    FAILED,
    SERIAL,
    STATUS,
    VERSION,
    Act,
    Motion,
    Place,
    State,
    cut_command,
    decode_motion,
    encode_state,
    encode_version,
)

_BINS = (INPUT, OUTPUT, REJECT)
_CODES = {"SourceEmpty": State.NO_DISC, "DriveNotEjected": State.NO_TRAY, "PickFailed": State.READY}


class Ras13Machine(PlainMachine):
    """The machine."""

    def __init__(self, world: World, *, timing: Timing | None = None, faults: FaultPlan | None = None) -> None:
        super().__init__(world, timing=timing, faults=faults)
        self._code = int(State.READY)

    def cut(self, buffer: bytearray) -> bytes | None:
        """One framed command."""
        return cut_command(buffer)

    def word(self, command: bytes) -> str:
        """GRAB, PUT, HOME, STATUS, INFO."""
        motion = decode_motion(command)
        if motion is None:
            return "STATUS" if command == STATUS else "INFO"
        return motion.act.name if motion.act else "HOME"

    def answer_at_once(self, command: bytes) -> bytes | None:
        """Questions."""
        if command == STATUS:
            return encode_state(State.BUSY if self._moving.locked() else self._code)
        if command == VERSION:
            return encode_version("LIBERTY 4 VERSION 6.014E")
        return FAILED if decode_motion(command) is None and command != SERIAL else None

    async def perform(self, command: bytes, motion: Fault | None) -> bytes:
        """Carry out one order."""
        order = decode_motion(command)
        if order is None:
            return b"\x1b!f:SIM0001C\x04"
        try:
            await self._carry_out(order, motion)
        except Refusal as refusal:
            self._code = int(refusal.facts["code"].lstrip("E")) if "code" in refusal.facts else _CODES[refusal.name]
            return FAILED
        self._code = int(State.READY)
        return DONE

    async def _carry_out(self, order: Motion, motion: Fault | None) -> None:
        if order.act is None:
            await self.arm.home(motion)
        elif order.act is Act.GRAB:
            await self.arm.grab(self._place(order), motion)
        else:
            await self.arm.put(self._place(order), motion)

    def _place(self, order: Motion) -> Element:
        if order.place is Place.BIN:
            return _BINS[order.number - 1]
        if order.number > self.world.shape.drives:
            raise Refusal("DriveNotEjected")
        return drive(order.number - 1)
