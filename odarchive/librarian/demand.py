"""What readers wait for, by disc, and how often each disc is asked for. Pure: no clock, no device, no SQL.

Which disc comes next is decided by ``order``.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from odarchive.model import ContentId, DiscId, Extent, JobId, SegmentId

PACE_OF = 100
"""Requests whose moments tell how often anything is asked for at present."""


@dataclass(slots=True)
class Want:
    """One content that somebody waits for."""

    content: ContentId
    digest: bytes
    size: int
    job: JobId
    order: int
    """Rises with each request: which of two is older when their moments are the same."""
    at: float
    """When it was asked for, in seconds of the caller's clock."""
    missing: dict[int, Extent]
    """Extents not read yet, by offset in the content."""
    why: str = ""
    """Why it still waits, when something stands in the way."""
    bad: set[DiscId] = field(default_factory=set)
    """Discs on which this content could not be read right."""
    failed: bool = False
    done: bool = False
    on_change: list[Callable[[], None]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether waiting longer is of no use."""
        return self.done or self.failed

    def changed(self) -> None:
        """Wake whoever waits."""
        for wake in self.on_change:
            wake()


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

    def end(self, want: Want) -> None:
        """Take a want out (done or failed) and wake its waiters."""
        self._wants.pop(want.content, None)
        want.changed()

    def segments(self) -> dict[SegmentId, int]:
        """Segments somebody waits for, each with the order of its oldest request."""
        oldest: dict[SegmentId, int] = {}
        for want in self._wants.values():
            for extent in want.missing.values():
                oldest[extent.segment] = min(oldest.get(extent.segment, want.order), want.order)
        return oldest

    def on(self, segment: SegmentId) -> list[Want]:
        """Open wants that need something of a segment."""
        return [want for want in self if any(extent.segment == segment for extent in want.missing.values())]

    def next_on(self, segment: SegmentId, disc: DiscId, sector: int) -> tuple[Want, Extent] | None:
        """The next extent to read from a disc of a segment: at or after a sector, else the lowest one (an elevator).

        Wants that this disc failed already are left for other copies.
        """
        best: tuple[bool, int, Want, Extent] | None = None
        for want in self._wants.values():
            for extent in want.missing.values():
                if extent.segment != segment or disc in want.bad:
                    continue
                rank = (extent.sector < sector, extent.sector)
                if best is None or rank < best[:2]:
                    best = (*rank, want, extent)
        return None if best is None else best[2:]
