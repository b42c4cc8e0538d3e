"""Which lost extents can be made again from a parity set, and the rescues that do it (``rescue``).

Only what is really lost: a disc that lies on a shelf, or in a drive out of service, is well, and its reader is told
where it is. What could not be made again is not tried again for a while, however often a reader asks.

Concurrency: shared by the bays; every await leaves the wants consistent.
"""

from collections.abc import Callable

import trio

from odarchive.catalogue import discs
from odarchive.catalogue.discs import Disc
from odarchive.errors import DamageFound, NotFound
from odarchive.librarian.demand import NOWHERE, Demand, Want
from odarchive.librarian.kin import Kin, kin_of
from odarchive.librarian.rescue import Lost, Outcomes, Rescue, Takers
from odarchive.librarian.spans import part_of
from odarchive.librarian.workroom import Workroom
from odarchive.model import SECTOR, ContentId, DiscState, Extent, SegmentId
from odarchive.seal.sizes import CHUNK, chunk_place, head_size, sealed_size

PAUSE = 600.0
"""Seconds until what could not be made again is tried again."""


class Rescues:
    """The rescues of one librarian, one for each segment at most."""

    def __init__(self, room: Workroom, demand: Demand, stuck: Callable[[int], str], takers: Takers) -> None:
        """Begin.

        Args:
            room: the collaborators.
            demand: where the wants are.
            stuck: the drive out of service that holds the disc of a slot, in words; empty if there is none.
            takers: who gets what is made again, or told that it is not.
        """
        self._room, self._demand, self._stuck = room, demand, stuck
        self._takers = Takers(takers.mended, self._lost)
        self._told_lost = takers.lost
        self._running: dict[SegmentId, Rescue] = {}
        self._tried: dict[tuple[ContentId, int], float] = {}
        """Extents that could not be made again, and when that was."""

    def of(self, want: Want) -> Rescue | None:
        """The rescue that a want belongs to, if it is one of ours."""
        rescue = self._running.get(SegmentId(-want.content))
        return rescue if rescue is not None and rescue.want is want else None

    async def take(self, want: Want, extents: list[Extent], why: str) -> bool:
        """Have extents of a want made again that no disc gives; False: they cannot be, and ``want.why`` says why."""
        now = trio.current_time()
        self._tried = {key: at for key, at in self._tried.items() if at > now - PAUSE}
        if not extents or any((want.content, extent.start) in self._tried for extent in extents):
            return False
        segment = extents[0].segment
        known = await self._room.read(discs.known_of, segment)
        if await self._is_elsewhere(want, extents, known):
            return False
        rescue = self._running.get(segment)
        if rescue is None:
            try:
                kin = await kin_of(self._room, segment)
            except (NotFound, DamageFound) as error:
                want.why = f"{why}; {error}"
                return False
            if kin is None:
                return False
            await self._suspect(known, kin)
            rescue = self._running.get(segment) or self._begin(kin, known)  # somebody may have come between
        there = [one for one in extents if want.missing.get(one.start) == one]
        for extent in there:
            want.missing[extent.start] = Extent(NOWHERE, extent.start, extent.length, extent.sector)
        want.why = f"{why}; it is made again from parity"
        await rescue.ask([lost for extent in there for lost in self._losts(want, extent)])
        return True

    def _begin(self, kin: Kin, known: list[Disc]) -> Rescue:
        segment = kin.segments[kin.lost]
        label = known[0].label if known else kin.of.members[kin.lost].label

        async def ended(words: str) -> None:
            if self._running.pop(segment, None) is not None and words:
                await self._room.note("repaired", words, disc=known[0].id if known else None)

        rescue = Rescue(self._room, self._demand, kin, label, Outcomes(self._takers, ended))
        self._running[segment] = rescue
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
        now = trio.current_time()
        self._tried |= {(want.content, extent.start): now for extent in extents}
        await self._told_lost(want, extents, why)

    def _losts(self, want: Want, extent: Extent) -> list[Lost]:
        """An extent in parts that can be judged each for itself."""
        if want.grid is None:
            return [Lost(want, extent, self._sectors(want, extent))]
        found = []
        for number in want.grid.over(extent.start, extent.length):
            chunk = want.grid[number]
            part = part_of(extent, chunk.start, chunk.start + chunk.length)
            found.append(Lost(want, part, self._sectors(want, part)))
        return found

    def _sectors(self, want: Want, extent: Extent) -> tuple[tuple[int, int], ...]:
        """What has to be there to read an extent: of an encrypted one the header, and the chunks of its file."""
        count = self._room.keyring.recipients
        if not count:
            return ((extent.sector, -(-extent.length // SECTOR)),)
        piece = next(one for one in (*want.pieces, extent) if one.start <= extent.start < one.start + one.length)
        head, offset = head_size(count), extent.start - piece.start
        begin = chunk_place(offset // CHUNK, head) // SECTOR
        end = min(chunk_place(-(-(offset + extent.length) // CHUNK), head), sealed_size(piece.length, count))
        return (
            (piece.sector, -(-head // SECTOR)),
            (piece.sector + begin, -(-end // SECTOR) - begin),
        )
