"""Finding a file by its path in a UDF volume of the kind written here, without the kernel.

Sources: ECMA-167 3rd edition 4/14.4 (file identifier), 4/14.9 (file entry), 4/14.14.1 (short allocation descriptor),
UDF 1.02 2.3. Looks at the anchor in sector 256, then at those in the last sectors, so that one damaged anchor is no
loss. Not a general driver: no symlinks, no sparse or virtual partitions.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from odarchive.image import udf
from odarchive.image.udf import ReadSectors
from odarchive.model import SECTOR
from odarchive.offline.errors import BadDisc

_MOST_EXTENTS = 100_000
_MOST_DIRECTORY = 1 << 28
_DEEPEST = 300
_SHORT, _LONG, _EMBEDDED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Run:
    """A range of bytes that lies together."""

    offset: int
    """In bytes from the beginning of the image."""
    length: int


@dataclass(frozen=True, slots=True)
class UdfFile:
    """Where the bytes of a file or directory are, in order."""

    size: int
    runs: tuple[Run, ...]
    is_directory: bool


class UdfTree:
    """The directories of a volume.

    Raises:
        BadDisc: there is no such volume.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        """``read(offset, length)`` gives bytes of the image, fewer at its end; ``size`` in bytes."""
        self._read = read
        self._size = size
        self._partition, root = self._volume()
        self._root = self._file(root)

    def find(self, path: str) -> UdfFile | None:
        """The file or directory at a path such as ``SET/entries.jsonl``; None: there is none."""
        at = self._root
        for depth, part in enumerate(path.split("/")):
            if not at.is_directory or depth > _DEEPEST:
                return None
            block = dict(self._children(at)).get(part)
            if block is None:
                return None
            at = self._file(block)
        return at

    def names(self, path: str) -> list[str]:
        """The names in a directory; none if it is not there."""
        at = self.find(path) if path else self._root
        return [] if at is None or not at.is_directory else [name for name, _ in self._children(at)]

    def chunks(self, file: UdfFile, block: int = 1 << 20) -> Iterator[bytes]:
        """The bytes of a file.

        Raises:
            BadDisc: the image ends before them.
        """
        left = file.size
        for run in file.runs:
            at, end = run.offset, run.offset + min(run.length, left)
            left -= end - at
            while at < end:
                data = self._read(at, min(block, end - at))
                if not data:
                    raise BadDisc("the image ends inside a file")
                yield data
                at += len(data)
        if left:
            raise BadDisc("a file of the volume is longer than what is recorded of it")

    def _volume(self) -> tuple[int, int]:
        last = self._size // SECTOR - 1
        for place in dict.fromkeys((udf.ANCHOR, last, last - 150, last - 256)):
            if place > 0:
                try:
                    volume = udf.volume(self._from(place))
                except (udf.NotUdf, struct.error, IndexError, OSError):
                    continue
                return volume.partition, struct.unpack_from("<I", volume.file_set.data, 404)[0]
        raise BadDisc("no UDF volume can be found in it")

    def _from(self, anchor: int) -> ReadSectors:
        """Reads sectors, with another anchor shown in the place of the one at sector 256."""

        def read(sector: int, size: int) -> bytes:
            return self._read((anchor if sector == udf.ANCHOR else sector) * SECTOR, size)

        return read

    def _file(self, block: int) -> UdfFile:
        data = self._read((self._partition + block) * SECTOR, SECTOR)
        tag = udf.tag_of(data)
        if tag not in (udf.TAG_FILE_ENTRY, udf.TAG_EXTENDED_FILE_ENTRY) or len(data) < SECTOR:
            raise BadDisc(f"sector {self._partition + block} holds no file entry")
        lengths = 168 if tag == udf.TAG_FILE_ENTRY else 208
        attributes, allocated = struct.unpack_from("<II", data, lengths)
        size = struct.unpack_from("<Q", data, 56)[0]
        begin = lengths + 8 + attributes
        if begin + allocated > len(data) or size > self._size:
            raise BadDisc(f"the file entry in sector {self._partition + block} is broken")
        kind = struct.unpack_from("<H", data, 34)[0] & 7
        is_directory = data[27] == 4  # ECMA-167 4/14.6.6
        if kind == _EMBEDDED:
            offset = (self._partition + block) * SECTOR + begin
            return UdfFile(size, (Run(offset, min(size, allocated)),), is_directory)
        return UdfFile(size, tuple(self._runs(data[begin : begin + allocated], kind)), is_directory)

    def _runs(self, data: bytes, kind: int, depth: int = 0) -> Iterator[Run]:
        step = {_SHORT: 8, _LONG: 16}.get(kind)
        if step is None:
            raise BadDisc("a file entry uses allocation descriptors that are not written here")
        for at in range(0, len(data) - step + 1, step):
            length, block = struct.unpack_from("<II", data, at)
            how, length = length >> 30, length & 0x3FFF_FFFF
            if length == 0:
                return
            offset = (self._partition + block) * SECTOR
            if how == 3:  # the descriptors go on in another block (4/12.1)
                if depth > _MOST_EXTENTS // 200:
                    raise BadDisc("a file has more extents than a disc can hold")
                more = self._read(offset, SECTOR)
                if len(more) < 24:
                    raise BadDisc("the extents of a file go on outside the image")
                used = min(struct.unpack_from("<I", more, 20)[0], SECTOR - 24)
                yield from self._runs(more[24 : 24 + used], kind, depth + 1)
                return
            if how != 0 or offset + length > self._size:
                raise BadDisc("an extent of a file lies outside the image")
            yield Run(offset, length)

    def _children(self, directory: UdfFile) -> Iterator[tuple[str, int]]:
        if directory.size > _MOST_DIRECTORY:
            raise BadDisc("a directory is larger than any that is written here")
        listing = b"".join(self.chunks(directory))
        at = 0
        while at + 38 <= len(listing):
            flags, length = listing[at + 18], listing[at + 19]
            block, private = (
                struct.unpack_from("<I", listing, at + 24)[0],
                struct.unpack_from("<H", listing, at + 36)[0],
            )
            name = listing[at + 38 + private : at + 38 + private + length]
            if length and not flags & 0x0C:  # 4/14.4.3: deleted, parent
                yield _text(name), block
            at += (38 + private + length + 3) // 4 * 4


def _text(name: bytes) -> str:
    """A compressed Unicode name (UDF 1.02 2.1.1)."""
    return name[1:].decode("latin-1" if name[:1] == b"\x08" else "utf-16-be", "replace")
