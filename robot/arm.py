"""One motion of the arm from intent to outcome, and what is left of motions that a crash interrupted.

Not for: choosing what goes where, or moving trays (``robot.jukebox``).

Rules kept: intent before, outcome after, both durable. Sensors settle a motion, replies are hints. A motion is never
repeated on a guess. The arm goes to a drive only after that drive has just said that its tray is open.

Concurrency: one task at a time; the jukebox holds the lock. Nothing between intent and outcome can be cancelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

from robot.errors import (
    BadAddress,
    Busy,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DoorOpen,
    DriveError,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.evidence import Finding, Witnesses, fill_of, find, picker_holds
from robot.ports import (
    PICKER,
    Capabilities,
    Changer,
    Drive,
    DriveId,
    Element,
    ElementKind,
    Fill,
    MachineState,
    MachineStatus,
    Motion,
    MotionJournal,
    MotionOutcome,
    Tray,
)

BUSY_TRIES = 3
BUSY_PAUSE = 2.0
"""Seconds before a machine that had not begun is asked again."""
LOOK_PAUSE = 1.0
"""Seconds between two looks at a machine that moves or does not answer."""
INITIALIZE_LIMIT = 1_800.0
"""Seconds; a full inventory of a large machine takes minutes (mtx allows 1,800 s)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An interrupted motion and what became of it."""

    motion: Motion
    finding: Finding


class Arm:
    """The changer, the evidence of the trays, and the journal.

    Args:
        changer: moves the discs.
        drives: all drives of the machine, by number.
        journal: remembers intents and outcomes.
    """

    def __init__(self, changer: Changer, drives: Mapping[DriveId, Drive], journal: MotionJournal) -> None:
        self._changer = changer
        self._drives = drives
        self._journal = journal
        self._capabilities: Capabilities | None = None
        self._unsettled = False
        self.last: tuple[Element, Element] | None = None
        """The latest motion that is proven done, as long as nothing else has moved."""
        self.homes: dict[DriveId, Element | None] = {}
        """The slot each drive's disc was taken from, by our own record."""
        self.doubtful: Motion | None = None
        """The motion of this life that may have left a disc in the picker."""

    async def capabilities(self) -> Capabilities:
        """What the machine can do, asked once. Raises CommunicationLost."""
        if self._capabilities is None:
            self._capabilities = await self._changer.capabilities()
        return self._capabilities

    def drive(self, element: Element) -> Drive:
        """The drive behind an element. Raises BadAddress if there is none."""
        try:
            return self._drives[DriveId(element.number)]
        except KeyError:
            raise BadAddress(f"{element}: no such drive is configured") from None

    def require_settled(self) -> None:
        """Raises PositionUnknown while nobody knows how the latest motion ended."""
        if self._unsettled:
            raise PositionUnknown("an earlier motion is not settled: start the jukebox again")

    async def at_rest(self) -> MachineStatus:
        """The sensors of a machine that does not move; waits while it is busy.

        Raises:
            Busy: still moving after the time a move may take.
            CommunicationLost: it does not answer.
        """
        status = await self._look(mute=False)
        if status is None:
            raise Busy("the machine is still moving: wait, then look at it")
        return status

    async def ready(self) -> MachineStatus:
        """The sensors of a machine that can move; homes it if it lost power.

        Raises:
            DoorOpen, MachineFault: a person must look at it.
        """
        status = await self.at_rest()
        if status.state is MachineState.UNINITIALISED:
            status = await self.initialise()
        if status.state is MachineState.DOOR_OPEN:
            raise DoorOpen("a door of the machine is open: close it")
        if status.state is MachineState.FAULT:
            raise MachineFault("the machine reports a fault: look at it, then start the jukebox again")
        return status

    async def initialise(self) -> MachineStatus:
        """Home the arm, count the discs, and read the sensors."""
        try:
            with trio.fail_after(INITIALIZE_LIMIT):
                await self._changer.initialize()
        except trio.TooSlowError as error:
            raise MachineFault(f"the machine did not come to rest within {INITIALIZE_LIMIT:.0f} s") from error
        return await self.at_rest()

    async def carry(self, source: Element, destination: Element) -> None:
        """Move one disc, with journal and proof. Drives at either end must have their trays open already.

        Raises:
            PositionUnknown: nobody knows where the disc is, or an earlier motion is not settled: ``reconcile``.
            ChangerError: proven not to have moved; the error says why.
        """
        self.require_settled()
        before = await self.ready()
        check_ends(before, source, destination)
        await self.capabilities()
        self._unsettled, self.last = True, None
        with trio.CancelScope(shield=True):
            motion = await self._journal.intend(source, destination)
            began, error = await self._command(source, destination)
            if began:
                hint = "machine: done" if error is None else f"machine: {type(error).__name__}: {error}"
                after = await self._look(mute=True)
                refused = isinstance(error, SourceEmpty | BadAddress)
                witnesses = Witnesses(before, after, confirmed=error is None, hint=hint, refused=refused)
                finding = find(source, destination, witnesses)
            else:
                finding = Finding(MotionOutcome.FAILED, f"not begun: {type(error).__name__}: {error}")
            await self._journal.settle(motion, finding.outcome, finding.evidence)
        self._unsettled = finding.outcome is MotionOutcome.UNKNOWN
        self.doubtful = Motion(motion, source, destination) if self._unsettled else None
        self._remember(source, destination, finding.outcome)
        _conclude(source, destination, finding, error)

    async def reconcile(self) -> list[Settled]:
        """Settle the motions that a crash or an unknown outcome left open, by what the sensors show now.

        The trays of drives that the machine cannot see into are opened: a burn cannot run there, since the motion that
        brings a disc is settled before a burn begins.
        """
        settled: list[Settled] = []
        touched: set[Element] = set()
        for motion in reversed(await self._journal.open_motions()):
            ends = {motion.source, motion.destination}
            if ends & touched:
                finding = Finding(MotionOutcome.UNKNOWN, "left open; a later motion used the same places")
            else:
                after = await self._see(ends)
                hint = "left open by an earlier life"
                finding = find(*_ends(motion), Witnesses(before=None, after=after, confirmed=False, hint=hint))
            touched |= ends
            await self._journal.settle(motion.id, finding.outcome, finding.evidence)
            settled.append(Settled(motion, finding))
        self._unsettled, self.last = False, None
        for number in self._drives:
            self.homes[number] = await self._journal.home(Element(ElementKind.DRIVE, number))
        return settled[::-1]

    async def _see(self, ends: set[Element]) -> MachineStatus:
        """The sensors, with the trays opened of those drives among ``ends`` that the machine cannot see into."""
        status = await self.at_rest()
        if not (await self.capabilities()).tray_by_host:
            return status
        hidden = [end for end in ends if end.kind is ElementKind.DRIVE and fill_of(status, end) is Fill.UNKNOWN]
        for end in hidden:
            try:
                await self.drive(end).open_tray()
            except (DriveError, BadAddress):  # stays unseen; the motion is then settled as unknown
                continue
        return await self.at_rest() if hidden else status

    async def _command(self, source: Element, destination: Element) -> tuple[bool, ChangerError | None]:
        """Command the move. Returns whether the arm may have moved, and what the machine objected."""
        limit = (await self.capabilities()).move_timeout
        refusal: ChangerError | None = None
        for attempt in range(BUSY_TRIES):
            if attempt:
                await trio.sleep(BUSY_PAUSE)
            refusal = await self._interlock((source, destination))
            if refusal is not None:
                return False, refusal
            try:
                with trio.fail_after(limit):
                    await self._changer.move(source, destination)
            except Busy as busy:
                refusal = busy
            except trio.TooSlowError:
                return True, PositionUnknown(f"no answer within {limit:.0f} s")
            except ChangerError as error:
                return True, error
            else:
                return True, None
        return False, refusal

    async def _interlock(self, ends: Sequence[Element]) -> DriveNotEjected | None:
        """Why the arm must not go there now: a tray that has not just said that it is open."""
        if not (await self.capabilities()).tray_by_host:
            return None
        for end in ends:
            if end.kind is not ElementKind.DRIVE:
                continue
            try:
                tray = await self.drive(end).tray()
            except DriveError as error:
                return DriveNotEjected(f"{end}: its tray cannot be asked: {error}")
            if tray is not Tray.OPEN:
                return DriveNotEjected(f"{end}: its tray is {tray}, the arm stays away")
        return None

    async def _look(self, *, mute: bool) -> MachineStatus | None:
        """The sensors once the arm rests; None if it does not within the time of a move. ``mute``: forgive silence."""
        with trio.move_on_after((await self.capabilities()).move_timeout):
            while True:
                try:
                    status = await self._changer.status()
                except CommunicationLost:
                    if not mute:
                        raise
                else:
                    if status.state is not MachineState.BUSY:
                        return status
                await trio.sleep(LOOK_PAUSE)
        return None

    def _remember(self, source: Element, destination: Element, outcome: MotionOutcome) -> None:
        if outcome is MotionOutcome.FAILED:
            return
        done = outcome is MotionOutcome.DONE
        self.last = (source, destination) if done else None
        home: Element | None = source if source.kind is ElementKind.SLOT else None
        if source.kind is ElementKind.DRIVE:
            home = self.homes.pop(DriveId(source.number), None)
        if destination.kind is ElementKind.DRIVE:
            self.homes[DriveId(destination.number)] = home if done else None


