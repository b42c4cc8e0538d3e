"""Bringing contents from a disc into the cache, checked.

``serve`` makes sure that a disc of the segment is in the bay, reads everything that is wanted of it in sector order,
and while nobody else waits lets the following contents come along (people read folders, and folders lie together).
A byte reaches the cache's name only when the whole content has its digest; what is unreadable or wrong on one copy is
tried on another, and when no copy is left the want fails with the disc's name.
"""

from collections.abc import Callable
from functools import partial

import trio

from odarchive.cache import Filling
from odarchive.catalogue import discs, jobs
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Disc
from odarchive.errors import DamageFound, KeyNeeded, NoSpace
from odarchive.librarian.asking import Answer, Asked, Waiting
from odarchive.librarian.awaited import Awaited
from odarchive.librarian.bay import Bay
from odarchive.librarian.demand import Demand, Want
from odarchive.librarian.fetch import Fetcher
from odarchive.librarian.partwise import Partwise
from odarchive.librarian.readback import SectorReader
from odarchive.librarian.rescue import Neighbour, Takers
from odarchive.librarian.rescues import Rescues
from odarchive.librarian.stores import Places, Stores
from odarchive.librarian.uncached import is_small, past_the_cache
from odarchive.librarian.unsealing import NO_KEY, LoadedDisc, PieceReader, Sectors
from odarchive.librarian.workroom import Workroom
from odarchive.model import ContentId, Extent, JobId, JobState, SegmentId
from robot.errors import ReadFailed, RobotError
from robot.ports import SECTOR

_NOWHERE = "no verified disc carries it any more: odarchive repair --help tells what else can bring it back"


