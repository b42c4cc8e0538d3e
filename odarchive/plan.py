"""Which bytes go on which disc: folders kept together, discs full. Pure: numbers in, numbers out.

Every byte of every item lands on exactly one disc, no disc is over its capacity with the costs given, and the same
input gives the same plan. Costs are additive upper bounds: an item costs its sectors and its overhead, a folder costs
once on each disc that holds something below it. ``odarchive.image.costs`` knows what they are; here they are numbers.

How: what is larger than a disc is cut into discs and a rest. Folders a person would restore as one (*units*: the
children of a source) that are larger than a disc fill discs of their own; their rests and all smaller units are put,
largest first, where they fit best. Discs that are then nearly empty are dissolved into the gaps of others. Plain tree
order is tried too, and the plan with fewer discs, then with fewer units torn apart, wins.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NewType

from odarchive.errors import MediumTooSmall
from odarchive.model import SECTOR

FolderKey = NewType("FolderKey", int)
ItemKey = NewType("ItemKey", int)
FULL = 0.98
"""A disc filled so far need not tear a folder to become fuller (measured: 2 % is the knee)."""

_TEAR_BELOW = (0.6, 0.8, 0.9, 0.95, FULL)


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory on a disc; ``cost`` in bytes, paid once per disc that holds something below it."""

    parent: FolderKey | None
    cost: int