def check_ends(status: MachineStatus, source: Element, destination: Element) -> None:
    """Refuse a motion that the sensors already rule out.

    Raises:
        BadAddress, SourceEmpty, DestinationFull, PickFailed: as named; nothing moved.
    """
    if source == destination:
        raise BadAddress(f"{source}: source and destination are the same")
    for end in (source, destination):
        if all(state.element != end for state in status.elements):
            raise BadAddress(f"{end}: the machine has no such place")
    if picker_holds(status) and source != PICKER:
        raise PickFailed("the picker holds a disc: start the jukebox again to put it away", held=True)
    if fill_of(status, source) is Fill.EMPTY:
        raise SourceEmpty(f"{source} holds no disc")
    if fill_of(status, destination) is Fill.FULL:
        raise DestinationFull(f"{destination} already holds a disc")


def _ends(motion: Motion) -> tuple[Element, Element]:
    return motion.source, motion.destination


def _conclude(source: Element, destination: Element, finding: Finding, error: ChangerError | None) -> None:
    match finding.outcome:
        case MotionOutcome.DONE:
            return  # the disc lies where it should: whatever was said on the way
        case MotionOutcome.FAILED if error is not None:
            raise error
        case MotionOutcome.FAILED:
            raise MachineFault(f"{source} to {destination}: the machine says done, its sensors say not moved")
        case MotionOutcome.UNKNOWN:
            raise PositionUnknown(
                f"{source} to {destination}: nobody knows where the disc is: {finding.evidence}"
            ) from error