class Recaller:
    """Serves the demand, one disc at a time per bay. Shared by the bays; every await leaves it consistent."""

    def __init__(
        self,
        room: Workroom,
        demand: Demand,
        others_wait: Callable[[Bay], bool],
        stuck: Callable[[int], str],
        overdue: Callable[[Bay], bool],
    ) -> None:
        """Begin with no content half brought.

        Args:
            room: the collaborators.
            demand: what is asked for.
            others_wait: whether another disc is asked for and this bay is the one that should fetch it.
            stuck: the drive out of service that holds the disc of a slot, in words; empty if there is none.
            overdue: whether the disc in a bay has had its turn while others wait.
        """
        self._overdue = overdue
        self._room = room
        self._demand = demand
        self._others_wait = others_wait
        self._half: dict[ContentId, Filling] = {}
        """Contents that lie on several discs, half brought."""
        self._fetcher = Fetcher(room, demand, stuck, self.give_up)
        self.stores = Stores(room)
        self.partwise = Partwise(room, demand, self.stores, self.fail, self._take)
        takers = Takers(self._mended, self._lost, self._along, self.partwise.ask_ahead)
        self._rescues = Rescues(room, demand, stuck, takers)

    @property
    def awaited(self) -> Awaited:
        """Discs that a person is asked to bring."""
        return self._fetcher.awaited

    async def ask_whole(self, places: Places, job: JobId) -> Want:
        """All of a content is asked for. What is here already, or on no disc, ends at once."""
        known = self._demand.get(places.content)
        if places.grid is not None and places.pieces and (known is None or known.grid is not None):
            want = self.partwise.want(places, places.grid, job)
            await self.partwise.settle(want)
            return want
        now = trio.current_time()
        want = self._demand.add(places.content, places.digest, places.size, job, places.pieces, at=now)
        if not await self._is_there(want) and not places.pieces:
            await self.fail(want, _NOWHERE)
        return want

    async def ask_part(self, content: ContentId, part: Asked, wake: Callable[[], None]) -> Answer | Waiting | None:
        """A range of a content is asked for: an answer, a reader who waits, or None if it comes as a whole only."""
        places = await self.stores.places(content)
        if places is None:
            return Answer("failed", f"there is no content {content}")
        if places.digest in self._room.cache:
            return Answer("done")
        known = self._demand.get(content)
        if places.grid is None or not places.pieces or (known is not None and known.grid is None):
            return None
        numbers = places.grid.over(part.start, part.length)
        if not numbers:
            return Answer("done")
        want = self.partwise.want(places, places.grid)
        return await self.partwise.ask_part(want, numbers, part, wake)

    async def serve(self, bay: Bay, segment: SegmentId) -> None:
        """Serve everything wanted of a segment that one disc can give; returns with that disc still in the bay.

        Raises:
            RobotError: the machine failed; wants stay open and say why.
        """
        keyring = self._room.keyring
        if keyring.sealed and keyring.opener is None:  # no disc is fetched for nothing
            for want in self._demand.on(segment):
                await self.fail(want, NO_KEY)
            return
        disc = await self._fetcher.bring(bay, segment)
        if disc is None:
            return
        reader = SectorReader(bay.drive, disc.image_size // SECTOR)
        loaded = LoadedDisc(reader, keyring)
        bay.doing(f"reading {disc.label}")
        sector, whole = 0, False
        while not self._overdue(bay) and (wanted := self._demand.next_on(segment, disc.id, sector)) is not None:
            want, extent = wanted
            if (rescue := self._rescues.of(want)) is not None:
                await rescue.slice(bay, reader, disc, extent)
            elif want.grid is not None:
                whole |= await self.partwise.slice(bay, loaded, disc, want, extent)
            else:
                await self._extent(bay, reader, disc, want, extent)
                whole = True
            sector = extent.sector + 1
        whole |= await self._ahead(bay, loaded, disc)
        if whole:  # who reads a little here and there is not about to read the neighbours
            await self._read_ahead(bay, reader, segment, sector)

    async def _ahead(self, bay: Bay, loaded: LoadedDisc, disc: Disc) -> bool:
        """Read what readers will ask for next, until somebody needs the bay; returns whether a content came whole."""
        whole, segment = False, disc.segment
        while not self._interrupted(bay, segment) and (found := self._demand.next_ahead(segment, disc.id)) is not None:
            whole |= await self.partwise.slice(bay, loaded, disc, *found)
        if segment not in self._demand.segments():  # else this goes on when that is served
            for want in self._demand:
                want.ahead = {start: extent for start, extent in want.ahead.items() if extent.segment != segment}
                if want.grid is not None:
                    await self.partwise.settle(want)
        return whole

    async def _extent(self, bay: Bay, reader: Sectors, disc: Disc | None, want: Want, extent: Extent) -> None:
        """Bring an extent of a content that is judged as a whole; ``disc``: None if it was made again."""
        problem, filling = "", None
        try:
            filling = await self._filling(want)
            if filling is None or not await self._brought(bay, reader, filling, want, extent):
                return
            if not want.missing:
                await self._room.heavy(filling.check)
        except (ReadFailed, DamageFound) as error:
            problem = str(error)
        except KeyNeeded as error:
            await self.fail(want, str(error))
            return
        except NoSpace as error:
            if not self._goes_on(want, filling):
                return
            problem = await self._past_the_cache(reader, want, extent, str(error))
        if problem:
            await self._trouble(want, disc, problem)
        elif filling is not None and not want.missing and not want.ended:
            try:
                filling.admit()
            except NoSpace as error:
                await self.fail(want, str(error))
                return
            self._half.pop(want.content, None)
            self.stores.loose.forget(want.content, 0)
            await self._room.write(_recalled, want, self._room.now_ns())
            want.done = True
            self._demand.end(want)

    async def _past_the_cache(self, reader: Sectors, want: Want, extent: Extent, full: str) -> str:
        """There is no room in the cache: small contents go through memory. Returns what is wrong with the bytes."""
        self._discard(want)
        if not is_small(want, extent):
            await self.fail(want, full)
            return ""
        try:
            await past_the_cache(reader, want, extent, self._room.keyring, self.stores.loose)
        except (ReadFailed, DamageFound) as error:
            return str(error)
        except KeyNeeded as error:
            await self.fail(want, str(error))
            return ""
        await self._room.write(_recalled, want, self._room.now_ns())
        want.done = True
        self._demand.end(want)
        return ""

    async def _is_there(self, want: Want) -> bool:
        """Whether a content is in the cache; its want has ended then."""
        if want.digest not in self._room.cache:
            return False
        self._discard(want)
        want.missing.clear()  # no drive fetches a disc for it while the job is written
        want.done = True
        await self._room.write(_recalled, want, self._room.now_ns())
        self._demand.end(want)
        return True

    async def _filling(self, want: Want) -> Filling | None:
        """The open cache file of a want; None when it is in the cache already.

        Raises:
            NoSpace: there is no room.
        """
        if await self._is_there(want):
            return None
        filling = self._half.get(want.content)
        if filling is None:
            near = _near(next(iter(want.missing.values()), None))
            filling = self._half[want.content] = self._room.cache.begin(want.digest, want.size, near)
        return filling

    async def _brought(self, bay: Bay, reader: Sectors, filling: Filling, want: Want, extent: Extent) -> bool:
        """Read a piece; False: another drive brought it, gave the content up or began it anew meanwhile."""
        copied = await self._copy(bay, reader, filling, extent, lambda: not self._goes_on(want, filling))
        return copied and want.missing.pop(extent.start, None) is not None

    def _goes_on(self, want: Want, filling: Filling | None) -> bool:
        return not want.ended and self._half.get(want.content) is filling

    async def _copy(
        self,
        bay: Bay,
        reader: Sectors,
        filling: Filling,
        extent: Extent,
        needless: Callable[[], bool],
    ) -> bool:
        """Read a piece into the cache; False: it turned out to be needless."""
        piece = PieceReader(reader, extent, self._room.keyring)
        for offset in range(0, extent.length, piece.step):
            data = await piece.read(offset, min(piece.step, extent.length - offset))
            if needless():
                return False
            filling.write(extent.start + offset, data)
            bay.advance(len(data))
        return True

    async def _trouble(self, want: Want, disc: Disc | None, problem: str) -> None:
        """A read went wrong: mark the disc and start the content anew, from other copies if there are any."""
        room = self._room
        if disc is None:
            await self.fail(want, f"{want.why}, and is not what it was: {problem}")
            return
        problem = f"disc {disc.label}: {problem}"
        self._discard(want)
        want.bad.add(disc.id)
        want.why = problem
        await room.write(discs.suspect, disc.id, problem)
        await room.note("read-failed", problem, disc=disc.id, job=want.job)
        places = await self.stores.places(want.content)
        want.missing = {} if places is None else {extent.start: extent for extent in places.pieces}
        if not want.missing and not want.ended:
            await self.fail(want, f"{problem}; {_NOWHERE}")

    def _discard(self, want: Want) -> None:
        filling = self._half.pop(want.content, None)
        if filling is not None:
            filling.abort()

    async def fail(self, want: Want, why: str) -> None:
        """End a want badly: its readers get an error now, and the job says why. Harmless if it has ended."""
        if want.ended:
            return
        if (rescue := self._rescues.of(want)) is not None:
            await rescue.fail(why)
            return
        self._discard(want)
        want.failed, want.why = True, why
        if want.job is not None:
            await self._room.write(jobs.set_state, want.job, JobState.FAILED, now_ns=self._room.now_ns(), why=why)
        self.partwise.close(want)

    async def give_up(self, want: Want, segment: SegmentId, why: str) -> None:
        """No disc of a segment can be had: what a want needs of it is lost, the rest may still come."""
        extents = [extent for extent in want.missing.values() if extent.segment == segment]
        if (rescue := self._rescues.of(want)) is not None:
            await rescue.give_up(segment, why)
        elif extents and not await self._rescues.take(want, extents, why):
            await self._lost(want, extents, want.why or why)

    async def _lost(self, want: Want, extents: list[Extent], why: str) -> None:
        """Nobody gives these."""
        if want.grid is None:
            await self.fail(want, why)
            return
        for extent in extents:
            want.lose(extent.start, extent.start + extent.length, why)
        await self.partwise.settle(want)

    async def _take(self, want: Want, extents: list[Extent], why: str) -> bool:
        return await self._rescues.take(want, extents, why)

    async def _mended(self, bay: Bay, reader: Sectors, want: Want, extent: Extent) -> None:
        """An extent was made again."""
        if want.grid is not None:
            await self.partwise.mended(reader, want, extent)
        else:
            await self._extent(bay, reader, None, want, extent)

    async def _read_ahead(self, bay: Bay, reader: SectorReader, segment: SegmentId, sector: int) -> None:
        """Let the following contents come along until somebody else needs the bay or the budget is spent."""
        budget = self._room.config.read_ahead
        while budget > 0:
            batch = await self._room.read(discs.following, segment, sector, 64)
            if not batch:
                return
            for content, digest, size, extent in batch:
                if self._interrupted(bay, segment) or size > budget:
                    return
                sector = extent.sector
                if digest in self._room.cache or self._demand.get(content) is not None:
                    continue
                budget -= size
                if not await self._bring_along(bay, reader, digest, extent, partial(self._interrupted, bay, segment)):
                    return

    async def _along(self, bay: Bay, reader: Sectors, neighbour: Neighbour) -> None:
        """A content that was made again although nobody asked for it yet."""
        content, digest, _, extent = neighbour
        if digest not in self._room.cache and self._demand.get(content) is None:
            await self._bring_along(bay, reader, digest, extent, lambda: False)

    def _interrupted(self, bay: Bay, segment: SegmentId) -> bool:
        return segment in self._demand.segments() or self._others_wait(bay)

    async def _bring_along(
        self, bay: Bay, reader: Sectors, digest: bytes, extent: Extent, needless: Callable[[], bool]
    ) -> bool:
        """One content nobody asked for yet; a failure is no news, the disc is judged when somebody asks."""
        try:
            with self._room.cache.begin(digest, extent.length, _near(extent)) as filling:
                if not await self._copy(bay, reader, filling, extent, needless):
                    return False
                filling.check()
                filling.admit()
        except (ReadFailed, DamageFound, KeyNeeded, NoSpace):
            return False
        return True

    async def robot_failed(self, error: RobotError, segment: SegmentId) -> None:
        """The machine failed while it served a segment: its readers are told now instead of waiting for nothing."""
        for want in self._demand.on(segment):
            await self.fail(want, f"the robot failed: {error}")


def _near(extent: Extent | None) -> str:
    """What lies within 64 MiB of a disc is kept and evicted together."""
    return "" if extent is None else f"{extent.segment}.{extent.sector >> 15}"


def _recalled(connection: Connection, want: Want, now_ns: int) -> None:
    if want.job is not None:
        jobs.set_state(connection, want.job, JobState.DONE, now_ns=now_ns)
