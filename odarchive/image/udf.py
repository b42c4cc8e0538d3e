"""The few UDF structures that stamping needs: tags, fixed strings, and the way from the anchor to a file of the root.

Sources: ECMA-167 3rd edition (3/7.2 descriptor tag, 3/10 volume descriptors, 4/14 file set, file entry and file
identifier), UDF 1.02 (one partition, short allocation descriptors). Reads any image of that kind, whoever wrote it;
everything is bounds-checked, because images come from anywhere. Not a file system driver.
"""

import binascii
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from odarchive.model import SECTOR

ANCHOR = 256
TAG_PVD, TAG_ANCHOR, TAG_IMPLEMENTATION, TAG_PARTITION, TAG_LOGICAL, TAG_TERMINATOR = 1, 2, 4, 5, 6, 8
TAG_FILE_SET, TAG_FID, TAG_FILE_ENTRY, TAG_EXTENDED_FILE_ENTRY = 256, 257, 261, 266

ReadSectors = Callable[[int, int], bytes]
"""``read(sector, bytes)``; fewer bytes at the end of the image."""

_MOST_DIRECTORY_BYTES = 1 << 20


class NotUdf(Exception):
    """The bytes are no UDF volume of the kind written here."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A tagged sector and where it lies in the image."""

    sector: int
    tag: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Volume:
    """The descriptors of a volume: both sequences, the file set, and the partition's first sector."""

    sequences: tuple[Descriptor, ...]
    file_set: Descriptor
    partition: int


def tag_of(data: bytes) -> int | None:
    """The identifier of a descriptor whose tag checksum and CRC are right; None otherwise."""
    if len(data) < 16 or sum(data[:4] + data[5:16]) & 0xFF != data[4]:
        return None
    crc, length = struct.unpack_from("<HH", data, 8)
    if 16 + length > len(data) or binascii.crc_hqx(data[16 : 16 + length], 0) != crc:
        return None
    return int(struct.unpack_from("<H", data)[0])


def volume(read: ReadSectors) -> Volume:
    """Find the descriptors, starting at the anchor of sector 256.

    Raises:
        NotUdf: something on the way is missing or wrong.
    """
    anchor = _tagged(read, ANCHOR, TAG_ANCHOR)
    extents = struct.unpack_from("<IIII", anchor.data, 16)
    found = [*_sequence(read, extents[1], extents[0]), *_sequence(read, extents[3], extents[2])]
    partition = next((d for d in found if d.tag == TAG_PARTITION), None)
    logical = next((d for d in found if d.tag == TAG_LOGICAL), None)
    if partition is None or logical is None:
        raise NotUdf("no partition or logical volume descriptor")
    start = struct.unpack_from("<I", partition.data, 188)[0]
    file_set = _tagged(read, start + struct.unpack_from("<I", logical.data, 252)[0], TAG_FILE_SET)
    return Volume(tuple(found), file_set, start)


def root_file(read: ReadSectors, of: Volume, name: str) -> tuple[int, int] | None:
    """First sector and size of a contiguous file of the root directory; None: there is none of that name."""
    root = struct.unpack_from("<I", of.file_set.data, 404)[0]
    sector, size = _contents(read, of.partition, root)
    listing = read(sector, min(size, _MOST_DIRECTORY_BYTES))
    at = 0
    while at + 38 <= len(listing):
        identifier, private = listing[at + 19], struct.unpack_from("<H", listing, at + 36)[0]
        begin = at + 38 + private
        if listing[begin : begin + identifier] == b"\x08" + name.encode("latin-1"):
            return _contents(read, of.partition, struct.unpack_from("<I", listing, at + 24)[0])
        at += (38 + private + identifier + 3) // 4 * 4
    return None


def _contents(read: ReadSectors, partition: int, block: int) -> tuple[int, int]:
    """Where the bytes of a File Entry lie: its first allocation descriptor and its size."""
    data = read(partition + block, SECTOR)
    tag = tag_of(data)
    if tag not in (TAG_FILE_ENTRY, TAG_EXTENDED_FILE_ENTRY):
        raise NotUdf(f"no file entry in block {block}")
    lengths = 168 if tag == TAG_FILE_ENTRY else 208
    at = lengths + 8 + struct.unpack_from("<I", data, lengths)[0]
    if at + 8 > len(data):
        raise NotUdf(f"the file entry in block {block} is broken")
    return partition + struct.unpack_from("<I", data, at + 4)[0], struct.unpack_from("<Q", data, 56)[0]


def _sequence(read: ReadSectors, sector: int, size: int) -> Iterator[Descriptor]:
    for at in range(sector, sector + min(size // SECTOR, 64)):
        data = read(at, SECTOR)
        tag = tag_of(data)
        if tag is None or tag == TAG_TERMINATOR:
            return
        yield Descriptor(at, tag, data)


def _tagged(read: ReadSectors, sector: int, tag: int) -> Descriptor:
    data = read(sector, SECTOR)
    if len(data) < SECTOR or tag_of(data) != tag:
        raise NotUdf(f"sector {sector} holds no descriptor {tag}")
    return Descriptor(sector, tag, data)
