"""Filling discs with what is larger than one: a unit, an order of units, a file.

In tree order a disc ends where a folder ends, the less deep the better, as long as it is full enough by then; a file is
torn only where the next one would leave a larger gap. A unit of files so large that every disc would end in a torn one
is put together from whole files instead, where a search finds that they fill the discs.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from odarchive.errors import MediumTooSmall
from odarchive.plan.stream import Run, Stream

FULL = 0.98
"""A disc filled so far need not tear a file to become fuller."""
_LARGE = 0.02
"""Files of so much of a disc, on average, are put together by search."""
_LOST = 0.01
"""Gaps of so much of a disc, on average, are worth that no file is torn."""
_NEAR, _STEPS = 0.003, 600
"""A search ends when so little of a disc is left, or after so many steps."""
_WINDOW = 20_000
"""So many items are looked at for a better end of a disc."""


class Filler:
    """Fills discs with ``room`` bytes each."""

    def __init__(self, stream: Stream, room: int) -> None:
        self._stream, self.room = stream, room

    def take(self, run: Run, room: int) -> tuple[Run | None, Run | None]:
        """What goes into a gap of ``room`` bytes, from the front, and the rest.

        A gap may get nothing; an empty disc gets something.

        Raises:
            MediumTooSmall: an empty disc cannot hold a sector of the first item.
        """
        stream = self._stream
        end = stream.fitting(run, room)
        if end == run.end:
            return run, None
        full = int(room - (1 - FULL) * self.room)
        used = stream.cost(stream.whole(run.first, end)._replace(head=run.head)) if end > run.first else 0
        if used and used >= full:
            end = self._boundary(run, end, full)
            return _split(stream, run, end, 0)
        cut = stream.tear(run, end, room - used)
        if not used and room < (1 - FULL) * self.room:
            return None, run
        if cut > (run.head if end == run.first else 0):
            return _split(stream, run, end, cut)
        if end > run.first:
            return _split(stream, run, end, 0)
        if room >= self.room:
            beside = stream.alone(run.first) - stream.length[run.first]
            raise MediumTooSmall(
                f"a medium with {self.room} bytes for files is too small: one of the files needs {beside} bytes for "
                "its names and folders alone; name a larger medium"
            )
        return None, run

    def in_order(self, run: Run) -> list[list[Run]]:
        """One disc after the other."""
        discs = []
        rest: Run | None = run
        while rest is not None:
            taken, rest = self.take(rest, self.room)
            if taken is not None:
                discs.append([taken])
        return discs

    def unit(self, run: Run, *, whole: bool) -> list[list[Run]]:
        """The discs of a unit of more than one, the last one the least full.

        With ``whole``, no large file is torn that fits on a disc, whatever gaps that leaves.
        """
        average = self._stream.cost(run) / (run.end - run.first)
        if average < _LARGE * self.room:
            return self.in_order(run)
        discs = self._searched(run)
        lost = sum(self.room - self._used(disc) for disc in discs[:-1])
        return discs if whole or lost <= _LOST * self.room * (len(discs) - 1) else self.in_order(run)

    def _used(self, disc: Sequence[Run]) -> int:
        return sum(map(self._stream.cost, disc))

    def _searched(self, run: Run) -> list[list[Run]]:
        """Discs of whole files; only what is larger than a disc is torn."""
        discs: list[list[Run]] = []
        files: list[tuple[int, Run]] = []
        for item in range(run.first, run.end):
            rest = Run(
                item,
                item + 1,
                run.head if item == run.first else 0,
                run.tail if item == run.end - 1 else self._stream.length[item],
            )
            while self._stream.cost(rest) > self.room:
                taken, left = self.take(rest, self.room)
                if taken is None or left is None:
                    break
                discs.append([taken])
                rest = left
            files.append((self._stream.cost(rest), rest))
        files.sort(key=lambda pair: (-pair[0], pair[1]))
        while files:
            chosen = fullest([cost for cost, _ in files], self.room)
            discs.append(sorted(files[place][1] for place in chosen))
            for place in reversed(chosen):
                del files[place]
        return discs

    def _boundary(self, run: Run, end: int, full: int) -> int:
        """The end of the least deep folder that leaves the disc full, at most ``end``; ``end`` itself if none ends."""
        stream = self._stream
        budget = full - stream.before(run) + stream.reach[run.first + 1]
        lowest = max(bisect_left(stream.reach, budget, run.first + 1, end + 1), end - _WINDOW)
        folder, depth = stream.folder, stream.depth
        best, least = end, 1 << 30
        for place in range(min(end, run.end - 1), lowest - 1, -1):
            if folder[place] != folder[place - 1] and depth[folder[place]] < least:
                best, least = place, depth[folder[place]]
        return best


def _split(stream: Stream, run: Run, end: int, cut: int) -> tuple[Run, Run]:
    """A run in two: before item ``end``, or ``cut`` bytes (from its beginning) into it."""
    if cut:
        return Run(run.first, end + 1, run.head, cut), Run(end, run.end, cut, run.tail)
    taken = Run(run.first, end, run.head, stream.length[end - 1])
    return taken, Run(end, run.end, 0, run.tail)


def fullest(costs: Sequence[int], room: int) -> list[int]:
    """Which of these (descending) fill ``room`` best together with the first; ascending places."""
    best: tuple[int, list[int]] = (-1, [0])
    for steps, (used, chosen) in enumerate(_subsets(costs, room)):
        if used > best[0]:
            best = used, chosen
        if room - best[0] <= _NEAR * room or steps > _STEPS:
            break
    return best[1]


def _subsets(costs: Sequence[int], room: int) -> Iterator[tuple[int, list[int]]]:
    """Sets with the first that fit and cannot take one more of those behind, largest first."""
    negative = [-cost for cost in costs]
    stack = [(costs[0], [0], 1)]
    while stack:
        used, chosen, begin = stack.pop()
        place = bisect_left(negative, used - room, begin)
        if place == len(costs):
            yield used, chosen
            continue
        # First with this one, later without it: with the next one of another size in its place.
        other = bisect_left(negative, negative[place] + 1, place)
        if other < len(costs):
            stack.append((used, chosen, other))
        stack.append((used + costs[place], [*chosen, place], place + 1))
