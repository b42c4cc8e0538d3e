"""The librarian's own choice of discs as a policy of the simulator (``robot.sim.recall``)."""

from collections import Counter
from collections.abc import Sequence

from odarchive.librarian.demand import Demand, Habits
from odarchive.librarian.order import Pace, choose
from odarchive.model import ContentId, Extent, JobId, SegmentId
from robot.sim.recall import Request, Waiting


class Ours:
    """What the librarian would do, and what it learns while it does it."""

    def __init__(self, past: Sequence[Request] = (), *, drives: int = 1) -> None:
        """``past``: requests of earlier, as the catalogue remembers them."""
        self._pace = Pace(drives=drives)
        self._habits = Habits(Counter(SegmentId(request.disc) for request in past))
        self._known: set[int] = set()

    def __call__(self, waiting: Waiting, now: float) -> int:
        new = [r for requests in waiting.values() for r in requests if r.number not in self._known]
        for request in sorted(new):
            self._known.add(request.number)
            self._habits.asked({SegmentId(request.disc)}, request.at)
        demand = Demand()
        for request in sorted(request for requests in waiting.values() for request in requests):
            extent = Extent(SegmentId(request.disc), 0, request.size, 0)
            number = request.number
            demand.add(ContentId(number), b"", request.size, JobId(number), [extent], at=request.at)
        demand.habits = self._habits
        chosen = choose(demand, None, set(), now, self._pace)
        assert chosen is not None
        return int(chosen)
