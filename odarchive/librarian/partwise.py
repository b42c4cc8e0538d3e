"""Reading contents chunk by chunk: what a reader waits for first, what he will ask for next while the disc is there.

Every chunk is compared with its digest before anybody sees it. One that is unreadable or wrong is asked of the other
copies, while this disc goes on giving the rest; when no copy gives it, only those who wait for it get an error.

Concurrency: shared by the bays; every await leaves wants and stores consistent.
"""

from collections.abc import Awaitable, Callable

import trio

from odarchive.catalogue import discs, grids, jobs, wanted
from odarchive.catalogue.discs import Disc
from odarchive.chunks import Chunk, Grid
from odarchive.errors import DamageFound, KeyNeeded, NoSpace
from odarchive.librarian.asking import Answer, Asked, Waiting
from odarchive.librarian.bay import Bay
from odarchive.librarian.demand import Demand, Want
from odarchive.librarian.spans import touches, uncover
from odarchive.librarian.stores import Places, Store, Stores
from odarchive.librarian.unsealing import LoadedDisc, Sectors
from odarchive.librarian.workroom import Workroom
from odarchive.model import SECTOR, ContentId, DiscId, DiscState, Extent, JobId, JobState
from robot.errors import ReadFailed

SLICE = 4
"""Chunks after which it is looked whether somebody waits for something more urgent."""
_GONE = "it went out of the cache while it came; recall it again"


