"""A discrete-event simulation of drives that serve read requests: traces replayed against policies, in virtual time.

A policy chooses the disc that a free drive fetches next; the simulation tells how many exchanges it took and how long
each request waited. Pure: no clock, no device, no file; the same trace and policy give the same outcome.

Not for how machines fail (``robot.sim`` has machines for that): here every exchange takes equally long.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
    size: int
    """Bytes."""

    @property
    def seconds(self) -> float:
        """Reading takes this long."""
        return self.size / SPEED


Waiting = Mapping[int, Sequence[Request]]
"""Requests by disc, each disc's in the order in which they came."""
Policy = Callable[[Waiting, float], int]
"""The next disc of those that are waited for and in no drive, at a moment."""


@dataclass(frozen=True)
class Outcome:
    """What a policy made of a trace."""

    exchanges: int
    waits: tuple[float, ...]
    """Seconds from each request to its last byte, sorted."""

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


def zipf_trace(
    seed: int, *, per_hour: float, reads: int = 1000, discs: int = 600, skew: float = 0.8, other: int = 0
) -> list[Request]:
    """Reads at random moments of files of 200 MB on average, from discs that are asked for as Zipf says.

    ``other``: another trace of the same discs, popular as they are.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    names = list(range(discs))
    chance.shuffle(names)
    if other:
        chance = random.Random(seed * 1_000_003 + other)  # noqa: S311
    weights = [1 / rank**skew for rank in range(1, discs + 1)]
    now, found = 0.0, []
    for number in range(reads):
        now += chance.expovariate(per_hour / 3600)
        disc = chance.choices(names, weights)[0]
        found.append(Request(now, number, disc, round(chance.expovariate(1 / 200e6))))
    return found


@dataclass
class _Drive:
    """One drive: which disc it holds, and from when on it is free."""

    free_at: float = 0.0
    disc: int | None = None


@dataclass
class _Shop:
    """What waits, and what is still to come."""

    trace: Sequence[Request]
    waiting: dict[int, list[Request]] = field(default_factory=dict)
    come: int = 0

    def arrive(self, now: float) -> None:
        """Requests up to ``now`` are there."""
        while self.come < len(self.trace) and self.trace[self.come].at <= now:
            request = self.trace[self.come]
            self.waiting.setdefault(request.disc, []).append(request)
            self.come += 1

    def take(self, disc: int) -> Request:
        """The oldest request for a disc is being served."""
        request = self.waiting[disc].pop(0)
        if not self.waiting[disc]:
            del self.waiting[disc]
        return request


def play(trace: Sequence[Request], policy: Policy, *, drives: int = 1, stays: bool = True) -> Outcome:
    """Serve a trace.

    Args:
        trace: sorted by time.
        policy: chooses the next disc.
        drives: how many there are.
        stays: everything asked of a loaded disc is served before it leaves.
    """
    shop, exchanges = _Shop(trace), 0
    waits: list[float] = []
    machine = [_Drive() for _ in range(drives)]
    while len(waits) < len(trace):
        drive = min(machine, key=lambda one: one.free_at)
        now = drive.free_at
        shop.arrive(now)
        others = {one.disc for one in machine if one is not drive}
        mine = {disc: requests for disc, requests in shop.waiting.items() if disc not in others}
        if not mine:
            drive.free_at = _later(shop, machine, now)
            continue
        disc = drive.disc if stays and drive.disc in mine else policy(mine, now)
        assert disc is not None  # noqa: S101  what waits has a disc
        if disc != drive.disc:
            now, drive.disc, exchanges = now + EXCHANGE, disc, exchanges + 1
        request = shop.take(disc)
        drive.free_at = now + request.seconds
        waits.append(drive.free_at - request.at)
    return Outcome(exchanges, tuple(sorted(waits)))


def _later(shop: _Shop, machine: Sequence[_Drive], now: float) -> float:
    """When a drive without work looks again: at the next request, or when another drive is free."""
    moments = [one.free_at for one in machine if one.free_at > now]
    if shop.come < len(shop.trace):
        moments.append(shop.trace[shop.come].at)
    return min(moments, default=now)


def first_come(waiting: Waiting, _now: float) -> int:
    """The oldest request's disc."""
    return min(waiting, key=lambda disc: waiting[disc][0])


def longest_queue(waiting: Waiting, _now: float) -> int:
    """The disc most requests wait for."""
    return max(waiting, key=lambda disc: (len(waiting[disc]), -waiting[disc][0].at))


def sum_of_waits(waiting: Waiting, now: float) -> int:
    """The disc whose requests have waited longest together."""
    return max(waiting, key=lambda disc: sum(now - request.at for request in waiting[disc]))


def squares_of_waits(waiting: Waiting, now: float) -> int:
    """The same, with old requests counting more."""
    return max(waiting, key=lambda disc: sum((now - request.at) ** 2 for request in waiting[disc]))


@dataclass(frozen=True)
class Streams:
    """What came of readers that share one drive."""

    exchanges: int
    files: int
    hours: float
    longest_pause: float
    """Seconds a reader waited for one file at most."""


FILE = 25_000_000
"""Bytes of one file of the streams: a large photo."""


def stream(
    readers: int, policy: Policy, *, hold: float, turn: float, files: int = 1000, think: float = 0.05
) -> Streams:
    """Readers copy from a disc each through one drive: a file is asked for ``think`` seconds after the one before came.

    Args:
        readers: how many; each has a disc of its own.
        policy: chooses the next disc.
        hold: seconds the loaded disc is held after its last read while others wait.
        turn: seconds it keeps the drive at most while others wait.
        files: when that many were read it ends.
        think: seconds.
    """
    now, since, loaded, exchanges, longest = 0.0, 0.0, -1, 0, 0.0
    asked = [0.0] * readers
    for number in range(files):
        stays = loaded >= 0 and asked[loaded] <= now + hold and now - since < turn
        if stays:
            disc = loaded
        else:
            others = [reader for reader in range(readers) if reader != loaded]
            now = max(now, min(asked[reader] for reader in others))
            waiting = {r: [Request(asked[r], number + r, r, FILE)] for r in others if asked[r] <= now}
            disc = policy(waiting, now)
        now = max(now, asked[disc])
        if disc != loaded:
            now, loaded, exchanges = now + EXCHANGE, disc, exchanges + 1
            since = now
        now += FILE / SPEED
        longest = max(longest, now - asked[disc])
        asked[disc] = now + think
    return Streams(exchanges, files, now / 3600, longest)
