"""Units onto discs: each where it fits best, and no more discs than needed.

A disc is saved by pouring what is on the emptiest one into the gaps of others, tearing a unit for each gap that takes a
part of it; a disc is worth ``TEARS`` of these, not more.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from odarchive.errors import MediumTooSmall
from odarchive.plan.columns import Shape
from odarchive.plan.filling import Filler, fullest
from odarchive.plan.stream import Run, Stream

TEARS = 16
NEAR, NEAR_LARGE = 0.005, 0.015
"""So near to the least number of discs (the second: with large files), hardly a unit is torn to save one more."""
NEAR_LOADS = 0.01
"""So near, so many loads more may come of it in all."""
_LARGE = 0.02
_CRUMB = 0.005
"""Neighbouring units are kept together up to so much of a disc."""


@dataclass(frozen=True, slots=True)
class DiscPlan:
    """The runs of one disc in tree order, and an upper bound of the bytes of its image."""

    runs: tuple[Run, ...]
    bytes: int


@dataclass(slots=True)
class _Disc:
    """A disc being filled: bytes used for items."""

    used: int = 0
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Atom:
    """What stays together, and what it costs."""

    cost: int
    runs: tuple[Run, ...]


def plan(stream: Stream, shape: Shape, ends: Sequence[int] = ()) -> tuple[DiscPlan, ...]:
    """Spread the items of a tree over discs; an item may come back as several parts.

    ``ends`` are the numbers of items before which an earlier part of the tree ends: what is in an earlier part is on
    earlier discs, and later parts begin in the gaps that are left.

    Raises:
        MediumTooSmall: a disc of this shape cannot even hold one sector of some item.
    """
    count = len(stream.length)
    if not count:
        return ()
    if shape.room <= 0:
        raise MediumTooSmall(
            f"a medium of {shape.usable} bytes is too small: {shape.fixed + shape.reserve} bytes are needed beside the "
            "files; name a larger medium"
        )
    packing = _Packing(stream, Filler(stream, shape.room))
    begin = 0
    for end in sorted({*ends, count}):
        if begin < end <= count:
            packing.add(stream.whole(begin, end))
            begin = end
    discs = [DiscPlan(tuple(sorted(disc.runs)), shape.usable - shape.room + disc.used) for disc in packing.discs]
    return tuple(sorted(discs, key=lambda disc: disc.runs[0]))


def unit_loads(stream: Stream, discs: Iterable[Iterable[Run]]) -> int:
    """On how many discs the units lie, added up: what restoring each of them would load."""
    starts = list(_unit_starts(stream, 0, len(stream.length)))
    return sum(_units_on(starts, disc) for disc in discs)


def _units_on(starts: Sequence[int], runs: Iterable[Run]) -> int:
    found: set[int] = set()
    for run in runs:
        found.update(range(bisect_right(starts, run.first) - 1, bisect_right(starts, run.end - 1)))
    return len(found)


def _unit_starts(stream: Stream, begin: int, end: int) -> Iterator[int]:
    """The first item of every unit: a child of a source with all below it, or what lies in the source itself."""
    last_folder = last_unit = -1
    for item in range(begin, end):
        folder = stream.folder[item]
        if folder != last_folder:
            last_folder = unit = folder
            while stream.depth[unit] > 1:
                unit = stream.parents[unit]
            if unit != last_unit:
                yield item
                last_unit = unit


class _Packing:
    """The discs so far."""

    def __init__(self, stream: Stream, filler: Filler) -> None:
        self._stream, self._filler, self._room = stream, filler, filler.room
        self.discs: list[_Disc] = []

    def add(self, run: Run) -> None:
        """Put a part of the tree onto further discs and into the gaps of those there are."""
        starts = list(_unit_starts(self._stream, run.first, run.end))
        kept = len(self.discs)
        used = sum(disc.used for disc in self.discs[kept:]) + self._stream.cost(run)
        large = self._stream.cost(run) > _LARGE * self._room * (run.end - run.first)
        enough = int(-(-used // self._room) * (1 + (NEAR_LARGE if large else NEAR))) + kept

        def merit(discs: list[_Disc]) -> tuple[int, int, int, int]:
            new = [[one for one in disc.runs if run.first <= one.first < run.end] for disc in discs]
            torn = sum(one.head > 0 for runs in new for one in runs)
            return max(len(discs), enough), sum(_units_on(starts, runs) for runs in new), torn, len(discs)

        found = [[*self._copied(), *map(self._disc, self._filler.in_order(run))]]
        for whole in (True, False) if large else (False,):
            atoms, full = self._atoms(starts, run.end, whole=whole)
            for pack in (self._best_fit, self._searched):
                discs = pack(self._copied() + [_Disc(disc.used, list(disc.runs)) for disc in full], atoms)
                found.append(_Gaps(self._stream, self._filler, discs).saved(kept, enough, merit(discs)[1]))
        self.discs = min(found, key=merit)

    def _copied(self) -> list[_Disc]:
        return [_Disc(disc.used, list(disc.runs)) for disc in self.discs]

    def _disc(self, runs: Sequence[Run]) -> _Disc:
        return _Disc(sum(map(self._stream.cost, runs)), list(runs))

    def _atoms(self, starts: Sequence[int], end: int, *, whole: bool) -> tuple[list[_Atom], list[_Disc]]:
        """What is to be packed, largest first, and the discs that larger units fill alone, of whole files if asked."""
        full: list[_Disc] = []
        atoms: list[_Atom] = []
        for unit in self._crumbs(starts, end):
            discs = [[unit]] if self._stream.cost(unit) <= self._room else self._filler.unit(unit, whole=whole)
            full += map(self._disc, discs[:-1])
            atoms.append(_Atom(sum(map(self._stream.cost, discs[-1])), tuple(discs[-1])))
        atoms.sort(key=lambda atom: (-atom.cost, atom.runs[0]))
        return atoms, full

    def _crumbs(self, starts: Sequence[int], end: int) -> Iterator[Run]:
        """The units, small neighbours together."""
        most = int(_CRUMB * self._room)
        at = 0
        bounds = [*starts, end]
        while at < len(starts):
            to = at + 1
            while to < len(starts) and self._stream.reach[bounds[to + 1]] - self._stream.reach[bounds[at]] <= most:
                to += 1
            yield self._stream.whole(bounds[at], bounds[to])
            at = to

    def _best_fit(self, discs: list[_Disc], atoms: Sequence[_Atom]) -> list[_Disc]:
        """Each where it leaves the least room."""
        free = sorted((self._room - disc.used, number) for number, disc in enumerate(discs))
        for atom in atoms:
            at = bisect_left(free, (atom.cost, -1))
            if at == len(free):
                room, number = self._room, len(discs)
                discs.append(_Disc())
            else:
                room, number = free.pop(at)
            discs[number].used += atom.cost
            discs[number].runs += atom.runs
            insort(free, (room - atom.cost, number))
        return discs

    def _searched(self, discs: list[_Disc], atoms: Sequence[_Atom]) -> list[_Disc]:
        """The large ones by search, disc by disc, then the small ones into the gaps."""
        large = [atom for atom in atoms if atom.cost > _LARGE * self._room]
        small = atoms[len(large) :]
        while large:
            chosen = fullest([atom.cost for atom in large], self._room)
            taken = [large[place] for place in chosen]
            discs.append(_Disc(sum(atom.cost for atom in taken), [run for atom in taken for run in atom.runs]))
            for place in reversed(chosen):
                del large[place]
        return self._best_fit(discs, small)


class _Gaps:
    """The room left on discs, in order of size."""

    def __init__(self, stream: Stream, filler: Filler, discs: list[_Disc]) -> None:
        self._stream, self._filler, self._discs = stream, filler, discs
        self._free = sorted((filler.room - disc.used, number) for number, disc in enumerate(discs))
        self._gone: set[int] = set()
        """Discs that are not needed any more."""
        self._torn = 0

    def saved(self, kept: int, enough: int, loads: int) -> list[_Disc]:
        """The discs without those whose contents the gaps of others take, not the first ``kept`` ones.

        With ``enough`` discs at most, only a small part of the ``loads`` is added for a further disc saved.
        """
        count = len(self._discs)
        for number in sorted(range(kept, count), key=lambda number: (self._discs[number].used, -number)):
            left = count - len(self._gone)
            tears = TEARS if left > enough else min(TEARS, int(NEAR_LOADS * loads) - self._torn)
            if left == 1 or tears < 0 or not self._pour(number, tears):
                break
        return [disc for number, disc in enumerate(self._discs) if number not in self._gone]

    def _pour(self, number: int, most: int) -> bool:
        """Bring all that is on a disc into the gaps of others, tearing it into few parts; False: it stays as it was."""
        disc = self._discs[number]
        before = list(self._free)
        self._free.remove((self._filler.room - disc.used, number))
        if sum(room for room, _ in self._free[-most - 1 :]) < disc.used // 2 and len(self._free) > most:
            self._free = before
            return False
        placed: list[tuple[int, Run]] = []
        tears = 0
        for run in sorted(disc.runs, key=lambda run: (-self._stream.cost(run), run)):
            rest: Run | None = run
            while rest is not None:
                taken, rest, at = self._largest_part(rest)
                tears += rest is not None
                if taken is None or tears > most:
                    self._free = before
                    return False
                room, other = self._free.pop(at)
                placed.append((other, taken))
                insort(self._free, (room - self._stream.cost(taken), other))
        for other, run in placed:
            self._discs[other].runs.append(run)
            self._discs[other].used += self._stream.cost(run)
        self._gone.add(number)
        self._torn += tears
        return True

    def _largest_part(self, run: Run) -> tuple[Run | None, Run | None, int]:
        """The whole run where it fits best, or what the largest gap takes of it; and which gap."""
        at = bisect_left(self._free, (self._stream.cost(run), -1))
        if at < len(self._free):
            return run, None, at
        if not self._free:
            return None, run, 0
        taken, rest = self._filler.take(run, self._free[-1][0])
        return taken, rest, len(self._free) - 1
