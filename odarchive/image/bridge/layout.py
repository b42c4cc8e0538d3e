"""Where everything lies: every sector number of an image before its first byte. Pure integers.

Not for bytes (`emit`). Order of an image: system area, ISO and UDF volume descriptors, anchor at 256, file set, path
tables, ISO directories, UDF directories with file entries, data down the tree, late data, anchors to the end.
"""

from __future__ import annotations  # array[int] is for type checkers only

from array import array
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from odarchive.image.bridge.errors import LayoutError
from odarchive.image.bridge.iso_volume import MAX_PARENT, PATH_ENTRY, ROOT_PATH_ENTRY
from odarchive.image.bridge.isodir import IsoDirectories, IsoExtents
from odarchive.image.bridge.sectors import BLOCK_SECTORS, FILE_SET_BLOCKS, PARTITION, SECTOR, TAIL_ANCHORS, VolumeInfo
from odarchive.image.bridge.shape import Shape
from odarchive.image.bridge.stored import NameChange, Stored, stored_names
from odarchive.image.bridge.tree import FILE, NodeId, Tree
from odarchive.image.bridge.udf_nodes import MAX_FILE
from odarchive.image.bridge.udfdir import UdfDirectories, UdfPlaces

S = TypeVar("S")

_MAX_SECTORS = 0xFFFFFFFF


class Extent(NamedTuple):
    """Where a file's bytes lie: first sector of the image and length in bytes; an empty file has sector 0."""

    sector: int
    length: int


@dataclass(frozen=True, slots=True)
class PathTables:
    """Place of the two path tables: directories listed, bytes of each, first sectors."""

    directories: int
    bytes_each: int
    little: int
    big: int


@dataclass(frozen=True, slots=True)
class Layout(Generic[S]):
    """A finished plan of an image.

    Attributes:
        shape: The tree and its orders.
        volume: What the caller said of the volume.
        stored: Deviations of the two views.
        first_sector: Per node: of a file's data, of an ISO directory; 0 for empty files and symlinks.
        directory_sectors: Per node: sectors of an ISO directory without its continuation area.
        entry_block: Per node: partition block of the UDF file entry; 0 for nodes UDF does not show.
        identifier_bytes: Per node: bytes of a UDF directory's identifiers.
        path_tables: The ISO path tables.
        data_end: First sector behind all data; the UDF partition ends here.
        sectors: Sectors of the whole image, a multiple of 32.
    """

    shape: Shape[S]
    volume: VolumeInfo
    stored: Stored
    first_sector: array[int]
    directory_sectors: array[int]
    entry_block: array[int]
    identifier_bytes: array[int]
    path_tables: PathTables
    data_end: int
    sectors: int

    @property
    def tree(self) -> Tree[S]:
        """The tree laid out."""
        return self.shape.tree

    @property
    def size(self) -> int:
        """Bytes of the whole image."""
        return self.sectors * SECTOR

    @property
    def iso(self) -> IsoDirectories[S]:
        """The builder of the ISO view's directories."""
        return IsoDirectories(self.shape, self.stored.rock_ridge_names)

    @property
    def udf(self) -> UdfDirectories[S]:
        """The builder of the UDF view's directories."""
        return UdfDirectories(self.shape, self.stored.udf_identifiers, self.stored.components)

    @property
    def iso_extents(self) -> IsoExtents:
        """What the ISO directories point at."""
        return IsoExtents(self.first_sector, self.directory_sectors)

    @property
    def udf_places(self) -> UdfPlaces:
        """What the UDF directories point at."""
        return UdfPlaces(self.entry_block, self.first_sector, self.identifier_bytes)

    def extent(self, node: NodeId) -> Extent:
        """A file's place.

        Raises:
            LayoutError: The node is no file.
        """
        if self.tree.kind[node] != FILE:
            raise LayoutError(f"{self.shape.node_path(node)!r} is no file and has no extent")
        return Extent(self.first_sector[node], self.tree.size[node])

    def name_map(self) -> list[NameChange]:
        """Every difference between the archive's names and the two views, sorted by path."""
        return self.stored.changes(self.shape)


