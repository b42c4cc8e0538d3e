"""A discrete-event simulation of one or more drives under recall policies. Pure and virtual: no clock, no device.

A trace is a list of requests (when, disc, seconds of reading). ``play`` serves it with one drive; ``stream`` lets
readers that each ask for one file after the other read from discs of their own. The policy ``ours`` is the product's
own code (``odarchive.librarian.demand``), the others are what it is held against.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from odarchive.librarian.demand import Demand, choose
from odarchive.librarian.turns import turn
from odarchive.model import ContentId, Extent, JobId, SegmentId

EXCHANGE = 75.0
"""Seconds to bring one disc home and another one into the drive, ready to be read."""
SPEED = 18e6
"""Bytes a second a drive reads (4x BD, 13x DVD)."""


@dataclass(frozen=True, order=True)
class Request:
    """One read."""

    at: float
    number: int
    disc: int
    seconds: float


Waiting = dict[int, list[Request]]
Policy = Callable[[Waiting, float, int | None], int]


@dataclass(frozen=True)
class Outcome:
    """What a policy made of a trace; waits in seconds, sorted."""

    exchanges: int
    waits: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Minutes."""
        return sum(self.waits) / len(self.waits) / 60

    @property
    def p99(self) -> float:
        """Minutes."""
        return self.waits[int(0.99 * len(self.waits)) - 1] / 60

    @property
    def longest(self) -> float:
        """Minutes."""
        return self.waits[-1] / 60


def zipf_trace(seed: int, *, per_hour: float, reads: int = 1000, discs: int = 600, skew: float = 0.8) -> list[Request]:
    """Reads at random moments of files of 200 MB on average, from discs that are asked for as Zipf says."""
    chance = random.Random(seed)
    names = list(range(discs))
    chance.shuffle(names)
    weights = [1 / rank**skew for rank in range(1, discs + 1)]
    now, found = 0.0, []
    for number in range(reads):
        now += chance.expovariate(per_hour / 3600)
        found.append(Request(now, number, chance.choices(names, weights)[0], chance.expovariate(1 / 200e6) / SPEED))
    return found


def play(trace: list[Request], policy: Policy, *, stays: bool = True) -> Outcome:
    """Serve a trace with one drive. ``stays``: everything asked of the loaded disc is served before it leaves."""
    waiting: Waiting = {}
    coming = iter([*trace, None])
    following = next(coming)
    now, loaded, exchanges = 0.0, None, 0
    waits: list[float] = []

    def arrive() -> None:
        nonlocal following
        while following is not None and following.at <= now:
            waiting.setdefault(following.disc, []).append(following)
            following = next(coming)

    while waiting or following is not None:
        arrive()
        if not waiting:
            now = following.at
            continue
        disc = loaded if stays and loaded in waiting else policy(waiting, now, loaded)
        if disc != loaded:
            now, loaded, exchanges = now + EXCHANGE, disc, exchanges + 1
            arrive()
        request = waiting[disc].pop(0)
        if not waiting[disc]:
            del waiting[disc]
        now += request.seconds
        waits.append(now - request.at)
    return Outcome(exchanges, tuple(sorted(waits)))


def first_come(waiting: Waiting, _now: float, _loaded: int | None) -> int:
    """The oldest request's disc."""
    return min(waiting, key=lambda disc: waiting[disc][0])


def longest_queue(waiting: Waiting, _now: float, _loaded: int | None) -> int:
    """The disc most requests wait for."""
    return max(waiting, key=lambda disc: (len(waiting[disc]), -waiting[disc][0].at))


def sum_of_waits(waiting: Waiting, now: float, _loaded: int | None) -> int:
    """The disc whose requests have waited longest together."""
    return max(waiting, key=lambda disc: sum(now - request.at for request in waiting[disc]))


def squares_of_waits(waiting: Waiting, now: float, _loaded: int | None) -> int:
    """The same, with old requests counting more."""
    return max(waiting, key=lambda disc: sum((now - request.at) ** 2 for request in waiting[disc]))


def ours(waiting: Waiting, _now: float, loaded: int | None) -> int:
    """What the librarian would do."""
    demand = Demand()
    for request in sorted(request for requests in waiting.values() for request in requests):
        extent = Extent(SegmentId(request.disc), 0, 1, 0)
        demand.add(ContentId(request.number), b"", 1, JobId(request.number), [extent])
    chosen = choose(demand, None if loaded is None else SegmentId(loaded), set())
    assert chosen is not None
    return int(chosen)


@dataclass(frozen=True)
class Streams:
    """What came of readers that share one drive."""

    exchanges: int
    files: int
    hours: float
    longest_pause: float
    """Seconds a reader waited for one file at most."""


READ = 25e6 / SPEED
"""Seconds one file of the streams takes: a large photo."""


def stream(readers: int, *, hold: float, deadline: float = 600.0, files: int = 1000, think: float = 0.05) -> Streams:
    """Readers copy from a disc each: a file is asked for ``think`` seconds after the one before was there.

    The loaded disc is held ``hold`` seconds after its last read, for a turn of the product's own length at most; then
    the oldest request's disc comes.
    """
    now, since, loaded, exchanges, served, longest = 0.0, 0.0, -1, 0, 0, 0.0
    asked = [0.0] * readers
    while served < files:
        stays = loaded >= 0 and asked[loaded] <= now + hold and now - since < turn(deadline, readers - 1)
        others = [reader for reader in range(readers) if reader != loaded]
        disc = loaded if stays else min(others, key=lambda reader: asked[reader])
        now = max(now, asked[disc])
        if disc != loaded:
            now, loaded, exchanges = now + EXCHANGE, disc, exchanges + 1
            since = now
        now += READ
        longest = max(longest, now - asked[disc])
        asked[disc] = now + think
        served += 1
    return Streams(exchanges, served, now / 3600, longest)
