"""Which disc to serve next, and how long each request still waits. Pure: no clock, no device, no SQL.

The policy (measured in simulation, ``tests/bench/recall/RESULTS.md``):

1. Everything asked of a loaded disc is served before it leaves.
2. A request that has waited for most of a round goes first, the oldest of them before the others. A round is the time
   in which everything asked for now could be brought and read; so nobody starves, however popular other discs are.
3. Else the disc comes whose waiting is worst, in squares, for what leaving it would still gather: an exchange serves
   more requests the longer a disc waits, and a disc that is often asked for gathers them sooner (``urgency``).

Not for how long a disc keeps its drive (``turns``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from odarchive.librarian.demand import NOWHERE, Demand, Want
from odarchive.model import ContentId, SegmentId


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the machine is, for estimates: seconds, bytes a second. The defaults: a desktop robot and BD-R."""

    exchange: float = 75.0
    speed: float = 18e6
    drives: int = 1
    """Drives in service."""


DESKTOP = Pace()
LATE = 0.9
"""Of a round: who has waited longer goes first."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one segment."""

    segment: SegmentId
    oldest: tuple[float, int]
    """When its oldest request came, and that request's order."""
    ages: Sequence[float]
    """Seconds each of its requests has waited."""
    size: int
    """Bytes asked of it."""


def urgency(ages: Sequence[float], interval: float) -> float:
    """How much a disc should come now rather than later, if requests for it come every ``interval`` seconds.

    A visit costs the same however many requests it serves. If the cost of waiting is the square of the time waited,
    the best moment to visit a disc is when what waiting longer adds over a cycle (until the visit, and until the next
    request after it) outweighs what has gathered; this is the difference. The smallest sum of costs for a number of
    visits comes from always visiting the disc for which it is largest.
    """
    return 2 * sum(ages) * (max(ages) + interval) - sum(age * age for age in ages)


def queues(demand: Demand, now: float) -> dict[SegmentId, Queue]:
    """What is asked for at the moment ``now``, by segment."""
    wants: dict[SegmentId, dict[ContentId, Want]] = {}
    sizes: dict[SegmentId, int] = {}
    for want in demand:
        for extent in want.missing.values():
            if extent.segment == NOWHERE:
                continue
            wants.setdefault(extent.segment, {})[want.content] = want
            sizes[extent.segment] = sizes.get(extent.segment, 0) + extent.length
    return {
        segment: Queue(
            segment,
            min((want.at, want.order) for want in waiting.values()),
            [max(0.0, now - want.at) for want in waiting.values()],
            sizes[segment],
        )
        for segment, waiting in wants.items()
    }


def ranking(demand: Demand, now: float, pace: Pace = DESKTOP) -> list[Queue]:
    """Everything asked for, in the order in which the discs should come."""
    waiting = list(queues(demand, now).values())
    bound = LATE * round_of(waiting, pace)

    def rank(queue: Queue) -> tuple[bool, float, tuple[float, int]]:
        late = now - queue.oldest[0] > bound
        interval = demand.habits.interval(queue.segment, now)
        return not late, 0.0 if late else -urgency(queue.ages, interval), queue.oldest

    return sorted(waiting, key=rank)


def round_of(waiting: Sequence[Queue], pace: Pace) -> float:
    """Seconds in which everything that waits could be brought and read."""
    work = len(waiting) * pace.exchange + sum(queue.size for queue in waiting) / pace.speed
    return work / max(1, min(pace.drives, len(waiting)))


def choose(
    demand: Demand, loaded: SegmentId | None, elsewhere: set[SegmentId], now: float, pace: Pace = DESKTOP
) -> SegmentId | None:
    """Which segment a free drive should serve next, or None if no reader needs it.

    Args:
        demand: what is asked for.
        loaded: the segment of the disc in this drive.
        elsewhere: segments that other drives hold or are bringing.
        now: the moment, by the clock of the requests.
        pace: how fast the machine is.
    """
    order = [queue.segment for queue in ranking(demand, now, pace)]
    if loaded is not None and loaded in order:
        return loaded
    return next((segment for segment in order if segment not in elsewhere), None)


def estimates(demand: Demand, loaded: set[SegmentId], pace: Pace, now: float) -> dict[ContentId, float]:
    """Seconds until each want is served if nothing else is asked and nothing goes wrong.

    Discs in drives are served first, the others come in their order, shared evenly by the drives.

    Args:
        demand: what is asked for.
        loaded: segments of the discs in drives.
        pace: how fast the machine is.
        now: the moment, by the clock of the requests.
    """
    order = sorted(ranking(demand, now, pace), key=lambda queue: queue.segment not in loaded)
    work, due = 0.0, {}
    for place, queue in enumerate(order, 1):
        work += queue.size / pace.speed + (0.0 if queue.segment in loaded else pace.exchange)
        due[queue.segment] = work / max(1, min(pace.drives, place))
    due[NOWHERE] = max(due.values(), default=0.0)  # what is made again is made of these
    return {
        want.content: max((due[extent.segment] for extent in want.missing.values()), default=0.0)
        for want in demand.asked()
    }
