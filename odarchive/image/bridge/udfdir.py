"""UDF directories: how long each is, and its blocks with those of the files at home in it. Pure.

Not for the descriptors' fields (`udf_nodes`) nor for places (`layout`). A directory is its file entry, the blocks of
its identifiers, then the file entries of its files, so that listing it with attributes reads forward only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from odarchive.image.bridge import udf_nodes as udf
from odarchive.image.bridge.names import udf_identifier
from odarchive.image.bridge.sectors import PARTITION, SECTOR
from odarchive.image.bridge.shape import Shape
from odarchive.image.bridge.stamps import udf_stamp
from odarchive.image.bridge.tree import FILE, ROOT

S = TypeVar("S")


class UdfPlaces(NamedTuple):
    """Per node: block of the file entry, first sector of the data (of files), bytes of identifiers (of directories)."""

    entry_block: Sequence[int]
    first_sector: Sequence[int]
    identifier_bytes: Sequence[int]


class UdfDirectories(Generic[S]):
    """Measures and builds the directories of one tree.

    ``names`` holds stored identifiers where they differ from the plain form, by entry; ``components`` the stored
    targets of the symlinks that UDF shows, by node: a symlink without one is left out.
    """

    def __init__(self, shape: Shape[S], names: Mapping[int, bytes], components: Mapping[int, bytes]) -> None:
        self._shape, self._tree, self._names, self._components = shape, shape.tree, names, components

    def measure(self, directory: int) -> int:
        """Bytes of the directory's identifiers."""
        total = udf.PARENT_FID
        for _, stored in self._identifiers(directory):
            total += udf.FID_HEAD + 3 + len(stored) & ~3
        return total

    def residents(self, directory: int) -> Iterator[int]:
        """The files and symlinks whose file entries follow this directory, in order."""
        tree, home = self._tree, self._shape.home
        kind, nodes = tree.kind, tree.entry_node
        for entry in self._shape.entries(directory):
            node = nodes[entry]
            if kind[node] and home[node] == entry and (kind[node] == FILE or node in self._components):
                yield node

    def build(self, directory: int, places: UdfPlaces) -> Iterator[bytes]:
        """The directory's blocks, then its residents' file entries."""
        block, length = places.entry_block[directory], places.identifier_bytes[directory]
        links = 1 + self._shape.subdirectory_count[directory]
        head, stamp, unique = self._head(directory, links), self._stamp(directory), self._unique(directory)
        yield udf.file_entry(block, head, stamp, unique, length, block + 1 + PARTITION)
        yield from self._identifier_blocks(directory, places)
        yield bytes(-length % SECTOR)
        tree, number, components = self._tree, self._shape.number, self._components
        seconds, nanos, sizes, links_of = tree.seconds, tree.nanos, tree.size, tree.links
        blocks, first = places.entry_block, places.first_sector
        for node in self.residents(directory):
            stamp, unique = udf_stamp(seconds[node], nanos[node]), udf.unique_id(number[node])
            head = self._head(node, links_of[node])
            if node in components:
                yield udf.symlink_entry(blocks[node], head, stamp, unique, components[node])
            else:
                yield udf.file_entry(blocks[node], head, stamp, unique, sizes[node], first[node])

    def _identifier_blocks(self, directory: int, places: UdfPlaces) -> Iterator[bytes]:
        kind, block_of, number = self._tree.kind, places.entry_block, self._shape.number
        parent = self._tree.entry_parent[self._shape.home[directory]] if directory != ROOT else ROOT
        at = (block_of[directory] + 1) * SECTOR
        yield udf.file_identifier(at // SECTOR, b"", block_of[parent], self._unique(parent), udf.PARENT_OF)
        at += udf.PARENT_FID
        for node, stored in self._identifiers(directory):
            flags = 0 if kind[node] else udf.DIRECTORY_FID
            data = udf.file_identifier(at // SECTOR, stored, block_of[node], udf.unique_id(number[node]), flags)
            at += len(data)
            yield data

    def _identifiers(self, directory: int) -> Iterator[tuple[int, bytes]]:
        tree, mapped, components = self._tree, self._names, self._components
        kind, nodes, names = tree.kind, tree.entry_node, tree.entry_name
        for entry in self._shape.entries(directory):
            node = nodes[entry]
            if kind[node] > FILE and node not in components:
                continue
            stored = mapped.get(entry) if mapped else None
            yield node, stored or udf_identifier(names[entry])

    def _head(self, node: int, links: int) -> bytes:
        tree = self._tree
        kind = udf.FILE_TYPES[tree.kind[node]]
        placement = udf.IN_ICB if node in self._components else 0
        return udf.entry_head(kind, tree.mode[node], tree.uid[node], tree.gid[node], links, placement)

    def _stamp(self, node: int) -> bytes:
        return udf_stamp(self._tree.seconds[node], self._tree.nanos[node])

    def _unique(self, node: int) -> int:
        return udf.unique_id(self._shape.number[node])
