"""ISO 9660 directories with Rock Ridge: how long each is, and its bytes. Pure.

Not for the order of entries (`shape`) nor for places (`layout`). A planned length and the written bytes come from the
same rules; `emit` stops if they ever differ.

Identifiers are positions, D0000000 and F0000000.;1, which sort as ECMA-119 9.3 wants; the names are in Rock Ridge.
Directories are as deep as the tree: no reader of today needs relocation, several break on it.
Facts: ECMA-119 9.1 (a record never crosses a sector), 6.5.1 and 9.1.6 (multi-extent; sections of whole sectors).
"""

import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from odarchive.image.bridge import rock_ridge as rr
from odarchive.image.bridge.iso_volume import both32
from odarchive.image.bridge.sectors import SECTOR
from odarchive.image.bridge.shape import Shape
from odarchive.image.bridge.stamps import iso_stamp
from odarchive.image.bridge.tree import FILE, ROOT, SYMLINK

S = TypeVar("S")

MAX_SECTION = 0xFFFFF800
ROOT_RECORD_BYTES = 34
_LIMIT = 254  # longest record of even length
_DIRECTORY_BASE = 33 + 9 + rr.ATTRIBUTE_BYTES  # fixed part, D0000000 and its pad byte, PX, TF
_FILE_BASE = 33 + 11 + rr.ATTRIBUTE_BYTES  # F0000000.;1 needs no pad byte
_INLINE_NAME = _LIMIT - _FILE_BASE - 5
_DOT_BYTES = 34 + rr.ATTRIBUTE_BYTES
_ROOT_DOT_BYTES = _DOT_BYTES + len(rr.SP) + rr.CE_BYTES + 1
# flags, unit size, gap, volume sequence number 1, identifier length
_FILE_TAIL, _DIRECTORY_TAIL, _DOT_TAIL = b"\0\0\0\1\0\0\1\x0b", b"\2\0\0\1\0\0\1\x08", b"\2\0\0\1\0\0\1\1"
_MULTI_TAIL = b"\x80" + _FILE_TAIL[1:]
_TYPES = (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK)  # by kind of node
# of a file's record by the length of its name: the record's length, the head of NM, the pad byte
_FRAMES = [
    (bytes(((_FILE_BASE + 6 + n) & ~1, 0)), b"NM" + bytes((5 + n, 1, 0)), b"\0" * ((5 + n) & 1))
    for n in range(_INLINE_NAME + 1)
]
_px_head = lru_cache(maxsize=4096)(rr.px_head)


class IsoExtents(NamedTuple):
    """Per node: first sector of a file's data or of a directory, and a directory's length in sectors."""

    first: Sequence[int]
    directory_sectors: Sequence[int]


