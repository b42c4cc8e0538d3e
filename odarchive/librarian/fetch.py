"""A disc of a segment into a drive, wherever it is: the slot where it should lie, slots nobody is certain of, a bin.

What comes is judged by its label alone. If another disc comes than the one that was looked for, and somebody waits for
that one as well, it is served first: so discs may be handed in in any order. Not for reading (``recall``).
"""

from collections.abc import Awaitable, Callable, Sequence

import trio

from odarchive.catalogue import discs
from odarchive.catalogue.discs import Disc
from odarchive.librarian.awaited import Awaited
from odarchive.librarian.bay import Bay
from odarchive.librarian.demand import Demand, Want
from odarchive.librarian.settle import Found, Kind
from odarchive.librarian.stock import is_stack, take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import DiscState, SegmentId, SlotState
from robot.errors import SourceEmpty
from robot.ports import ElementKind, Fill

MOMENT = 1.0
"""Seconds until a disc that another drive has is asked for again."""

NAMED = 5
"""Discs that are asked for by name at once."""


class _LaterError(Exception):
    """The wants of the segment stay open: something else comes first."""


class Fetcher:
    """Fetches discs for readers. Shared by the bays."""

    def __init__(
        self,
        room: Workroom,
        demand: Demand,
        stuck: Callable[[int], str],
        fail: Callable[[Want, SegmentId, str], Awaitable[None]],
    ) -> None:
        """Begin.

        Args:
            room: the collaborators.
            demand: what is asked for.
            stuck: the drive out of service that holds the disc of a slot, in words; empty if there is none.
            fail: tells a want that no disc of a segment can be had.
        """
        self._room = room
        self._demand = demand
        self._stuck = stuck
        self._fail = fail
        self.awaited = Awaited(room)

    async def bring(self, bay: Bay, segment: SegmentId) -> Disc | None:
        """A disc of the segment in the bay that some want has not failed on.

        None: its wants were ended, or wait: for a disc that another drive has, for a person, for another disc that
        came and is served first.

        Raises:
            RobotError: the machine failed.
        """
        wants = self._demand.on(segment)
        copies = await self._room.read(discs.readable_of, segment)
        try:
            if not wants:  # they were ended since the segment was chosen
                return None
            if await is_stack(self._room):
                return await self._from_bin(bay, segment, copies, wants)
            return await self._from_slots(bay, segment, copies, wants)
        except _LaterError:
            return None

    async def _from_slots(
        self, bay: Bay, segment: SegmentId, copies: Sequence[Disc], wants: Sequence[Want]
    ) -> Disc | None:
        reasons = []
        for disc in sorted(copies, key=lambda copy: copy.id != bay.disc):
            if (reason := await self._from_slot(bay, segment, disc)) is None:
                return disc
            reasons.append(reason)
        if reasons and (lost := await self._search(bay, segment)) is not None:
            return lost
        await self._give_up(wants, segment, "; ".join(reasons) or f"segment {segment} has no verified disc")
        return None

    async def _from_slot(self, bay: Bay, segment: SegmentId, disc: Disc) -> str | None:
        """Why a disc cannot be had; None: it is in the bay."""
        room = self._room
        if not any(want.useful(disc.id, segment) for want in self._demand.on(segment)):
            return f"disc {disc.label} cannot be read there"
        if disc.slot is None:
            return f"disc {disc.label} is not in a slot of the robot"
        if disc.slot in room.claims - {bay.home}:
            stuck = self._stuck(disc.slot)
            if not stuck:  # another drive has it and serves it, or is about to take it home
                await trio.sleep(MOMENT)
                raise _LaterError
            return f"disc {disc.label} is in {stuck}"
        try:
            found = await bay.load(disc.slot)
        except SourceEmpty:
            reason = f"slot {disc.slot} should hold disc {disc.label} but is empty"
            await room.write(discs.place, disc.slot, SlotState.EMPTY, None, "the picker", now_ns=room.now_ns())
            await room.note("disc-missing", reason, disc=disc.id)
            return reason
        if found.disc is not None and found.disc.id == disc.id:
            return None
        reason = f"slot {disc.slot} should hold disc {disc.label} but the drive finds {found.describe()}"
        await room.note("wrong-disc", reason, disc=disc.id)
        self._another_first(found)
        return reason

    async def _search(self, bay: Bay, segment: SegmentId) -> Disc | None:
        """Look into the slots of which nobody knows what they hold, one after the other: doubtful ones, then unseen."""
        room = self._room
        for number in await self._unknown():
            if number in room.claims - {bay.home}:
                continue
            try:
                found = await bay.load(number)
            except SourceEmpty:
                await room.write(discs.place, number, SlotState.EMPTY, None, "the picker", now_ns=room.now_ns())
                continue
            wanted = found.disc is not None and found.disc.segment == segment
            if found.disc is not None and wanted and found.disc.state in (DiscState.VERIFIED, DiscState.SUSPECT):
                await room.note("found", f"disc {found.disc.label} was found in slot {number}", disc=found.disc.id)
                return found.disc
            self._another_first(found)
        return None

    async def _unknown(self) -> list[int]:
        status = await take_stock(self._room)
        beliefs = await self._room.read(discs.slots)
        doubtful = [n for n, slot in sorted(beliefs.items()) if slot.state in (SlotState.UNKNOWN, SlotState.STALE)]
        full = [
            state.element.number
            for state in status.elements
            if state.element.kind is ElementKind.SLOT and state.fill is not Fill.EMPTY
        ]
        return [number for number in doubtful if number in full] + [n for n in full if n not in beliefs]

    async def _from_bin(
        self, bay: Bay, segment: SegmentId, copies: Sequence[Disc], wants: Sequence[Want]
    ) -> Disc | None:
        """Take discs from the input bin until a wanted one comes; a person is asked for it when none does."""
        usable = [disc for disc in copies if any(w.useful(disc.id, segment) for w in self._demand.on(segment))]
        if not usable:
            await self._give_up(wants, segment, f"segment {segment} has no disc that can be read")
            return None
        held = [disc for disc in usable if disc.id == bay.disc]
        if held:
            self.awaited.came(segment)
            return held[0]
        if not self.awaited.rests(bay):
            try:
                while (found := await self._next(bay)).kind is not Kind.BLANK:
                    self._another_first(found)  # the one looked for as well: it is in the drive when it is its turn
            except SourceEmpty:
                pass
        await self.awaited.ask(segment, usable, self._demand.on(segment), bay)
        raise _LaterError

    async def _next(self, bay: Bay) -> Found:
        await bay.clear()  # first: while a person carries a disc away, more may be asked for
        return await bay.take_next(await self._wish())

    async def _wish(self) -> str:
        """All discs that are asked for, in words: whichever comes is welcome."""
        segments = sorted(self._demand.segments().items(), key=lambda pair: pair[1])
        copies = [disc for segment, _ in segments for disc in await self._room.read(discs.readable_of, segment)]
        labels = list(dict.fromkeys(disc.label for disc in copies))
        more = f" or {len(labels) - NAMED} more" if len(labels) > NAMED else ""
        return f"disc {' or '.join(labels[:NAMED])}{more}"

    def _another_first(self, found: Found) -> None:
        """Raises _LaterError if somebody waits for this very disc and it was not bad for him."""
        disc = found.disc
        if disc is None or disc.state not in (DiscState.VERIFIED, DiscState.SUSPECT):
            return
        if any(want.useful(disc.id, disc.segment) for want in self._demand.on(disc.segment)):
            raise _LaterError

    async def _give_up(self, wants: Sequence[Want], segment: SegmentId, why: str) -> None:
        """Tell those who waited when it began; who came since has his own turn."""
        for want in wants:
            if not want.ended:
                await self._fail(want, segment, want.why or why)
