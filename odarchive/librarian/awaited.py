"""Discs that a person is asked to bring, because the machine cannot fetch a certain disc.

The person is told once which disc is wanted and where it was last; after that the input bin is looked into now and
then, ever more rarely, or at once when the person says that something changed. Not for machines with slots.
"""

from collections.abc import Sequence

import trio

from odarchive.catalogue import jobs, motions
from odarchive.catalogue.discs import Disc
from odarchive.librarian.bay import Bay
from odarchive.librarian.demand import Want
from odarchive.librarian.settle import Kind
from odarchive.librarian.workroom import Workroom
from odarchive.model import JobState, SegmentId

SOON, LATE = 30.0, 600.0
"""Seconds until the input bin is looked into again: at first, and at the most."""


class Awaited:
    """Segments whose discs a person should bring. Shared by the bays."""

    def __init__(self, room: Workroom) -> None:
        self._room = room
        self._pauses: dict[SegmentId, float] = {}
        self._again: dict[SegmentId, float] = {}
        self._told: set[SegmentId] = set()
        self._is_changed = False

    def segments(self) -> set[SegmentId]:
        """Segments that no drive should be used for now."""
        now = trio.current_time()
        self._again = {segment: again for segment, again in self._again.items() if again > now}
        return set(self._again)

    def changed(self) -> None:
        """A person says that discs were brought."""
        self._again.clear()
        self._pauses.clear()
        self._is_changed = True

    def came(self, segment: SegmentId) -> None:
        """Its disc was brought."""
        for record in (self._again, self._pauses):
            record.pop(segment, None)
        self._told.discard(segment)

    def __bool__(self) -> bool:
        """Whether a person was asked, and drives leave what he was asked for alone."""
        return bool(self._again)

    def rests(self, bay: Bay) -> bool:
        """Whether the input bin is left alone: a blank lies in the drive, so blanks are on top of it.

        Taking on would only carry good blanks to the output bin; burning uses them, or the person says when the disc
        lies on top.
        """
        changed, self._is_changed = self._is_changed, False
        return bay.found is not None and bay.found.kind is Kind.BLANK and not changed

    async def ask(self, segment: SegmentId, discs: Sequence[Disc], wants: Sequence[Want], bay: Bay) -> None:
        """Have the wants of a segment wait for a person, and tell him once."""
        names = [f"{disc.label} ({await self._room.read(motions.where, disc.id) or 'place unknown'})" for disc in discs]
        why = f"put disc {' or '.join(names)} on top of the robot's input bin"
        if bay.found is not None and bay.found.kind is Kind.BLANK:
            why += ", where blanks lie now; then recall it again"
        pause = self._pauses[segment] = min(2 * self._pauses.get(segment, SOON / 2), LATE)
        self._again[segment] = trio.current_time() + pause
        for want in wants:
            want.why = why
            now_ns = self._room.now_ns()
            if want.job is not None:
                await self._room.write(jobs.set_state, want.job, JobState.WAITING, now_ns=now_ns, why=why)
            want.changed()
        if segment not in self._told:
            self._told.add(segment)
            await self._room.note("bring-disc", why)