class IsoDirectories(Generic[S]):
    """Measures and builds the directories of one tree; ``names`` holds stored names where they differ, by entry."""

    def __init__(self, shape: Shape[S], names: Mapping[int, bytes]) -> None:
        self._shape, self._tree, self._names = shape, shape.tree, names

    def measure(self, directory: int) -> tuple[int, int]:
        """Sectors of the records, and of the continuation area behind them."""
        tree = self._tree
        kind, sizes, nodes, names = tree.kind, tree.size, tree.entry_node, tree.entry_name
        area = self._area(directory, 0)
        sectors, used = 1, _DOT_BYTES + (_DOT_BYTES if directory != ROOT else _ROOT_DOT_BYTES)
        for entry in self._shape.entries(directory):
            node, name = nodes[entry], names[entry]
            lengths: tuple[int, ...]
            if kind[node] != SYMLINK and len(name) <= _INLINE_NAME and sizes[node] <= MAX_SECTION:
                lengths = ((_FILE_BASE if kind[node] else _DIRECTORY_BASE) + 6 + len(name) & ~1,)
            else:
                lengths = self._rare_lengths(entry, area)
            for length in lengths:
                used += length
                if used > SECTOR:
                    sectors, used = sectors + 1, length
        return sectors, area.sectors

    def build(self, directory: int, extents: IsoExtents) -> Iterator[bytes]:
        """The directory's records, its padding to the sector and its continuation area."""
        area = self._area(directory, extents.first[directory] + extents.directory_sectors[directory])
        used = 0
        for record in self._records(directory, extents, area):
            length = len(record)
            if used + length > SECTOR:
                yield bytes(SECTOR - used)
                used = 0
            used += length
            yield record
        yield bytes(SECTOR - used)
        yield area.data()

    def root_record(self, extents: IsoExtents) -> bytes:
        """The record of the root directory for the primary volume descriptor: without Rock Ridge."""
        return self._head(ROOT, extents, ROOT_RECORD_BYTES) + _DOT_TAIL + b"\0"

    def _records(self, directory: int, extents: IsoExtents, area: rr.ContinuationArea) -> Iterator[bytes]:
        tree = self._tree
        kind, nodes = tree.kind, tree.entry_node
        yield from self._dots(directory, extents)
        entries, subdirectories = self._shape.entries(directory), self._shape.subdirectory_count[directory]
        for position, entry in enumerate(entries[:subdirectories]):
            yield self._subdirectory(entry, b"D%07d\0" % position, extents, area)
        seconds, sizes, names, modes, owners, groups = (
            tree.seconds,
            tree.size,
            tree.entry_name,
            tree.mode,
            tree.uid,
            tree.gid,
        )
        first, links, numbers = extents.first, tree.links, self._shape.number
        for position, entry in enumerate(entries[subdirectories:]):
            node, name = nodes[entry], names[entry]
            size, length = sizes[node], len(name)
            if kind[node] != FILE or length > _INLINE_NAME or size > MAX_SECTION:
                yield from self._rare(entry, b"F%07d.;1" % position, extents, area)
                continue
            stamp = iso_stamp(seconds[node])
            attributes = _px_head(modes[node] | stat.S_IFREG, links[node], owners[node], groups[node])
            start, identifier = both32(first[node]), b"F%07d.;1" % position
            head, name_head, pad = _FRAMES[length]
            yield b"".join(
                (head, start, both32(size), stamp, _FILE_TAIL, identifier,
                 attributes, both32(numbers[node] + 1), rr.TF_HEAD, stamp, name_head, name, pad)
            )  # fmt: skip

    def _rare(self, entry: int, identifier: bytes, extents: IsoExtents, area: rr.ContinuationArea) -> Iterator[bytes]:
        tree = self._tree
        node = tree.entry_node[entry]
        stamp = iso_stamp(tree.seconds[node])
        susp = b"".join((self._attributes(node, tree.links[node]), rr.TF_HEAD, stamp, self._name(entry, area)))
        if len(susp) & 1:
            susp += b"\0"
        size, first = tree.size[node], extents.first[node]
        length = bytes((33 + len(identifier) + len(susp), 0))
        while size > MAX_SECTION:
            yield b"".join((length, both32(first), both32(MAX_SECTION), stamp, _MULTI_TAIL, identifier, susp))
            first, size = first + MAX_SECTION // SECTOR, size - MAX_SECTION
        yield b"".join((length, both32(first), both32(size), stamp, _FILE_TAIL, identifier, susp))

    def _subdirectory(self, entry: int, identifier: bytes, extents: IsoExtents, area: rr.ContinuationArea) -> bytes:
        node = self._tree.entry_node[entry]
        susp = self._directory_attributes(node) + self._name(entry, area)
        length = 33 + len(identifier) + len(susp)
        even = length + (length & 1)
        return self._head(node, extents, even) + _DIRECTORY_TAIL + identifier + susp + bytes(even - length)

    def _dots(self, directory: int, extents: IsoExtents) -> Iterator[bytes]:
        parent = self._tree.entry_parent[self._shape.home[directory]] if directory != ROOT else ROOT
        susp = self._directory_attributes(directory)
        if directory == ROOT:
            area = rr.ContinuationArea(extents.first[ROOT] + extents.directory_sectors[ROOT])
            susp = rr.SP + susp + area.add([rr.extension_reference()]) + b"\0"
        yield self._head(directory, extents, ROOT_RECORD_BYTES + len(susp)) + _DOT_TAIL + b"\0" + susp
        yield self._head(parent, extents, _DOT_BYTES) + _DOT_TAIL + b"\1" + self._directory_attributes(parent)

    def _head(self, directory: int, extents: IsoExtents, length: int) -> bytes:
        size = extents.directory_sectors[directory] * SECTOR
        return bytes((length, 0)) + both32(extents.first[directory]) + both32(size) + self._stamp(directory)

    def _stamp(self, node: int) -> bytes:
        return iso_stamp(self._tree.seconds[node])

    def _attributes(self, node: int, links: int) -> bytes:
        tree = self._tree
        mode = tree.mode[node] | _TYPES[tree.kind[node]]
        return _px_head(mode, links, tree.uid[node], tree.gid[node]) + both32(self._shape.number[node] + 1)

    def _directory_attributes(self, node: int) -> bytes:
        links = 2 + self._shape.subdirectory_count[node]
        return self._attributes(node, links) + rr.TF_HEAD + self._stamp(node)

    def _area(self, directory: int, first: int) -> rr.ContinuationArea:
        area = rr.ContinuationArea(first)
        if directory == ROOT:
            area.add([rr.extension_reference()])
        return area

    def _name(self, entry: int, area: rr.ContinuationArea) -> bytes:
        """NM and SL fields, or the CE field that leads to them."""
        tree = self._tree
        name = tree.entry_name[entry]
        node = tree.entry_node[entry]
        if tree.kind[node] != SYMLINK and len(name) <= _INLINE_NAME:
            return b"NM" + bytes((5 + len(name), 1, 0)) + name
        fields = rr.name_fields(self._names.get(entry, name))
        if tree.kind[node] == SYMLINK:
            fields += rr.target_fields(tree.target[node])
        inline = b"".join(fields)
        return inline if len(inline) <= _LIMIT - _FILE_BASE else area.add(fields)

    def _rare_lengths(self, entry: int, area: rr.ContinuationArea) -> tuple[int, ...]:
        """Lengths of the records of an entry with a long name, a target or many sections."""
        node = self._tree.entry_node[entry]
        base = _FILE_BASE if self._tree.kind[node] else _DIRECTORY_BASE
        length = base + len(self._name(entry, area)) + 1 & ~1
        return (length,) * max(1, -(-self._tree.size[node] // MAX_SECTION))
