"""What readers wait for, by disc, and how often each disc is asked for. Pure: no clock, no device, no SQL.

Which disc comes next is decided by ``order``.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from odarchive.chunks import Grid
from odarchive.librarian import spans
from odarchive.model import ContentId, DiscId, Extent, JobId, SegmentId

NOWHERE = SegmentId(0)
"""Where extents lie that no disc gives: they are being made again (``rescue``)."""

PACE_OF = 100
"""Requests whose moments tell how often anything is asked for at present."""


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody who waits for some bytes of a content."""

    start: int
    end: int
    wake: Callable[[], None]
    failed: str = ""
    """Why they cannot be had."""
    served: bool = False
    """They came."""


@dataclass(slots=True)
class Want:
    """One content, or ranges of one, that somebody waits for."""

    content: ContentId
    digest: bytes
    size: int
    job: JobId | None
    """None: nobody asked for all of it."""
    order: int
    """Rises with each request: which of two is older when their moments are the same."""
    at: float
    """When it was asked for, in seconds of the caller's clock."""
    missing: dict[int, Extent]
    """Extents not read yet, by offset in the content."""
    grid: Grid | None = None
    """Its chunks; without them it is believed as a whole only."""
    pieces: tuple[Extent, ...] = ()
    """Where all of it lies."""
    ahead: dict[int, Extent] = field(default_factory=dict)
    """Extents that nobody waits for yet: they come while the disc is there and nobody else needs the drive."""
    waiters: list[Waiter] = field(default_factory=list)
    why: str = ""
    """Why it still waits, when something stands in the way."""
    bad: set[DiscId] = field(default_factory=set)
    """Discs on which this content could not be read right."""
    bad_at: set[tuple[DiscId, int]] = field(default_factory=set)
    """Discs on which a chunk could not be read right, and the chunk's first byte."""
    lost: str = ""
    """Why some of it cannot be had from any disc."""
    failed: bool = False
    done: bool = False
    on_change: list[Callable[[], None]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether waiting longer is of no use."""
        return self.done or self.failed

    def changed(self) -> None:
        """Wake whoever waits."""
        for wake in [*self.on_change, *(waiter.wake for waiter in self.waiters)]:
            wake()

    def readable(self, disc: DiscId, extent: Extent) -> bool:
        """Whether it is worth reading an extent from a disc."""
        return disc not in self.bad and (disc, extent.start) not in self.bad_at

    def useful(self, disc: DiscId, segment: SegmentId) -> bool:
        """Whether a disc of a segment can give anything that is missing."""
        return any(extent.segment == segment and self.readable(disc, extent) for extent in self.missing.values())

    def rank(self, extent: Extent) -> int:
        """How urgent an extent is: 0 if somebody waits for these very bytes."""
        end = extent.start + extent.length
        return 0 if any(waiter.start < end and extent.start < waiter.end for waiter in self.waiters) else 1

    def ask(self, low: int, high: int) -> None:
        """Bytes that are to be read."""
        coming = [extent for extent in spans.uncover(self.ahead, low, high) if extent.segment == NOWHERE]
        self.missing |= {extent.start: extent for extent in coming}
        spans.cover(self.missing, self.pieces, low, high)

    def ask_ahead(self, low: int, high: int) -> None:
        """Bytes that may be asked for next."""
        spans.cover(self.ahead, self.pieces, low, high)
        for extent in list(self.missing.values()):
            spans.uncover(self.ahead, extent.start, extent.start + extent.length)

    def arrived(self, low: int, high: int) -> None:
        """Bytes are there; wakes who has all that he waits for."""
        spans.uncover(self.missing, low, high)
        spans.uncover(self.ahead, low, high)
        for waiter in self.waiters:
            waiter.served = not self.lacks(waiter)
        self._release(lambda waiter: waiter.served)

    def lose(self, low: int, high: int, why: str) -> None:
        """Bytes cannot be had; tells who waits for them."""
        spans.uncover(self.missing, low, high)
        spans.uncover(self.ahead, low, high)
        self.lost = why
        for waiter in self.waiters:
            if waiter.start < high and low < waiter.end:
                waiter.failed = why
        self._release(lambda waiter: bool(waiter.failed))

    def lacks(self, waiter: Waiter) -> bool:
        """Whether bytes are missing that somebody waits for."""
        return any(spans.touches(extent, waiter.start, waiter.end) for extent in self.missing.values())

    def _release(self, test: Callable[[Waiter], bool]) -> None:
        for waiter in [waiter for waiter in self.waiters if test(waiter)]:
            self.waiters.remove(waiter)
            waiter.wake()


class Habits:
    """How often each disc is asked for, learned from requests; ``past``: requests of earlier lives by segment."""

    def __init__(self, past: Mapping[SegmentId, int] | None = None) -> None:
        self._asked = Counter(past or {})
        self._total = sum(self._asked.values())
        self._latest: deque[float] = deque(maxlen=PACE_OF)

    def asked(self, segments: Iterable[SegmentId], at: float) -> None:
        """A request came that needs these segments."""
        self._latest.append(at)
        for segment in segments:
            self._asked[segment] += 1
            self._total += 1

    def interval(self, segment: SegmentId, now: float) -> float:
        """Seconds between two requests for a segment, as far as anybody can tell; long for one never asked for."""
        if not self._latest:
            return 0.0
        each = max(now - self._latest[0], 1.0) / len(self._latest)
        return each * self._total / max(1, self._asked[segment])


class Demand:
    """All open wants. Used by one task at a time; nothing here awaits."""

    def __init__(self, habits: Habits | None = None) -> None:
        self.habits = habits or Habits()
        self._wants: dict[ContentId, Want] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._wants)

    def __iter__(self) -> Iterator[Want]:
        return iter(list(self._wants.values()))

    def get(self, content: ContentId) -> Want | None:
        """The open want of a content."""
        return self._wants.get(content)

    def add(
        self, content: ContentId, digest: bytes, size: int, job: JobId, extents: Iterable[Extent], *, at: float = 0.0
    ) -> Want:
        """Ask for a content at the moment ``at``; one want serves everybody who waits for it."""
        want = self._wants.get(content)
        if want is None:
            self._order += 1
            missing = {extent.start: extent for extent in extents}
            want = self._wants[content] = Want(content, digest, size, job, self._order, at, missing)
            self.habits.asked({extent.segment for extent in missing.values()}, at)
        return want

    def part(self, content: ContentId, digest: bytes, grid: Grid, pieces: Iterable[Extent], *, at: float) -> Want:
        """The want of a content of which ranges are asked for; of a new one nothing is missing yet."""
        want = self._wants.get(content)
        if want is None:
            self._order += 1
            want = Want(content, digest, grid.size, None, self._order, at, {}, grid, tuple(pieces))
            self._wants[content] = want
        return want

    def end(self, want: Want) -> None:
        """Take a want out (done or failed) and wake its waiters."""
        if self._wants.get(want.content) is want:
            del self._wants[want.content]
        want.changed()

    def mend(self, segment: SegmentId, pieces: Iterable[Extent], *, at: float) -> Want:
        """A want of our own: what has to be read of other discs to make some of a segment again."""
        self._order += 1
        content = ContentId(-segment)
        want = self._wants[content] = Want(content, b"", 0, None, self._order, at, {}, None, tuple(pieces))
        return want

    def asked(self) -> list[Want]:
        """The wants that somebody asked for."""
        return [want for want in self if want.content > 0]

    def segments(self) -> dict[SegmentId, int]:
        """Segments somebody waits for, each with the order of its oldest request."""
        oldest: dict[SegmentId, int] = {}
        for want in self._wants.values():
            for extent in want.missing.values():
                oldest[extent.segment] = min(oldest.get(extent.segment, want.order), want.order)
        oldest.pop(NOWHERE, None)
        return oldest

    def on(self, segment: SegmentId) -> list[Want]:
        """Open wants that need something of a segment."""
        return [want for want in self if any(extent.segment == segment for extent in want.missing.values())]

    def next_on(self, segment: SegmentId, disc: DiscId, sector: int) -> tuple[Want, Extent] | None:
        """The next extent to read from a disc of a segment: at or after a sector, else the lowest one (an elevator).

        Bytes that a reader waits for come first. What this disc failed on already is left for other copies.
        """
        best: tuple[int, bool, int, Want, Extent] | None = None
        for want in self._wants.values():
            for extent in want.missing.values():
                if extent.segment != segment or not want.readable(disc, extent):
                    continue
                rank = (want.rank(extent), extent.sector < sector, extent.sector)
                if best is None or rank < best[:3]:
                    best = (*rank, want, extent)
        return None if best is None else best[3:]

    def next_ahead(self, segment: SegmentId, disc: DiscId) -> tuple[Want, Extent] | None:
        """The next extent that nobody waits for yet, lowest sector first."""
        found = (
            (extent.sector, want, extent)
            for want in self._wants.values()
            for extent in want.ahead.values()
            if extent.segment == segment and want.readable(disc, extent)
        )
        best = min(found, key=lambda one: one[0], default=None)
        return None if best is None else best[1:]
