"""The folders of one disc and what is in each: what placing the files goes through, a folder at a time.

Not for places on the disc (``placing``). A disc has few folders beside its files, so folders are objects.
"""

from array import array
from collections.abc import Callable, Collection, Iterator
from stat import S_ISDIR, S_ISLNK
from typing import TypeVar

from odarchive.catalogue.plans import Name
from odarchive.imaging.selection import Selection
from odarchive.model import ROOT_INO, ContentId, Ino

T = TypeVar("T")


class Folders:
    """What a disc carries, by folder.

    Attributes:
        inner: The folders and symlinks in each folder; folders that lead to something are among them.
        empty: The empty files in each.
        files: The numbers of names of contents in each.
        first: The first piece of each name that is here, by its number.
        begin: Of each piece, where in `Names.numbers` its names begin.
    """

    def __init__(self, selection: Selection, gone: Collection[ContentId]) -> None:
        self._selection = selection
        names, pieces = selection.names, selection.pieces
        self.first = array("i", [-1]) * len(names.content)
        self.begin = array("I")
        last, at = -1, 0
        for piece, content in enumerate(pieces.content):
            if content != last:
                at = names.begin(ContentId(content))
                for number in () if content in gone else names.from_place(at, ContentId(content)):
                    self.first[number] = piece
            last = content
            self.begin.append(at)
        self.files = {
            parent: array("I", (number for number in numbers if self.first[number] >= 0))
            for parent, numbers in names.by_parent().items()
        }
        self.empty: dict[Ino, list[Name]] = {}
        self.inner: dict[Ino, list[Name]] = {}
        self._fill()

    def _fill(self) -> None:
        known, wanted = self._selection.directories, set()
        for name in self._selection.carried:
            if S_ISDIR(name.mode):
                wanted.add(name.ino)
                continue
            (self.inner if S_ISLNK(name.mode) else self.empty).setdefault(name.parent, []).append(name)
            wanted.add(name.parent)
        wanted |= {parent for parent, numbers in self.files.items() if numbers}
        waiting = [ino for ino in wanted if ino in self._selection.paths]
        found: set[Ino] = set()
        while waiting:
            ino = waiting.pop()
            if ino not in found and ino != ROOT_INO:
                found.add(ino)
                self.inner.setdefault(known[ino].parent, []).append(known[ino])
                waiting.append(known[ino].parent)


def walk(start: T, content: Callable[[T], Iterator[T]]) -> Iterator[T]:
    """Everything below ``start``, each thing before what it contains, in the order that ``content`` gives."""
    stack = [content(start)]
    while stack:
        one = next(stack[-1], None)
        if one is None:
            stack.pop()
        else:
            yield one
            stack.append(content(one))