@dataclass(frozen=True, slots=True)
class Item:
    """Something that must be on a disc: ``length`` bytes from ``start`` on of the thing ``key``; 0 bytes is allowed.

    ``folders`` holds every directory it has a name in, the one it belongs to first; ``overhead`` is what it costs
    beside the sectors of its bytes.
    """

    key: ItemKey
    start: int
    length: int
    overhead: int
    folders: tuple[FolderKey, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A disc: ``usable`` bytes, of which ``fixed`` are gone before the first item."""

    usable: int
    fixed: int


@dataclass(frozen=True, slots=True)
class DiscPlan:
    """The items of one disc in tree order, and an upper bound of the bytes of its image."""

    items: tuple[Item, ...]
    bytes: int


def plan(items: Sequence[Item], folders: Mapping[FolderKey, Folder], shape: Shape) -> tuple[DiscPlan, ...]:
    """Spread items, given in tree order, over discs; an item above one disc comes back as several.

    Raises:
        MediumTooSmall: a disc of this shape cannot even hold one sector of some item.
    """
    if not items:
        return ()
    layout = _Layout(folders, shape)
    whole, rest = layout.cut(items)
    candidates = [layout.in_order(rest), layout.by_units(rest)]
    best = min(candidates, key=lambda discs: (len(discs), layout.unit_loads(discs)))
    order = {item.key: place for place, item in enumerate(items)}

    def place(item: Item) -> tuple[int, int]:
        return order[item.key], item.start

    discs = [[item] for item in whole] + [sorted(disc, key=place) for disc in best]
    discs.sort(key=lambda disc: place(disc[0]))
    return tuple(DiscPlan(tuple(disc), shape.fixed + layout.cost(disc)) for disc in discs)


@dataclass(slots=True)
class _Load:
    """A disc being filled: bytes used beyond the fixed ones, and which folders they already paid."""

    used: int = 0
    paid: set[FolderKey] = field(default_factory=set)
    items: list[Item] = field(default_factory=list)


class _Layout:
    """The costs, and the ways to fill discs with them."""

    def __init__(self, folders: Mapping[FolderKey, Folder], shape: Shape) -> None:
        self._folders = folders
        self._shape = shape
        self._room = shape.usable - shape.fixed
        if self._room <= 0:
            raise MediumTooSmall(
                f"a medium of {shape.usable} bytes is too small: {shape.fixed} bytes are needed before the first file; "
                "name a larger medium"
            )

    def cost(self, items: Iterable[Item]) -> int:
        """Bytes these items take on one disc."""
        load = _Load()
        for item in items:
            self._add(load, item)
        return load.used

    def unit_loads(self, discs: Sequence[Sequence[Item]]) -> int:
        """On how many discs the units lie, added up: what restoring each of them would load."""
        return sum(len({self._unit(item) for item in disc}) for disc in discs)

    def cut(self, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Fragments that fill a disc each, and all that is no larger than a disc."""
        whole: list[Item] = []
        rest: list[Item] = []
        for item in items:
            beside = self.cost([replace(item, length=0)])
            most = (self._room - beside) // SECTOR * SECTOR
            if most < min(item.length, SECTOR) or beside > self._room:
                raise MediumTooSmall(
                    f"a medium of {self._shape.usable} bytes is too small: one of the files needs {beside} bytes "
                    "for its names and folders alone; name a larger medium"
                )
            left = item
            while left.length > most:
                whole.append(replace(left, length=most))
                left = replace(left, start=left.start + most, length=left.length - most)
            rest.append(left)
        return whole, rest

    def in_order(self, items: Iterable[Item]) -> list[list[Item]]:
        """One disc after the other, in the order given; a full disc ends where a folder ends if that costs little."""
        discs: list[list[Item]] = []
        load = _Load()
        for item in items:
            if load.items and not self._fits(load, item):
                kept, carried = self._at_boundary(load, item)
                discs.append(kept)
                load = _Load()
                for late in carried:
                    self._add(load, late)
                if load.items and not self._fits(load, item):  # a boundary that leaves less than it takes
                    discs.append(load.items)
                    load = _Load()
            self._add(load, item)
        return [*discs, load.items] if load.items else discs

    def by_units(self, items: Iterable[Item]) -> list[list[Item]]:
        """Units of more than a disc on discs of their own, the rest where it fits best."""
        full: list[list[Item]] = []
        atoms: list[list[Item]] = []
        for unit in self._units(items):
            if self.cost(unit) <= self._room:
                atoms.append(unit)
                continue
            discs = min(self.in_order(unit), self._best_fit(self._atoms(unit)), key=len)
            full += discs[:-1]
            atoms.append(discs[-1])
        return self._dissolve(self._repack(full + self._best_fit(atoms)))

    def _best_fit(self, atoms: list[list[Item]]) -> list[list[Item]]:
        """Largest first, each where it leaves the least room; shared folders are counted twice (an upper bound)."""
        discs: list[list[Item]] = []
        free: list[tuple[int, int]] = []
        costs = [self.cost(atom) for atom in atoms]
        for place in sorted(range(len(atoms)), key=lambda place: (-costs[place], place)):
            at = bisect_left(free, (costs[place], -1))
            if at == len(free):
                room, disc = self._room, len(discs)
                discs.append([])
            else:
                room, disc = free.pop(at)
            discs[disc] += atoms[place]
            insort(free, (room - costs[place], disc))
        return discs

    def _repack(self, discs: list[list[Item]]) -> list[list[Item]]:
        """Tear the folders of the emptier discs as far as that saves discs, the emptiest first."""
        for limit in _TEAR_BELOW:
            emptier = [self.cost(disc) < limit * self._room for disc in discs]
            torn = [item for disc, low in zip(discs, emptier, strict=True) if low for item in disc]
            packed = self._best_fit(self._atoms(torn))
            if len(packed) < sum(emptier):
                discs = [disc for disc, low in zip(discs, emptier, strict=True) if not low] + packed
        return discs

    def _atoms(self, items: Iterable[Item]) -> list[list[Item]]:
        """Neighbours of one folder, together at most 2 % of a disc; what has no bytes stays with what was before it."""
        atoms: list[_Load] = []
        for item in items:
            if atoms:
                last = atoms[-1]
                beside = last.items[-1].folders == item.folders and last.used < (1 - FULL) * self._room
                if (beside or item.length == 0) and self._fits(last, item):
                    self._add(last, item)
                    continue
            atoms.append(_Load())
            self._add(atoms[-1], item)
        return [atom.items for atom in atoms]

    def _dissolve(self, discs: list[list[Item]]) -> list[list[Item]]:
        """Spread the emptiest disc over the gaps of the others, as long as that saves a disc."""
        while len(discs) > 1:
            used = [self.cost(disc) for disc in discs]
            emptiest = min(range(len(discs)), key=lambda place: (used[place], -place))
            others = [place for place in range(len(discs)) if place != emptiest]
            if sum(self._room - used[place] for place in others) < used[emptiest] // 2:
                break
            moved = self._spread(discs[emptiest], {place: discs[place] for place in others})
            if moved is None:
                break
            discs = moved
        return discs

    def _spread(self, items: list[Item], discs: Mapping[int, list[Item]]) -> list[list[Item]] | None:
        loads = []
        for disc in discs.values():
            load = _Load()
            for item in disc:
                self._add(load, item)
            loads.append(load)
        for item in sorted(items, key=lambda item: -item.length):
            fitting = [load for load in loads if self._fits(load, item)]
            if not fitting:
                return None
            self._add(min(fitting, key=lambda load: (self._price(load, item) - _bytes(item), -load.used)), item)
        return [load.items for load in loads]

    def _at_boundary(self, load: _Load, following: Item) -> tuple[list[Item], list[Item]]:
        """Where to end a disc: at the last folder's beginning if the disc stays full enough, else right here."""
        items = load.items
        if following.folders[0] != items[-1].folders[0]:
            return items, []
        cut = len(items)
        while cut > 0 and items[cut - 1].folders[0] == following.folders[0]:
            cut -= 1
        if cut and self.cost(items[:cut]) >= FULL * self._room:
            return items[:cut], items[cut:]
        return items, []

    def _units(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        units: dict[FolderKey, list[Item]] = {}
        for item in items:
            units.setdefault(self._unit(item), []).append(item)
        yield from units.values()

    def _unit(self, item: Item) -> FolderKey:
        """The child of a source it lies in, or the source itself."""
        chain = [item.folders[0]]
        while (parent := self._folders[chain[-1]].parent) is not None:
            chain.append(parent)
        return chain[-2] if len(chain) > 1 else chain[-1]

    def _fits(self, load: _Load, item: Item) -> bool:
        return load.used + self._price(load, item) <= self._room

    def _price(self, load: _Load, item: Item) -> int:
        return _bytes(item) + sum(self._folders[key].cost for key in self._unpaid(load, item))

    def _add(self, load: _Load, item: Item) -> None:
        load.used += _bytes(item)
        for key in self._unpaid(load, item):
            load.used += self._folders[key].cost
            load.paid.add(key)
        load.items.append(item)

    def _unpaid(self, load: _Load, item: Item) -> set[FolderKey]:
        found: set[FolderKey] = set()
        for key in item.folders:
            at: FolderKey | None = key
            while at is not None and at not in load.paid and at not in found:
                found.add(at)
                at = self._folders[at].parent
        return found


def _bytes(item: Item) -> int:
    return -(-item.length // SECTOR) * SECTOR + item.overhead
