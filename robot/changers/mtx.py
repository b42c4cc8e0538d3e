"""Driver for SCSI medium changers, through the program ``mtx``: the class of machines that reaches 600 slots and more.

For saying what to move and translating what comes back. Not for the texts of mtx (``robot.wire.mtx``) nor for running
it (``robot.changers.program``). Standing: proven against the real mtx 1.3.12 and a changer that answers SCSI commands
in its stead; never on a machine.

Rules: slots are always passed (a plain ``unload`` trusts a source that mtx may have invented); ``source`` in a status
is handed on as a hint and used for nothing. A changer pulls trays in by itself, but lets go of a disc only
after the drive has ejected it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from robot.changers.program import Programs, TookTooLong
from robot.changers.unproven import warn_unproven
from robot.errors import (
    BadAddress,
    Busy,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DoorOpen,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    Capabilities,
    Element,
    ElementKind,
    ElementState,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
)
from robot.wire.mtx import BadOutputError, Report, parse_inquiry, parse_status
from robot.wire.mtx_errors import Explanation, Trouble, explain
from robot.wire.run import Completed

QUERY_LIMIT = 60.0
"""Seconds for a question. Changers answer it from memory; mtx itself would wait 300 s for each of its SCSI commands."""
INVENTORY_LIMIT = 1_800.0
"""Seconds mtx allows a changer to count its elements."""
MOVE_LIMIT = 300.0
"""Seconds mtx allows a move."""

ERRORS: dict[Trouble, Callable[[str], ChangerError]] = {
    Trouble.SOURCE_EMPTY: SourceEmpty,
    Trouble.DESTINATION_FULL: DestinationFull,
    Trouble.BAD_ADDRESS: BadAddress,
    Trouble.BUSY: Busy,
    Trouble.NOT_EJECTED: DriveNotEjected,
    Trouble.DOOR_OPEN: DoorOpen,
    Trouble.CHANGED: DoorOpen,
    Trouble.NO_DEVICE: CommunicationLost,
    Trouble.PICK_FAILED: lambda text: PickFailed(text, held=None),
    Trouble.UNCLEAR: PositionUnknown,
}
"""What each trouble of a move means; what has no row is a MachineFault."""
_STATES = {
    Trouble.DOOR_OPEN: MachineState.DOOR_OPEN,
    Trouble.BUSY: MachineState.BUSY,
    Trouble.NOT_READY: MachineState.UNINITIALISED,
    Trouble.FAULT: MachineState.FAULT,
    Trouble.PICK_FAILED: MachineState.FAULT,
}


class MtxChanger:
    """A SCSI medium changer.

    Concurrency: one task at a time. A cancelled move goes on (and so does its mtx); meanwhile the machine is BUSY.
    """

    proven = False

    def __init__(
        self,
        device: str,
        *,
        program: Sequence[str] = ("mtx",),
        altres: bool = False,
        barcodes: bool = True,
        programs: Programs | None = None,
    ) -> None:
        """Nothing is run before the first question.

        Args:
            device: the changer's SCSI generic device, such as ``/dev/sg3`` or ``/dev/tape/by-id/...``.
            program: how to call mtx.
            altres: ask for all elements at once; for machines that refuse type-specific requests (PowerFile, VAIO).
            barcodes: whether to ask for volume tags.
            programs: runs it; one of its own by default.
        """
        options = (["altres"] if altres else []) + ([] if barcodes else ["nobarcode"])
        self._device = device
        self._argv = [*program, "-f", device, *options]
        self._barcodes = barcodes
        self._programs = programs or Programs()
        self._last: Report | None = None
        self._changes = 0
        warn_unproven(f"SCSI medium changers ({device}, through mtx)")

    async def identify(self) -> Identity:
        """Who the changer says it is; mtx does not tell its serial number. Raises CommunicationLost."""
        try:
            return parse_inquiry((await self._ask("inquiry")).out)
        except BadOutputError as error:
            raise CommunicationLost(f"{self._device}: mtx inquiry: {error}") from error

    async def capabilities(self) -> Capabilities:
        """What the changer can do, by the counts of its last status. Raises CommunicationLost, Busy, DoorOpen."""
        if self._last is None:
            self._last = self._parsed(await self._asked("status"))
        shape = self._last.shape
        return Capabilities(
            slots=shape.slots,
            drives=shape.drives,
            mailslots=shape.mailslots,
            tray_by_host=False,
            reports_source=False,
            volume_tags=self._barcodes,
            move_timeout=MOVE_LIMIT + QUERY_LIMIT,
        )

    async def status(self) -> MachineStatus:
        """The elements as the changer counts them; its picker is not reported by mtx. Raises CommunicationLost."""
        if self._programs.is_running():
            return self._unseen(MachineState.BUSY)
        done = await self._ask("status")
        if done.status == 0:
            self._last = self._parsed(done)
            return MachineStatus(MachineState.READY, self._last.elements, None, self._epoch())
        why = explain(done.err)
        if why.trouble not in _STATES:
            raise CommunicationLost(f"{self._device}: mtx status: {why.text}")
        return self._unseen(_STATES[why.trouble])

    async def initialize(self) -> None:
        """Have it count its elements anew (``mtx inventory``); may take minutes."""
        await self._command("inventory", limit=INVENTORY_LIMIT)

    async def move(self, source: Element, destination: Element) -> None:
        """Carry a disc; see the port."""
        await self._command(*await self._words(source, destination), limit=MOVE_LIMIT)

    async def aclose(self) -> None:
        """Nothing is held open between commands; one that still runs goes on."""

    async def _words(self, source: Element, destination: Element) -> tuple[str, ...]:
        """The subcommand of mtx for a move. Raises BadAddress."""
        await self.capabilities()
        assert self._last is not None  # noqa: S101  capabilities() has just seen to it
        shape = self._last.shape
        if source == destination:
            raise BadAddress(f"{source}: source and destination are the same")
        from_slot, to_slot = shape.number(source), shape.number(destination)
        match source.kind, destination.kind:
            case (_, ElementKind.DRIVE) if from_slot and 0 <= destination.number < shape.drives:
                return "load", str(from_slot), str(destination.number)
            case (ElementKind.DRIVE, _) if to_slot and 0 <= source.number < shape.drives:
                return "unload", str(to_slot), str(source.number)
            case _ if from_slot and to_slot:
                return "transfer", str(from_slot), str(to_slot)
        raise BadAddress(
            f"{source} to {destination}: mtx moves between slots, mailslots and drives of the changer only"
        )

    async def _command(self, *words: str, limit: float) -> None:
        what = " ".join(words)
        try:
            done = await self._programs.run([*self._argv, *words], limit)
        except TookTooLong as error:
            raise PositionUnknown(f"mtx {what}: {error}; look where the disc is") from error
        if done.status < 0:
            raise PositionUnknown(f"mtx {what}: ended by signal {-done.status}; look where the disc is")
        if done.status:
            why = explain(done.err)
            self._note(why)
            raise ERRORS.get(why.trouble, MachineFault)(f"mtx {what}: {why.text}")

    async def _ask(self, word: str) -> Completed:
        """Ask a question; once more after news of a change, of a reset, or spoiled output."""
        for is_last in (False, False, True):
            try:
                done = await self._programs.run([*self._argv, word], QUERY_LIMIT)
            except TookTooLong as error:
                raise CommunicationLost(f"{self._device}: STATUS: {error}; is the changer alive?") from error
            if done.status == 0 and (word != "status" or is_last or self._is_whole(done)):
                return done
            if done.status > 0:
                why = explain(done.err)
                self._note(why)
                if is_last or why.trouble not in (Trouble.CHANGED, Trouble.BUSY, Trouble.UNCLEAR):
                    return done
        return done

    async def _asked(self, word: str) -> Completed:
        done = await self._ask(word)
        if done.status:
            why = explain(done.err)
            error = CommunicationLost if why.trouble is Trouble.UNCLEAR else ERRORS.get(why.trouble, MachineFault)
            raise error(f"{self._device}: mtx {word}: {why.text}")
        return done

    def _is_whole(self, done: Completed) -> bool:
        try:
            self._parsed(done)
        except CommunicationLost:
            return False
        return True

    def _parsed(self, done: Completed) -> Report:
        try:
            return parse_status(done.out)
        except BadOutputError as error:
            raise CommunicationLost(f"{self._device}: mtx status: {error}") from error

    def _note(self, why: Explanation) -> None:
        if why.trouble is Trouble.CHANGED:
            self._changes += 1

    def _epoch(self) -> str | None:
        """SMC has no such thing; news of changes while this program looked on are better than nothing."""
        return f"{self._changes} changes" if self._changes else None

    def _unseen(self, state: MachineState) -> MachineStatus:
        known = self._last.elements if self._last else ()
        return MachineStatus(state, tuple(ElementState(e.element, Fill.UNKNOWN) for e in known), None, self._epoch())
