"""What is to be planned, as columns of numbers: a million files are a few arrays, not a million objects."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


def _numbers() -> "array[int]":
    return array("q")


def _places() -> "array[int]":
    return array("i")


class Part(NamedTuple):
    """``length`` bytes from ``start`` on of the item of this number."""

    item: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A disc: an image of ``usable`` bytes, of which ``fixed`` are gone before the first item.

    ``reserve`` more stay free, for what is put behind the image (error correction).
    """

    usable: int
    fixed: int
    reserve: int = 0

    @property
    def room(self) -> int:
        """Bytes for items."""
        return self.usable - self.fixed - self.reserve


@dataclass(slots=True)
class Columns:
    """Folders, parents before children, and items in tree order: all items below a folder are neighbours.

    An item has a length (0 is allowed) and an overhead, both in bytes, and the folder it belongs to. An item with names
    in other folders, too, has a line in ``extra_item`` (ascending) and ``extra_folder`` for each of them.
    """

    parent: "array[int]" = field(default_factory=_places)
    """Of each folder; -1: it has none (a source)."""
    folder_cost: "array[int]" = field(default_factory=_numbers)
    """Bytes of a folder, paid once per disc that holds something below it."""
    length: "array[int]" = field(default_factory=_numbers)
    overhead: "array[int]" = field(default_factory=_numbers)
    folder: "array[int]" = field(default_factory=_places)
    extra_item: "array[int]" = field(default_factory=_places)
    extra_folder: "array[int]" = field(default_factory=_places)
    per_mib: int = 0
    """Bytes that each begun MiB of a part takes beside itself."""

    def add_folder(self, parent: int, cost: int) -> int:
        """A further folder; gives its number."""
        self.parent.append(parent)
        self.folder_cost.append(cost)
        return len(self.parent) - 1

    def add(self, length: int, overhead: int, folders: Sequence[int]) -> int:
        """A further item with names in these folders, its own first; gives its number."""
        number = len(self.length)
        self.length.append(length)
        self.overhead.append(overhead)
        self.folder.append(folders[0])
        for other in folders[1:]:
            self.extra_item.append(number)
            self.extra_folder.append(other)
        return number

    def only(self, parts: Sequence[Part]) -> "Columns":
        """The same tree with these parts as its items, in the order given."""
        found = Columns(self.parent, self.folder_cost, per_mib=self.per_mib)
        extras = self.extras_of()
        for part in parts:
            folders = (self.folder[part.item], *extras.get(part.item, ()))
            found.add(part.length, self.overhead[part.item], folders)
        return found

    def extras_of(self) -> dict[int, tuple[int, ...]]:
        """The further folders of the items that have any."""
        found: dict[int, tuple[int, ...]] = {}
        for item, folder in zip(self.extra_item, self.extra_folder, strict=True):
            found[item] = (*found.get(item, ()), folder)
        return found