class Partwise:
    """Serves wants that have a grid."""

    def __init__(
        self,
        room: Workroom,
        demand: Demand,
        stores: Stores,
        fail: Callable[[Want, str], Awaitable[None]],
        rescue: Callable[[Want, list[Extent], str], Awaitable[bool]],
    ) -> None:
        """Begin.

        Args:
            room: the collaborators.
            demand: what is asked for.
            stores: where chunks go.
            fail: ends a want badly.
            rescue: has extents made again that no disc gives; False if they cannot be.
        """
        self._room, self._demand, self._stores, self._fail, self._rescue = room, demand, stores, fail, rescue
        self._told: set[tuple[DiscId, ContentId, int]] = set()
        """Chunks that discs did not give, which the diary has: a reader tries again and again."""

    def want(self, places: Places, grid: Grid, job: JobId | None = None) -> Want:
        """The want of a content, with its store; all of it is asked for if there is a ``job``."""
        now = trio.current_time()
        want = self._demand.part(places.content, places.digest, grid, places.pieces, at=now)
        store = self._stores.of(places)
        if job is not None and want.job is None:
            want.job = job
            self.ask(want, store, range(len(grid)))
        return want

    @staticmethod
    def ask(want: Want, store: Store, numbers: range, *, ahead: bool = False) -> bool:
        """Have chunks read that are not there; returns whether there are any. ``ahead``: nobody waits for them yet."""
        if store.whole:
            return False
        add = want.ask_ahead if ahead else want.ask
        low: int | None = None
        for number in numbers:
            chunk = store.grid[number]
            if number in store:
                if low is not None:
                    add(low, chunk.start)
                low = None
            elif low is None:
                low = chunk.start
        if low is not None:
            last = store.grid[numbers[-1]]
            add(low, last.start + last.length)
        return any(number not in store for number in numbers)

    async def ask_part(self, want: Want, numbers: range, part: Asked, wake: Callable[[], None]) -> Answer | Waiting:
        """Ask for chunks, and for those that will be asked for next on the same disc."""
        store = self._stores.get(want.content)
        if store is None:  # it has just ended
            return Answer("waiting", "waiting for its disc")
        if part.wrong:
            store.recheck(numbers)
        lacks = self.ask(want, store, numbers)
        grid, end = store.grid, store.grid[numbers[-1]].start + store.grid[numbers[-1]].length
        here = next(piece for piece in want.pieces if piece.start < end <= piece.start + piece.length)
        if part.ahead and end < (rest := min(end + part.ahead, here.start + here.length)):
            lacks |= self.ask(want, store, grid.over(end, rest - end), ahead=True)
        answer = Waiting(want, grid[numbers[0]].start, end, lambda: store.in_memory)
        if lacks:
            wake()
        if want.lacks(answer.waiter):
            return answer
        await self.settle(want)
        return answer.end()

    async def slice(self, bay: Bay, loaded: LoadedDisc, disc: Disc, want: Want, extent: Extent) -> bool:
        """Read the first chunks of an extent; returns whether the content is whole in the cache now."""
        store = self._stores.get(want.content)
        if store is None:
            return False
        if store.whole:
            want.missing.clear()
            want.ahead.clear()
            return await self.settle(want)
        for number in store.grid.over(extent.start, extent.length)[:SLICE]:
            chunk = store.grid[number]
            try:
                data = await self._read(loaded, want, extent, chunk)
                store.put(number, data)
            except KeyNeeded as error:
                await self._fail(want, str(error))
                return False
            except (ReadFailed, DamageFound) as error:
                await self._trouble(want, disc, extent, chunk, str(error))
                break
            if want.ended:
                return False
            want.arrived(chunk.start, chunk.start + chunk.length)
            bay.advance(len(data))
        return await self.settle(want)

    def ask_ahead(self, want: Want, low: int, high: int) -> None:
        """Have a range read that nobody waits for yet, as far as it is not there."""
        store = self._stores.get(want.content)
        if store is not None and low < high:
            self.ask(want, store, store.grid.over(low, high - low), ahead=True)

    async def mended(self, reader: Sectors, want: Want, extent: Extent) -> None:
        """Take chunks that were made again, for they could not be read."""
        store, loaded = self._stores.get(want.content), LoadedDisc(reader, self._room.keyring)
        if store is None:
            return
        for number in () if store.whole else store.grid.over(extent.start, extent.length):
            chunk = store.grid[number]
            end = chunk.start + chunk.length
            if want.ended:
                return
            try:
                store.put(number, await self._read(loaded, want, extent, chunk))
            except KeyNeeded as error:
                await self._fail(want, str(error))
            except (ReadFailed, DamageFound) as error:
                want.lose(chunk.start, end, f"{want.why}, and is not what it was: {error}")
            else:
                want.arrived(chunk.start, end)
        if store.whole:
            want.missing.clear()
        await self.settle(want)

    async def _read(self, loaded: LoadedDisc, want: Want, extent: Extent, chunk: Chunk) -> bytes:
        """The bytes of a chunk as the disc gives them; raises as `PieceReader.read`."""
        if not self._room.keyring.sealed:
            return await loaded.reader.exactly(extent.sector + (chunk.start - extent.start) // SECTOR, chunk.length)
        piece = next(one for one in want.pieces if one.start <= chunk.start < one.start + one.length)
        return await loaded.piece(piece).read(chunk.start - piece.start, chunk.length)

    async def _trouble(self, want: Want, disc: Disc, extent: Extent, chunk: Chunk, problem: str) -> None:
        """A chunk cannot be had from this disc: it is asked of the others, and given up if there are none."""
        room = self._room
        low, high = chunk.start, chunk.start + chunk.length
        if not any(touches(one, low, high) for one in want.missing.values()):
            uncover(want.ahead, low, high)  # nobody waits for it: no news, the disc is judged when somebody does
            return
        want.ask(low, high)  # cuts it out
        want.bad_at.add((disc.id, low))
        want.why = told = f"{await self.name(want.content)} on disc {disc.label}: {problem}"
        news = disc.state is not DiscState.SUSPECT or (disc.id, want.content, low) not in self._told
        self._told.add((disc.id, want.content, low))
        if news:
            await room.write(discs.suspect, disc.id, told)
            await room.note("read-failed", told, disc=disc.id, job=want.job)
        copies = await room.read(discs.readable_of, extent.segment)
        if not any((copy.id, low) not in want.bad_at and copy.id not in want.bad for copy in copies):
            if await self._rescue(want, [one for start, one in want.missing.items() if low <= start < high], told):
                return
            if news:
                await room.note("lost", f"{want.why}; no other disc has it: odarchive repair --help", disc=disc.id)
            want.lose(low, high, want.why)

    async def name(self, content: ContentId) -> str:
        """A path of a content, for messages."""
        found = (await self._room.read(wanted.names_of, [content], limit=1)).get(content)
        return repr(found[0].decode("utf-8", "backslashreplace")) if found else f"content {content}"

    async def settle(self, want: Want) -> bool:
        """End a want that has all it asked for; returns whether the content is whole in the cache now."""
        store = self._stores.get(want.content)
        if store is None or want.ended or store.finishing:
            return False
        if store.complete:
            return await self._finish(want, store)
        if store.part is None and want.job is not None:
            await self._fail(want, store.why or _GONE)
        elif store.part is None:
            want.ahead.clear()
        if not want.missing and want.job is not None and not want.ended:
            await self._fail(want, want.lost or _GONE)
        elif not want.missing and not want.ahead and not want.ended:
            want.done = True
            self.close(want)
        return False

    async def _finish(self, want: Want, store: Store) -> bool:
        """Everything is there: it gets its name if it is right as a whole."""
        part = store.part
        store.finishing = True
        try:
            if part is not None and not store.whole:
                await self._room.heavy(part.check)
        except DamageFound as error:
            await self._room.write(grids.forget, want.content)
            self._stores.forget_grid(want.content)
            await self._room.note("chunks-wrong", f"{await self.name(want.content)}: {error}")
            await self._fail(want, f"{error}; its chunk digests are forgotten, try again")
            self._room.cache.drop(want.digest)
            return False
        except NoSpace as error:
            if store.part is part:
                await self._fail(want, str(error))
                self._room.cache.drop(want.digest)  # the next time it comes anew
            return False
        finally:
            store.finishing = False
        if want.ended or store.part is not part or not store.complete:  # something happened while it was hashed
            return await self.settle(want)
        try:
            if part is not None:
                self._room.cache.finish(part)
        except NoSpace as error:
            await self._fail(want, str(error))
            return False
        store.part = None
        want.missing.clear()
        want.done = True
        if want.job is not None:
            await self._room.write(jobs.set_state, want.job, JobState.DONE, now_ns=self._room.now_ns())
        self.close(want)
        return True

    def close(self, want: Want) -> None:
        """A want has ended; harmless if it had."""
        if self._demand.get(want.content) is want:
            self._stores.close(want.content)
        self._demand.end(want)
