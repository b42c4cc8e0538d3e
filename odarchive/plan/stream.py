"""The tree as one sequence with running sums: what a run of items costs on a disc, and how far a disc reaches.

A run of neighbours pays its first item's folders up to the source, and every folder that begins within it; both are in
the sums, so the cost of any run takes three look-ups and the end of a disc one bisection. What several runs on one disc
share is paid by each: an upper bound.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from odarchive.model import SECTOR
from odarchive.plan.columns import Columns, Part

_MIB = 1 << 20


class Run(NamedTuple):
    """Items from ``first`` to before ``end``: without ``head`` bytes of the first one, the last up to byte ``tail``."""

    first: int
    end: int
    head: int
    tail: int


class Stream:
    """The running sums of a tree.

    Raises:
        ValueError: parents do not come before children, or the items below a folder are not neighbours.
    """

    def __init__(self, columns: Columns) -> None:
        self.length, self.folder, self.parents = columns.length, columns.folder, columns.parent
        self.depth = array("i")
        self._overhead, self._per_mib = columns.overhead, columns.per_mib
        self._chain = array("q")
        """What a folder costs with all those above it."""
        for number, (parent, cost) in enumerate(zip(columns.parent, columns.folder_cost, strict=True)):
            if parent >= number:
                raise ValueError(f"folder {number} comes before its parent {parent}")
            self._chain.append(cost + (self._chain[parent] if parent >= 0 else 0))
            self.depth.append(self.depth[parent] + 1 if parent >= 0 else 0)
        self._extras = _Extras(columns)
        self.reach = self._sums(columns)
        """Bytes of all items before each, with the folders that begin there."""

    def _sums(self, columns: Columns) -> "array[int]":
        parents, costs = columns.parent, columns.folder_cost
        entered = bytearray(len(parents))
        reach = array("q", [0])
        total, last, per_mib = 0, -1, columns.per_mib
        for length, overhead, folder in zip(columns.length, self._extras.added(columns), columns.folder, strict=True):
            if folder != last:
                at = folder
                if entered[at]:
                    _must_be_above(parents, at, last)
                while at >= 0 and not entered[at]:
                    entered[at] = 1
                    total += costs[at]
                    at = parents[at]
                last = folder
            total += (length + SECTOR - 1) // SECTOR * SECTOR + overhead + (length + _MIB - 1) // _MIB * per_mib
            reach.append(total)
        return reach

    def whole(self, first: int, end: int) -> Run:
        """The run of whole items."""
        return Run(first, end, 0, self.length[end - 1])

    def alone(self, item: int) -> int:
        """Bytes of an item that is the first of its run."""
        beside = self._overhead[item] + self._chain[self.folder[item]] + self._extras.at(item)
        return self.data(self.length[item]) + beside

    def data(self, length: int) -> int:
        """Bytes of the sectors of ``length`` bytes, with what grows with them."""
        return -(-length // SECTOR) * SECTOR + -(-length // _MIB) * self._per_mib

    def cost(self, run: Run) -> int:
        """Bytes of a run on a disc; 0 for one without items."""
        if run.first == run.end:
            return 0
        total = self.alone(run.first) + self.reach[run.end] - self.reach[run.first + 1]
        length, last = self.length[run.first], self.length[run.end - 1]
        if run.end - run.first == 1:
            return total - self.data(length) + self.data(run.tail - run.head)
        if run.head:
            total -= self.data(length) - self.data(length - run.head)
        return total if run.tail == last else total - self.data(last) + self.data(run.tail)

    def fitting(self, run: Run, room: int) -> int:
        """Before which item the whole items end that fit into ``room`` bytes; ``run.first``: none does."""
        if self.cost(run) <= room:
            return run.end
        budget = room - self.before(run) + self.reach[run.first + 1]
        return bisect_right(self.reach, budget, run.first + 1, run.end + 1) - 1 if budget >= 0 else run.first

    def before(self, run: Run) -> int:
        """Bytes of the first item of a longer run."""
        length = self.length[run.first]
        return self.alone(run.first) - self.data(length) + self.data(length - run.head)

    def tear(self, run: Run, item: int, room: int) -> int:
        """At which byte an item of the run that does not fit whole is cut for ``room`` bytes beside those before it.

        Not above its beginning in the run: nothing of it fits.
        """
        data = self.data(self.length[item])
        if item == run.first:
            return run.head + self._length(room - self.alone(item) + data)
        return self._length(room - self.reach[item + 1] + self.reach[item] + data)

    def _length(self, room: int) -> int:
        """How many bytes, in whole sectors, `data` puts into ``room`` bytes; 0 or less: none."""
        length = room * _MIB // (_MIB + self._per_mib) // SECTOR * SECTOR
        while length > 0 and self.data(length) > room:
            length -= SECTOR
        return length

    def parts(self, run: Run) -> Iterator[Part]:
        """The items of a run, and which bytes of them."""
        for item in range(run.first, run.end):
            start = run.head if item == run.first else 0
            stop = run.tail if item == run.end - 1 else self.length[item]
            yield Part(item, start, stop - start)


def _must_be_above(parents: "array[int]", folder: int, last: int) -> None:
    while last >= 0:
        if last == folder:
            return
        last = parents[last]
    raise ValueError(f"the items of folder {folder} are not neighbours")


class _Extras:
    """What names in further folders cost: the folders that the last such item before had not paid already."""

    def __init__(self, columns: Columns) -> None:
        self._items, self._folders = columns.extra_item, columns.extra_folder
        self._parents, self._costs = columns.parent, columns.folder_cost

    def at(self, item: int) -> int:
        """Bytes of the further folders of the last item up to here that has any."""
        end = bisect_right(self._items, item)
        if not end:
            return 0
        begin = end
        while begin and self._items[begin - 1] == self._items[end - 1]:
            begin -= 1
        return sum(self._costs[folder] for folder in self._above(self._folders[begin:end]))

    def added(self, columns: Columns) -> "array[int]":
        """The overheads of all items, with the further folders that begin there."""
        if not self._items:
            return columns.overhead
        found = array("q", columns.overhead)
        paid: set[int] = set()
        last: array[int] | None = None
        begin = 0
        while begin < len(self._items):
            end, item = begin, self._items[begin]
            while end < len(self._items) and self._items[end] == item:
                end += 1
            folders = self._folders[begin:end]
            if folders != last:
                above = self._above(folders)
                found[item] += sum(self._costs[folder] for folder in above - paid)
                paid, last = above, folders
            begin = end
        return found

    def _above(self, folders: "array[int]") -> set[int]:
        found: set[int] = set()
        for folder in folders:
            at = folder
            while at >= 0 and at not in found:
                found.add(at)
                at = self._parents[at]
        return found
