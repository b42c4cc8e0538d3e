"""The orders in which a tree is visited: children by name, directories down the tree and level by level. Pure.

Not for sector numbers. The order in which nodes were added leaves no trace here (late files excepted, see `layout`), so
that the same tree gives the same image.
"""

from __future__ import annotations  # array[int] is for type checkers only

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

from odarchive.image.bridge.errors import LayoutError
from odarchive.image.bridge.tree import DIRECTORY, ROOT, EntryId, NodeId, Tree

S = TypeVar("S")


class Shape(Generic[S]):
    """Sorted entries.

    Attributes:
        tree: The columns these numbers point into.
        order: Entries by directory; in a directory first the subdirectories, then the rest, each by the bytes of the
            name.
        walk: Directories, each before its subdirectories, subtrees contiguous.
        levels: Directories level by level, as path tables want them.
        home: Per node the entry that stands for it: the first one met on the walk.
        subdirectory_count: Per node; 0 for all but directories.
        number: Per node its place on the walk, the root's is 0: what inode numbers on the disc are made from.

    Raises:
        LayoutError: Two entries of a directory have one name.
    """

    def __init__(self, tree: Tree[S]) -> None:
        self.tree = tree
        self.order = _sorted_entries(tree)
        self._begin = _spans(tree)
        self._refuse_duplicates()
        self.subdirectory_count = _subdirectory_counts(tree)
        self.walk = self._walk()
        self.levels = self._levels()
        self.home, self.number = self._homes()

    def entries(self, directory: int) -> array[int]:
        """The entries of a directory, in order."""
        return self.order[self._begin[directory] : self._begin[directory + 1]]

    def subdirectories(self, directory: int) -> list[int]:
        """The nodes of a directory's subdirectories, in order."""
        begin, nodes = self._begin[directory], self.tree.entry_node
        return [nodes[e] for e in self.order[begin : begin + self.subdirectory_count[directory]]]

    def homes(self) -> Iterator[int]:
        """Every node but the root, once, on the walk, in the order of its directory's entries."""
        nodes, home = self.tree.entry_node, self.home
        for directory in self.walk:
            for entry in self.entries(directory):
                if home[nodes[entry]] == entry:
                    yield nodes[entry]

    def path(self, entry: EntryId) -> bytes:
        """An entry's archive path, relative to the root."""
        parts = [self.tree.entry_name[entry]]
        parent = self.tree.entry_parent[entry]
        while parent != ROOT:
            parts.append(self.tree.entry_name[self.home[parent]])
            parent = self.tree.entry_parent[self.home[parent]]
        return b"/".join(reversed(parts))

    def node_path(self, node: NodeId) -> bytes:
        """A node's path under its home entry; the root is empty."""
        return self.path(EntryId(self.home[node])) if node != ROOT else b""

    def _refuse_duplicates(self) -> None:
        # Sorted by kind first, so a directory and a file of one name are not neighbours.
        tree, names = self.tree, self.tree.entry_name
        for node in range(len(tree.kind)):
            if self._begin[node + 1] - self._begin[node] < 2:
                continue
            entries = self.entries(node)
            if len({names[e] for e in entries}) < len(entries):
                twice = next(name for name, count in Counter(names[e] for e in entries).items() if count > 1)
                raise LayoutError(f"{twice!r} stands twice in one directory; give every name once")

    def _walk(self) -> array[int]:
        walk, stack = array("I"), [int(ROOT)]
        while stack:
            directory = stack.pop()
            walk.append(directory)
            stack.extend(reversed(self.subdirectories(directory)))
        return walk

    def _levels(self) -> array[int]:
        levels = array("I", [ROOT])
        at = 0
        while at < len(levels):
            levels.extend(self.subdirectories(levels[at]))
            at += 1
        return levels

    def _homes(self) -> tuple[array[int], array[int]]:
        """Home and number of every node."""
        unset = 0xFFFFFFFF
        home, number = (array("I", [start]) * len(self.tree.kind) for start in (unset, 0))
        nodes = self.tree.entry_node
        place = 0
        for directory in self.walk:
            for entry in self.entries(directory):
                node = nodes[entry]
                if home[node] == unset:
                    place += 1
                    home[node], number[node] = entry, place
        return home, number


def _sorted_entries(tree: Tree[S]) -> array[int]:
    entries = sorted(range(len(tree.entry_name)), key=tree.entry_name.__getitem__)
    kind, nodes, parents = tree.kind, tree.entry_node, tree.entry_parent
    entries.sort(key=lambda e: parents[e] * 2 + (kind[nodes[e]] != DIRECTORY))
    return array("I", entries)


def _subdirectory_counts(tree: Tree[S]) -> array[int]:
    counts = array("I", [0]) * len(tree.kind)
    for parent, node in zip(tree.entry_parent, tree.entry_node, strict=True):
        if tree.kind[node] == DIRECTORY:
            counts[parent] += 1
    return counts


def _spans(tree: Tree[S]) -> array[int]:
    begin = array("I", [0]) * (len(tree.kind) + 1)
    for parent in tree.entry_parent:
        begin[parent + 1] += 1
    for node in range(len(tree.kind)):
        begin[node + 1] += begin[node]
    return begin
