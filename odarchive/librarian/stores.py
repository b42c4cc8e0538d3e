"""Where the chunks of a content go while it is asked for: into the cache, or into memory while that has no room.

Concurrency: nothing awaits but `places`; one store per content, opened while its want lives.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from odarchive.cache import Partial
from odarchive.cache.parts import verify
from odarchive.catalogue import discs, grids
from odarchive.catalogue.database import Connection
from odarchive.chunks import CHUNK, Grid
from odarchive.errors import NoSpace
from odarchive.librarian.loose import Loose
from odarchive.librarian.workroom import Workroom
from odarchive.model import ContentId, Extent

log = logging.getLogger(__name__)

MOST_GRIDS = 64


@dataclass(frozen=True, slots=True)
class Places:
    """What there is to know of a content before it is read."""

    content: ContentId
    digest: bytes
    size: int
    pieces: tuple[Extent, ...]
    """All of it, in order; empty if no disc gives all."""
    grid: Grid | None
    """None: it is believed as a whole only."""


class Store:
    """The chunks of one content."""

    def __init__(self, places: Places, room: Workroom, loose: Loose, near: str) -> None:
        assert places.grid is not None  # noqa: S101  the callers have seen to it
        self.content, self.grid = places.content, places.grid
        self._digest, self._cache, self._loose = places.digest, room.cache, loose
        self.part: Partial | None = None
        """None: there is no room in the cache, or it came as a whole before anybody asked for a part."""
        self.why = ""
        self.in_memory = False
        """Chunks went past the cache, which had no room for them."""
        self.finishing = False
        if self.whole:
            return
        try:
            self.part = room.cache.partial(places.digest, self.grid, near)
        except NoSpace as error:
            self._to_memory(error)

    def __contains__(self, number: int) -> bool:
        """Whether a chunk is where this store puts it: one that is in memory from before is not in the cache."""
        return number in self.part if self.part is not None else self._loose.get(self.content, number) is not None

    @property
    def whole(self) -> bool:
        """Whether the content is in the cache under its name; something else may have brought it."""
        return self._digest in self._cache

    @property
    def complete(self) -> bool:
        """Whether all of it is in the cache."""
        return (self.part is not None and self.part.complete) or self.whole

    def put(self, number: int, data: bytes) -> None:
        """Take a chunk.

        Raises:
            DamageFound: these are not its bytes.
        """
        if self.part is not None:
            try:
                self._cache.put(self.part, number, data)
            except NoSpace as error:
                self._to_memory(error)
            else:
                return
        verify(self.grid[number], data)
        self._loose.put(self.content, number, data)

    def recheck(self, numbers: Iterable[int]) -> None:
        """Somebody found chunks wrong; those that are, are forgotten."""
        wrong = list(numbers)
        for number in wrong:
            self._loose.forget(self.content, number)
        if self.part is not None:
            self._cache.recheck(self.part, wrong)

    def close(self) -> None:
        """Nothing comes for now."""
        if self.part is not None:
            self._cache.release(self.part)
            self.part = None

    def _to_memory(self, error: Exception) -> None:
        if not self.in_memory:
            log.debug("content %s goes past the cache: %s", self.content, error)
        self.why, self.in_memory = str(error), True
        self.close()


class Stores:
    """The stores of all contents that are asked for by the chunk."""

    def __init__(self, room: Workroom) -> None:
        self._room = room
        self.loose = Loose()
        self._open: dict[ContentId, Store] = {}
        self._grids: OrderedDict[ContentId, Grid] = OrderedDict()

    async def places(self, content: ContentId) -> Places | None:
        """Digest, size, places and chunks of a content; None if there is none of that number."""
        found = await self._room.read(_places, content, self._grids.get(content))
        if found is not None and found.grid is not None:
            self._grids[content] = found.grid
            if len(self._grids) > MOST_GRIDS:
                self._grids.popitem(last=False)
        return found

    def of(self, places: Places) -> Store:
        """The store of a content, opened if it is not."""
        store = self._open.get(places.content)
        if store is None:
            first = places.pieces[0]  # whoever asks has seen that there are any
            near = f"{first.segment}.{first.sector >> 15}"  # 64 MiB of a disc
            store = self._open[places.content] = Store(places, self._room, self.loose, near)
        return store

    def get(self, content: ContentId) -> Store | None:
        """The open store of a content."""
        return self._open.get(content)

    def close(self, content: ContentId) -> None:
        """The content is not asked for any more; harmless if it was not."""
        store = self._open.pop(content, None)
        if store is not None:
            store.close()

    def forget_grid(self, content: ContentId) -> None:
        """Its chunk digests were wrong."""
        self._grids.pop(content, None)


def _places(connection: Connection, content: ContentId, known: Grid | None) -> Places | None:
    facts = discs.content(connection, content)
    if facts is None:
        return None
    digest, size = facts
    pieces = _row(discs.extents(connection, content), size)
    grid = known or grids.grid(connection, content, size)
    if grid is not None and not all(_fits(grid, piece) for piece in pieces):
        grid = None  # the digests are of pieces that were cut otherwise
    return Places(content, digest, size, pieces, grid)


def _fits(grid: Grid, piece: Extent) -> bool:
    """Whether the chunks within a piece are whole MiB from its first byte on."""
    inside = [part.start for part in grid.parts if 0 <= part.start - piece.start < piece.length]
    first = grid[grid.at(piece.start)].start == piece.start
    return first and all((start - piece.start) % CHUNK == 0 for start in inside)


def _row(extents: Iterable[Extent], size: int) -> tuple[Extent, ...]:
    """Extents that follow one another from the first byte to the last; empty if there are none."""
    longest: dict[int, Extent] = {}
    for extent in extents:
        if extent.start not in longest or extent.length > longest[extent.start].length:
            longest[extent.start] = extent
    row, at = [], 0
    while at < size and at in longest:
        row.append(longest[at])
        at += longest[at].length
    return tuple(row) if at == size else ()
