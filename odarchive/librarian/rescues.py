"""Which lost extents can be made again from a parity set, and the rescues that do it (``rescue``).

Only what is really lost: a disc that lies on a shelf, or in a drive out of service, is well, and its reader is told
where it is. What could not be made again is not tried again for a while, however often a reader asks.

A rescue costs as many exchanges as its set has data discs, so more comes along with what was asked: of a disc that is
gone, the rest of the content and what follows on the disc, as far as ``read_ahead`` goes; of one that fails here and
there, twice as many chunks each time.

Concurrency: shared by the bays; every await leaves the wants consistent.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import trio

from odarchive.catalogue import discs
from odarchive.catalogue.discs import Disc
from odarchive.chunks import CHUNK
from odarchive.errors import DamageFound, NotFound
from odarchive.librarian.demand import NOWHERE, Demand, Want
from odarchive.librarian.kin import Kin, kin_of
from odarchive.librarian.rescue import MADE, Label, Lost, Outcomes, Rescue, Takers
from odarchive.librarian.spans import part_of, touches
from odarchive.librarian.workroom import Workroom
from odarchive.model import SECTOR, ContentId, DiscState, Extent, SegmentId
from odarchive.seal import sizes

PAUSE = 600.0
"""Seconds until what could not be made again is tried again."""
_BATCH = 1000
"""Neighbours looked at."""


class Rescues:
    """The rescues of one librarian, one for each segment at most."""

    def __init__(self, room: Workroom, demand: Demand, stuck: Callable[[int], str], takers: Takers) -> None:
        """Begin.

        Args:
            room: the collaborators.
            demand: where the wants are.
            stuck: the drive out of service that holds the disc of a slot, in words; empty if there is none.
            takers: who gets what is made again, or is told that it is not.
        """
        self._room, self._demand, self._stuck = room, demand, stuck
        self._told, self._takers = takers, replace(takers, lost=self._lost)
        self._running: dict[SegmentId, Rescue] = {}
        self._tried: dict[tuple[ContentId, int], tuple[float, str]] = {}
        """Extents that could not be made again, when that was and why."""
        self._along: dict[ContentId, int] = {}
        """Chunks that come along when the next one of a content fails."""

    def of(self, want: Want) -> Rescue | None:
        """The rescue that a want belongs to, if it is one of ours."""
        rescue = self._running.get(SegmentId(-want.content))
        return rescue if rescue is not None and rescue.want is want else None

    async def take(self, want: Want, extents: list[Extent], why: str) -> bool:
        """Have extents of a want made again that no disc gives; False: they cannot be, and ``want.why`` says why."""
        if not extents:
            return False
        now = trio.current_time()
        self._tried = {key: tried for key, tried in self._tried.items() if tried[0] > now - PAUSE}
        for extent in extents:
            if (tried := self._tried.get((want.content, extent.start))) is not None:
                want.why = tried[1]
                return False
        segment = extents[0].segment
        known = await self._room.read(discs.known_of, segment)
        if await self._is_elsewhere(want, extents, known):
            return False
        failed = want.bad | {disc for disc, _ in want.bad_at}
        is_there = any(disc.id in failed for disc in known)
        along: list[Lost] = []
        kin = await self._kin(want, segment, why)
        if kin is None:
            return False
        if segment not in self._running:
            await self._suspect(known, kin)
            along = [] if is_there else await self._neighbours(want, extents[-1])
        try:
            rescue = self._running.get(segment) or self._begin(kin, known, is_there=is_there)
        except OSError as error:
            want.why = f"{why}; staging in {self._room.config.staging} is needed to make it again: {error.strerror}"
            return False
        want.why = f"{why}{MADE}"
        await rescue.ask([*self._moved(want, extents), *self._rest(want, extents, is_there=is_there), *along])
        return True

    async def _kin(self, want: Want, segment: SegmentId, why: str) -> Kin | None:
        """The set of a segment; None: it is of no use, and ``want.why`` says why."""
        if (running := self._running.get(segment)) is not None:
            return running.kin
        try:
            return await kin_of(self._room, segment)
        except (NotFound, DamageFound) as error:
            want.why = f"{why}; {error}"
            return None

    def _begin(self, kin: Kin, known: list[Disc], *, is_there: bool) -> Rescue:
        segment = kin.segments[kin.lost]
        label = known[0].label if known else kin.of.members[kin.lost].label

        async def ended(words: str) -> None:
            if self._running.pop(segment, None) is not None and words:
                await self._room.note("repaired", words, disc=known[0].id if known else None)

        outcomes = Outcomes(self._takers, ended)
        rescue = self._running[segment] = Rescue(self._room, self._demand, kin, Label(label, is_there), outcomes)
        return rescue

    async def _is_elsewhere(self, want: Want, extents: list[Extent], known: list[Disc]) -> bool:
        """Whether a disc that may be well is out of reach for now."""
        outside = await self._room.read(discs.outside)
        for disc in known:
            hopeful = disc.state is not DiscState.MISSING and any(want.readable(disc.id, one) for one in extents)
            if hopeful and (disc.id in outside or (disc.slot is not None and self._stuck(disc.slot))):
                return True
        return False

    async def _suspect(self, known: list[Disc], kin: Kin) -> None:
        """Discs of which nobody knows where they are cannot count as copies."""
        for disc in known:
            if disc.state is DiscState.VERIFIED and disc.slot is None:
                note = f"it is nowhere in the robot; what is asked of it is made again from parity set {kin.number}"
                await self._room.write(discs.suspect, disc.id, note)
                await self._room.note("disc-missing", f"disc {disc.label}: {note}", disc=disc.id)

    async def _lost(self, want: Want, extents: list[Extent], why: str) -> None:
        missing = list(want.missing.values())
        for extent in extents:
            if any(touches(one, extent.start, extent.start + extent.length) for one in missing):  # somebody waits
                self._tried[want.content, extent.start] = trio.current_time(), why
                await self._room.note("lost", why, job=want.job)
        await self._told.lost(want, extents, why)

    # -- what is made again ---------------------------------------------------------------------------------------

    def _moved(self, want: Want, extents: Sequence[Extent]) -> list[Lost]:
        """What was asked, unless somebody brought it meanwhile; no disc is looked for any more."""
        there = [one for one in extents if want.missing.get(one.start) == one]
        want.missing |= {extent.start: replace(extent, segment=NOWHERE) for extent in there}
        return self._parts(want, there)

    def _rest(self, want: Want, extents: Sequence[Extent], *, is_there: bool) -> list[Lost]:
        """What a reader of the content will ask for next."""
        if want.grid is None:
            return []
        low = max(extent.start + extent.length for extent in extents)
        piece = next(one for one in want.pieces if one.start < low <= one.start + one.length)
        chunks = self._along.get(want.content, 0)
        self._along[want.content] = 2 * chunks + 1
        most = chunks * CHUNK if is_there else self._room.config.read_ahead // CHUNK * CHUNK
        high = min(low + most, piece.start + piece.length, low + self._room.config.read_ahead // CHUNK * CHUNK)
        self._takers.ask_ahead(want, low, high)
        there = [one for one in want.ahead.values() if one.segment == piece.segment and low <= one.start < high]
        want.ahead |= {extent.start: replace(extent, segment=NOWHERE) for extent in there}
        return self._parts(want, there)

    async def _neighbours(self, want: Want, last: Extent) -> list[Lost]:
        """Contents that follow on the disc."""
        budget, found = self._room.config.read_ahead - want.size, []
        for neighbour in await self._room.read(discs.following, last.segment, last.sector, _BATCH):
            content, digest, size, extent = neighbour
            budget -= size
            if budget < 0:
                break
            if digest not in self._room.cache and self._demand.get(content) is None:
                found.append(Lost(extent, self._sectors(extent, extent), neighbour=neighbour))
        return found

    def _parts(self, want: Want, extents: Sequence[Extent]) -> list[Lost]:
        """Extents in parts that can be judged each for itself."""
        if want.grid is None:
            return [Lost(extent, self._sectors(extent, extent), want) for extent in extents]
        found = []
        for extent in extents:
            piece = next(one for one in want.pieces if one.start <= extent.start < one.start + one.length)
            for number in want.grid.over(extent.start, extent.length):
                chunk = want.grid[number]
                part = part_of(extent, chunk.start, chunk.start + chunk.length)
                found.append(Lost(part, self._sectors(piece, part), want))
        return found

    def _sectors(self, piece: Extent, extent: Extent) -> tuple[tuple[int, int], ...]:
        """What has to be there to read an extent: of an encrypted one the header, and the chunks of its file."""
        count = self._room.keyring.recipients
        if not count:
            return ((extent.sector, -(-extent.length // SECTOR)),)
        head, offset = sizes.head_size(count), extent.start - piece.start
        begin = sizes.chunk_place(offset // sizes.CHUNK, head) // SECTOR
        after = sizes.chunk_place(-(-(offset + extent.length) // sizes.CHUNK), head)
        end = min(after, sizes.sealed_size(piece.length, count))
        return (piece.sector, -(-head // SECTOR)), (piece.sector + begin, -(-end // SECTOR) - begin)
