"""The catalogue's tree as columns for the planner, and back from its numbers to contents and entries.

An item is a range of a content with all its names. Entries without content (directories, symlinks, empty files) ride
with the first file of their folder; where there is none, or where they are many, they are items of no bytes.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from stat import S_ISDIR, S_ISREG

from odarchive.catalogue.unplanned import BareEntry, FileName, Unplanned
from odarchive.image import costs
from odarchive.image.costs import PathCost
from odarchive.model import ROOT_INO
from odarchive.plan import Columns, Part
from odarchive.planning.order import Order

_DENSE = 10
_TOGETHER = 500
"""So many entries without content ride with one item."""


class Directories:
    """The current directories in tree order, siblings by name; what hangs on no root (being replaced) is not there."""

    def __init__(self, rows: Iterable[tuple[int, int, bytes]], order: Order) -> None:
        children: dict[int, list[tuple[bytes, int]]] = {}
        for ino, parent, name in rows:
            if ino != ROOT_INO:
                children.setdefault(parent, []).append((name, ino))
        self.rank: dict[int, int] = {}
        """Place in the order by inode; the root is not in it."""
        self.parent = array("i")
        """Place of each parent; -1: the root."""
        self.paths: list[PathCost] = []
        self.cost = array("q")
        self.class_ = array("i")
        """How important each is (`Order`)."""
        self.full: list[bytes] = []
        """Whole paths, if there is an order."""
        stack = [(int(ROOT_INO), b"", -1)]
        while stack:
            ino, name, parent = stack.pop()
            if ino != ROOT_INO:
                above = self.paths[parent] if parent >= 0 else costs.ROOT
                self.rank[ino] = len(self.parent)
                self.parent.append(parent)
                self.cost.append(costs.directory_cost(above, name))
                self.paths.append(above.join(name))
                self._classify(order, parent, name)
            place = self.rank.get(ino, -1)
            below = sorted(children.pop(ino, ()), reverse=True)
            stack.extend((inner, inner_name, place) for inner_name, inner in below)

    def _classify(self, order: Order, parent: int, name: bytes) -> None:
        if not order.patterns:
            self.class_.append(0)
            return
        self.full.append(self.full[parent] + b"/" + name if parent >= 0 else name)
        self.class_.append(order.of(self.full[-1], self.class_[parent] if parent >= 0 else order.last))


class _Files:
    """Names of contents as they come from the catalogue, by directory: numbers only, the names are gone."""

    def __init__(self, directories: Directories, names: Iterable[FileName], order: Order) -> None:
        self.ino, self.content, self.size = array("q"), array("q"), array("q")
        self.cost = array("I")
        """Upper bound of what the name takes on a disc."""
        self.class_ = array("b")
        """How important each is, if there is an order."""
        self.groups: dict[int, tuple[int, int]] = {}
        """First row and the one after the last by place of the directory."""
        last, place, begin = -1, -1, 0
        for parent, name, ino, content, size in names:
            if parent != last:
                self._close(place, begin)
                last, begin = parent, len(self.ino)
                place = directories.rank.get(parent, -1)
                path = directories.paths[place] if place >= 0 else costs.ROOT
            if place >= 0:
                self.ino.append(ino)
                self.content.append(content)
                self.size.append(size)
                self.cost.append(costs.name_cost(path, name))
                if order.patterns:
                    self.class_.append(order.of(directories.full[place] + b"/" + name, directories.class_[place]))
        self._close(place, begin)

    def _close(self, place: int, begin: int) -> None:
        if begin < len(self.ino):
            self.groups[place] = begin, len(self.ino)


class Tree:
    """What is to be planned, in tree order."""

    def __init__(self, unplanned: Unplanned, per_content: int = 0, patterns: Sequence[str] = ()) -> None:
        """``per_content``: bytes each content costs beside what is always paid; ``patterns``: what comes first."""
        self._per_content = per_content
        self.order = Order(patterns)
        self._directories = Directories(unplanned.directories(), self.order)
        self.columns = Columns(per_mib=costs.PER_MIB)
        self.content = array("q")
        """Of each item; 0: it has only entries without content."""
        self._start: dict[int, int] = {}
        """Where in its content an item begins, of those that do not begin with it."""
        self.names = array("i")
        """Names of files each item has, empty files included."""
        self.carried: dict[int, list[BareEntry]] = {}
        """Entries without content by the item they ride with."""
        self.new_bytes = 0
        self.ends: list[int] = []
        """Before which item each class of importance ends."""
        self._folders: dict[int, int] = {}
        self._ino = array("q")
        self._item = _nowhere(unplanned)
        """First item of each content; -1: it has none yet."""
        self._several: list[tuple[int, int]] = []
        placed = unplanned.placed()
        files = _Files(self._directories, unplanned.names(), self.order)
        bare = self._grouped(unplanned.bare())
        unplanned.let_go()  # everything has been read, and the columns grow once more
        places = sorted({*files.groups, *bare})
        for class_ in range(len(patterns) + 1):
            self._folders.clear()  # what is in the same folder and less important is another part of the tree
            for place in places:
                mine = self._directories.class_[place] == class_
                first = self._fill(place, files, class_, placed)
                self._bare(place, first, bare.get(place, []) if mine else [])
            self.ends.append(len(self.content))
        self._join()
        del self._ino, self._item

    def begin(self, part: Part) -> int:
        """Where in its content a part begins."""
        return self._start.get(part.item, 0) + part.start

    def carried_by(self, parts: Iterable[Part]) -> list[BareEntry]:
        """The entries without content that ride with these parts; those of a torn item with its first one."""
        return [entry for part in parts if not part.start for entry in self.carried.get(part.item, ())]

    def _grouped(self, entries: Iterable[BareEntry]) -> dict[int, list[BareEntry]]:
        """By place of the directory; a directory's own entry is in itself."""
        rank = self._directories.rank
        found: dict[int, list[BareEntry]] = {}
        for entry in entries:
            place = rank.get(entry.ino if S_ISDIR(entry.mode) else entry.parent)
            if place is not None:
                found.setdefault(place, []).append(entry)
        return found

    def _fill(self, place: int, files: _Files, class_: int, placed: dict[int, list[tuple[int, int]]]) -> int:
        """Items for the files of a folder; gives the number of the first, or of the next item if there are none."""
        first, folder = len(self.content), -1
        begin, end = files.groups.get(place, (0, 0))
        for row in range(begin, end):
            if self.order.patterns and files.class_[row] != class_:
                continue
            content = files.content[row]
            folder = self._folder(place) if folder < 0 else folder
            if self._item[content] >= 0:
                self._again(content, files.ino[row], files.cost[row], folder)
                continue
            self._item[content] = len(self.content)
            for start, length in gaps(files.size[row], placed.get(content, ())):
                self._add(content, start, length, files.cost[row], folder)
                self._ino[-1] = files.ino[row]
        return first

    def _bare(self, place: int, first: int, bare: list[BareEntry]) -> None:
        """Entries without content, with the first file of the folder if there is one."""
        item = first if first < len(self.content) else -1
        path = self._directories.paths[place]
        for at in range(0, len(bare), _TOGETHER):
            some = bare[at : at + _TOGETHER] if len(bare) > _TOGETHER else bare
            if item < 0 or at:
                item = len(self.content)
                self._add(0, 0, 0, 0, self._folder(place))
            self.carried[item] = some
            self.names[item] += sum(S_ISREG(entry.mode) for entry in some)
            self.columns.overhead[item] += sum(_bare_cost(path, entry) for entry in some)

    def _add(self, content: int, start: int, length: int, cost: int, folder: int) -> None:
        self.content.append(content)
        if start:
            self._start[len(self.content) - 1] = start
        self.names.append(1 if content else 0)
        self._ino.append(0)
        own = cost + costs.content_cost() + self._per_content if content else 0
        self.columns.add(length, own, (folder,))
        self.new_bytes += length

    def _again(self, content: int, ino: int, cost: int, folder: int) -> None:
        """A further name of a content."""
        item = self._item[content]
        while item < len(self.content) and self.content[item] == content:
            self.names[item] += 1
            self.columns.overhead[item] += cost + (costs.inode_cost() if ino != self._ino[item] else 0)
            if folder != self.columns.folder[item]:
                self._several.append((item, folder))
            item += 1

    def _join(self) -> None:
        self._several.sort()
        for item, folder in self._several:
            self.columns.extra_item.append(item)
            self.columns.extra_folder.append(folder)

    def _folder(self, place: int) -> int:
        """The planner's number of a directory; it gets one when something is put into it."""
        chain = []
        while place >= 0 and place not in self._folders:
            chain.append(place)
            place = self._directories.parent[place]
        number = self._folders[place] if place >= 0 else -1
        for below in reversed(chain):
            number = self._folders[below] = self.columns.add_folder(number, self._directories.cost[below])
        return number


def _nowhere(unplanned: Unplanned) -> "array[int] | defaultdict[int, int]":
    """-1 for every number of a content: an array, unless the numbers are far apart (a rebuilt catalogue's may be)."""
    if unplanned.highest > _DENSE * unplanned.contents + 1_000_000:
        return defaultdict(lambda: -1)
    found = array("i", [-1])
    found *= unplanned.highest + 1
    return found


def gaps(size: int, placed: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(start, length) of what no piece holds; ``placed`` in order of start."""
    at = 0
    for start, length in [*placed, (size, 0)]:
        if start > at:
            yield at, start - at
        at = max(at, start + length)


def _bare_cost(path: PathCost, entry: BareEntry) -> int:
    if S_ISDIR(entry.mode):
        return 0
    if entry.target is not None:
        return costs.link_cost(path, entry.name, entry.target)
    return costs.name_cost(path, entry.name) + costs.content_cost()
