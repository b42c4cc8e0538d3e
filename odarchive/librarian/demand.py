"""What readers wait for, by disc; and which disc to serve next. Pure: no clock, no device, no SQL.

The policy (measured in simulation, see the decision page on recall scheduling): everything asked of a loaded disc is
served before it leaves, in sector order; a short hold after the last read, and a longest turn while others wait; next
disc: the one whose oldest request is oldest. Reads outrank burns.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from odarchive.model import ContentId, DiscId, Extent, JobId, SegmentId


@dataclass(slots=True)
class Want:
    """One content that somebody waits for."""

    content: ContentId
    digest: bytes
    size: int
    job: JobId
    order: int
    """Rises with each request; the oldest is served first."""
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


class Demand:
    """All open wants. Used by one task at a time; nothing here awaits."""

    def __init__(self) -> None:
        self._wants: dict[ContentId, Want] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._wants)

    def __iter__(self) -> Iterator[Want]:
        return iter(list(self._wants.values()))

    def get(self, content: ContentId) -> Want | None:
        """The open want of a content."""
        return self._wants.get(content)

    def add(self, content: ContentId, digest: bytes, size: int, job: JobId, extents: Iterable[Extent]) -> Want:
        """Ask for a content; one want serves everybody who waits for it."""
        want = self._wants.get(content)
        if want is None:
            self._order += 1
            missing = {extent.start: extent for extent in extents}
            want = self._wants[content] = Want(content, digest, size, job, self._order, missing)
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


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the machine is, for estimates: seconds, bytes a second. The defaults: a desktop robot and BD-R."""

    exchange: float = 75.0
    speed: float = 18e6
    drives: int = 1
    """Drives in service."""


def estimate(demand: Demand, want: Want, loaded: set[SegmentId], pace: Pace) -> float:
    """Seconds until a want is served if nothing else is asked and nothing goes wrong.

    Discs come in the order of their oldest requests, those in drives first, shared evenly by the drives.

    Args:
        demand: what is asked for, the want included.
        want: whose end is estimated.
        loaded: segments of the discs in drives.
        pace: how fast the machine is.
    """
    wanted = {extent.segment for extent in want.missing.values()}
    order = sorted(demand.segments().items(), key=lambda item: (item[0] not in loaded, item[1]))
    last = max((place for place, (segment, _) in enumerate(order) if segment in wanted), default=-1)
    due = {segment for segment, _ in order[: last + 1]}
    sizes = sum(extent.length for one in demand for extent in one.missing.values() if extent.segment in due)
    exchanges = len(due - loaded)
    return (exchanges * pace.exchange + sizes / pace.speed) / max(1, min(pace.drives, len(due)))


def choose(demand: Demand, loaded: SegmentId | None, elsewhere: set[SegmentId]) -> SegmentId | None:
    """Which segment a free drive should serve next, or None if no reader needs it.

    Args:
        demand: what is asked for.
        loaded: the segment of the disc in this drive.
        elsewhere: segments that other drives hold or are bringing.
    """
    open_segments = demand.segments()
    if loaded is not None and loaded in open_segments:
        return loaded
    free = [(order, segment) for segment, order in open_segments.items() if segment not in elsewhere]
    return min(free)[1] if free else None
