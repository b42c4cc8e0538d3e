"""Names and pieces of one disc in columns: a million of them take some hundred megabytes less than as objects.

Read one and it is an object again. Not for changing: they are filled once.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import le
from typing import overload

from odarchive.catalogue.plans import Name, Piece
from odarchive.errors import OdarchiveError
from odarchive.model import ContentId, Ino

_DIGEST = 32
"""Bytes of a BLAKE3."""


class Names:
    """Names of files that have content, numbered from 0 in the order given."""

    def __init__(self, names: Iterable[Name], planned_ns: int | None = None) -> None:
        """``planned_ns``: of each content only names scanned until then count, or its first if all are younger."""
        self.parent, self.ino, self.size, self.mtime_ns, self.content = (array("q") for _ in range(5))
        self._manner = array("I")
        self._manners: list[tuple[int, int, int]] = []
        self._ends = array("Q", [0])
        self._text = bytearray()
        scanned = array("q")
        known: dict[tuple[int, int, int], int] = {}
        for name in names:
            if name.content is None:
                continue
            manner = name.mode, name.uid, name.gid
            self._manner.append(known.setdefault(manner, len(known)))
            self._text += name.name
            self._ends.append(len(self._text))
            self.parent.append(name.parent)
            self.ino.append(name.ino)
            self.size.append(name.size)
            self.mtime_ns.append(name.mtime_ns)
            self.content.append(name.content)
            scanned.append(name.scanned_ns)
        self._manners.extend(known)
        numbers: Iterable[int] = range(len(self.content))
        if not all(map(le, self.content, islice(self.content, 1, None))):
            numbers = sorted(numbers, key=self.content.__getitem__)
        self._by_content = array("I", numbers)
        self._by_content = array("I", self._that_count(scanned, planned_ns))

    def _that_count(self, scanned: Sequence[int], planned_ns: int | None) -> Iterator[int]:
        """Those of each content by folder and name."""
        at = 0
        while at < len(self._by_content):
            found = self._of(at)
            at += len(found)
            if len(found) > 1:
                found = sorted(found, key=lambda number: (self.parent[number], self.name(number)))
                if planned_ns is not None:
                    found = [number for number in found if scanned[number] <= planned_ns] or found[:1]
            yield from found

    def name(self, number: int) -> bytes:
        """What it is called in its folder."""
        return bytes(self._text[self._ends[number] : self._ends[number + 1]])

    def manner(self, number: int) -> tuple[int, int, int]:
        """Mode, owner and group."""
        return self._manners[self._manner[number]]

    def numbers(self) -> Sequence[int]:
        """All that count, by content."""
        return self._by_content

    def begin(self, content: ContentId) -> int:
        """Where in `numbers` those of a content begin, if it has any."""
        return bisect_left(self._by_content, int(content), key=lambda number: self.content[number])

    def of(self, content: ContentId) -> Sequence[int]:
        """The numbers of a content's names."""
        return self._of(at) if self._is(at := self.begin(content), content) else ()

    def from_place(self, at: int, content: ContentId) -> Sequence[int]:
        """The same, when it is known where they begin."""
        return self._of(at) if self._is(at, content) else ()

    def _is(self, at: int, content: ContentId) -> bool:
        return at < len(self._by_content) and self.content[self._by_content[at]] == content

    def _of(self, at: int) -> Sequence[int]:
        order, contents = self._by_content, self.content
        content, end = contents[order[at]], at + 1
        while end < len(order) and contents[order[end]] == content:
            end += 1
        return order[at:end]

    def by_parent(self) -> dict[Ino, Sequence[int]]:
        """All that count, by folder."""
        found: dict[Ino, array[int]] = {}
        for number in self._by_content:
            parent = Ino(self.parent[number])
            if (numbers := found.get(parent)) is None:
                numbers = found[parent] = array("I")
            numbers.append(number)
        return dict(found)


class Pieces(Sequence[Piece]):
    """Pieces by content and start."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.content, self.length = array("q"), array("q")
        self._parts: dict[int, tuple[int, int]] = {}
        """Start and size of content of what is not a whole one: few on a disc."""
        self._digests = bytearray()
        for piece in pieces:
            if (piece.start, piece.length) != (0, piece.size):
                self._parts[len(self.content)] = piece.start, piece.size
            self.content.append(piece.content)
            self.length.append(piece.length)
            self._digests += piece.digest
        if len(self._digests) != _DIGEST * len(self.content):
            raise OdarchiveError("the catalogue has a digest that is not 32 bytes; `odarchive check` tells which")

    def __len__(self) -> int:
        return len(self.content)

    def extents(self) -> Iterator[tuple[ContentId, int, int]]:
        """Content, start and length of each."""
        return zip(map(ContentId, self.content), map(self.start, range(len(self))), self.length, strict=True)

    @overload
    def __getitem__(self, number: int) -> Piece: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Piece]: ...
    def __getitem__(self, number: int | slice) -> Piece | Sequence[Piece]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        content = ContentId(self.content[number])
        start, size = self.start(number), self.size(number)
        return Piece(content, start, self.length[number], self.digest(number), size)

    def start(self, number: int) -> int:
        """Where in its content it begins."""
        return self._parts[number][0] if number in self._parts else 0

    def size(self, number: int) -> int:
        """Bytes of the content."""
        return self._parts[number][1] if number in self._parts else self.length[number]

    def digest(self, number: int) -> bytes:
        """BLAKE3 of the content."""
        return bytes(self._digests[number * _DIGEST : (number + 1) * _DIGEST])

    def is_whole(self, number: int) -> bool:
        """Whether it is all of its content."""
        return number not in self._parts

    def contents(self) -> Iterator[ContentId]:
        """Each content once, in order."""
        last = None
        for content in self.content:
            if content != last:
                yield ContentId(content)
            last = content

    def of(self, first: int) -> range:
        """The pieces of the content whose first one is given."""
        end, content = first + 1, self.content[first]
        while end < len(self) and self.content[end] == content:
            end += 1
        return range(first, end)