def layout(tree: Tree[S], volume: VolumeInfo, at_least: int = 0) -> Layout[S]:
    """Place a tree; same tree and volume, same layout, in whatever order the nodes were added (late files excepted).

    ``at_least`` sectors are filled, with anchors behind the data.

    Raises:
        LayoutError: A duplicate name, a file or an image over the limits of the formats, a volume field out of range.
    """
    volume.identity.check()
    if tree.size and max(tree.size) > MAX_FILE:
        raise LayoutError(f"a file of {max(tree.size)} bytes: at most {MAX_FILE} fit one UDF file entry; split it")
    shape = Shape(tree)
    places = _Places(shape, stored_names(shape, volume))
    at = PARTITION + FILE_SET_BLOCKS
    listed, table_bytes = _path_table(shape)
    table_sectors = -(-table_bytes // SECTOR)
    tables = PathTables(listed, table_bytes, at, at + table_sectors)
    at = places.iso(at + 2 * table_sectors)
    at = places.udf(at)
    data_end = places.data(at)
    sectors = -(-max(data_end + TAIL_ANCHORS, at_least) // BLOCK_SECTORS) * BLOCK_SECTORS
    if sectors > _MAX_SECTORS:
        raise LayoutError(f"an image of {sectors} sectors: at most 2^32-1 can be numbered; put less on the disc")
    return Layout(
        shape, volume, places.stored, places.first, places.directory_sectors,
        places.entry_block, places.identifier_bytes, tables, data_end, sectors,
    )  # fmt: skip


class _Places(Generic[S]):
    """The columns while they fill; each method takes the first free sector and answers the next."""

    def __init__(self, shape: Shape[S], stored: Stored) -> None:
        self.shape, self.stored = shape, stored
        zeros = array("I", [0]) * len(shape.tree.kind)
        self.first, self.directory_sectors = zeros[:], zeros[:]
        self.entry_block, self.identifier_bytes = zeros[:], zeros[:]

    def iso(self, at: int) -> int:
        directories = IsoDirectories(self.shape, self.stored.rock_ridge_names)
        for node in self.shape.walk:
            sectors, continuation = directories.measure(node)
            self.first[node], self.directory_sectors[node] = at, sectors
            at += sectors + continuation
        return at

    def udf(self, at: int) -> int:
        directories = UdfDirectories(self.shape, self.stored.udf_identifiers, self.stored.components)
        for node in self.shape.walk:
            length = directories.measure(node)
            self.entry_block[node], self.identifier_bytes[node] = at - PARTITION, length
            at += 1 + -(-length // SECTOR)
            for resident in directories.residents(node):
                self.entry_block[resident] = at - PARTITION
                at += 1
        return at

    def data(self, at: int) -> int:
        tree = self.shape.tree
        kind, size, late, first, twin = tree.kind, tree.size, tree.late, self.first, tree.twin
        for node in self.shape.homes():
            if kind[node] == FILE and size[node] and not late[node] and node not in twin:
                first[node] = at
                at += -(-size[node] // SECTOR)
                if at > _MAX_SECTORS:
                    raise LayoutError("more than 2^32-1 sectors of data; put less on the disc")
        for node in range(len(kind)):
            if late[node] and size[node]:
                first[node] = at
                at += -(-size[node] // SECTOR)
        for node, of in twin.items():
            first[node] = first[of]
        return at


def _path_table(shape: Shape[S]) -> tuple[int, int]:
    """Directories that a path table can list, and its bytes.

    A parent's number has 16 bits, so the table of a larger tree stops at the children of directory 65,535; what is
    listed is right. No reader of today needs the table.
    """
    if len(shape.levels) <= MAX_PARENT:
        listed = len(shape.levels)
    else:
        listed = 1 + sum(len(shape.subdirectories(node)) for node in shape.levels[:MAX_PARENT])
    return listed, ROOT_PATH_ENTRY + (listed - 1) * PATH_ENTRY
