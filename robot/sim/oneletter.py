"""A duplicator with the "generic" one-letter command set: input bin, drive, output and reject bins.

For being the machine. The forms of its answers to ``V`` and ``S`` are guesses (``robot.wire.oneletter``). With
``few_quirk`` it answers ``E`` to ``I`` when five discs or fewer are left, although it did insert, as a Kodak unit does.
"""

from __future__ import annotations

from robot.ports import PICKER, drive
from robot.sim.arm import Refusal, Timing
from robot.sim.bins import INPUT, OUTPUT, REJECT
from robot.sim.faults import Fault, FaultPlan
from robot.sim.plain import PlainMachine
from robot.sim.world import World
from robot.wire.oneletter import Code, Letter, Reply, cut_reply

FEW = 5
_DRIVE = drive(0)
_CODES = {"SourceEmpty": Code.INPUT_EMPTY, "PickFailed": Code.OK, "DriveNotEjected": Code.OK}


class OneLetterMachine(PlainMachine):
    """The machine."""

    def __init__(
        self,
        world: World,
        *,
        timing: Timing | None = None,
        faults: FaultPlan | None = None,
        few_quirk: bool = True,
    ) -> None:
        super().__init__(world, timing=timing, faults=faults)
        self._few_quirk = few_quirk
        self._code = int(Code.OK)

    def cut(self, buffer: bytearray) -> bytes | None:
        """One letter; what is none is passed over."""
        while (letter := cut_reply(buffer)) is not None:
            if letter.decode("ascii", "replace") in set(Letter):
                return letter
        return None

    def word(self, command: bytes) -> str:
        """The letter."""
        return command.decode("ascii")

    def answer_at_once(self, command: bytes) -> bytes | None:
        """Nothing is answered while the arm moves."""
        return None

    async def perform(self, command: bytes, motion: Fault | None) -> bytes:
        """Carry out one letter."""
        letter = Letter(command.decode("ascii"))
        if letter is Letter.VERSION:
            return b"ODSIM 1.0 X"
        if letter is Letter.STATUS:
            return b"%02d\r\n" % self._code
        try:
            await self._carry_out(letter, motion)
        except Refusal as refusal:
            self._code = int(refusal.facts["code"].lstrip("E")) if "code" in refusal.facts else self._coded(refusal)
            return Reply.FAILURE.value
        self._code = int(Code.OK)
        if self._few_quirk and letter is Letter.INSERT and len(self.world.at(INPUT)) <= FEW:
            return Reply.FAILURE.value
        return Reply.SUCCESS.value

    async def _carry_out(self, letter: Letter, motion: Fault | None) -> None:
        self._at_tray = letter in (Letter.ACCEPT, Letter.GET)
        match letter:
            case Letter.CALIBRATE:
                await self.arm.home(motion)
            case Letter.INSERT:
                await self.arm.grab(INPUT, motion)
                await self.arm.put(_DRIVE, motion)
            case Letter.ACCEPT:
                if not self.world.at(PICKER):
                    await self.arm.grab(_DRIVE, motion)
                await self.arm.put(OUTPUT, motion)
            case Letter.GET:
                await self.arm.grab(_DRIVE, motion)
            case Letter.REJECT:
                await self.arm.put(REJECT, motion)
            case Letter.VERSION | Letter.STATUS:
                pass

    def _coded(self, refusal: Refusal) -> int:
        if refusal.name == "SourceEmpty" and self._at_tray:
            return int(Code.TRAY_EMPTY)
        return int(_CODES[refusal.name])
