"""UDF 1.02 volume structures: recognition, anchors, volume descriptors, integrity, file set. Pure.

Not for files and directories (`udf_nodes`). Everything is ``bytes`` of exactly its length in the image.

Facts: ECMA-167 2nd edition part 2 and 3 (field offsets beside the code), OSTA UDF 1.02 chapter 2. The reserve sequence
differs from the main one in tag locations only.
"""

import binascii
from struct import Struct
from typing import NamedTuple

from odarchive.image.bridge.names import cs0
from odarchive.image.bridge.sectors import (
    INTEGRITY,
    INTEGRITY_SECTORS,
    MAIN_SEQUENCE,
    PARTITION,
    RESERVE_SEQUENCE,
    SECTOR,
    SEQUENCE_SECTORS,
    Identity,
)
from odarchive.image.bridge.stamps import udf_stamp

PRIMARY, ANCHOR_POINTER, IMPLEMENTATION_USE, PARTITION_TAG, LOGICAL_VOLUME = 1, 2, 4, 5, 6
UNALLOCATED, TERMINATING, INTEGRITY_TAG, FILE_SET, FILE_IDENTIFIER, FILE_ENTRY = 7, 8, 9, 256, 257, 261

_TAG = Struct("<HHBBHHHI")
_DESCRIPTOR = 512
_CHARSPEC = b"\0OSTA Compressed Unicode".ljust(64, b"\0")
_REVISION = b"\x02\x01"  # 1.02
_SMALL_SECTORS = SEQUENCE_SECTORS * SECTOR


class Counts(NamedTuple):
    """What the volume descriptors say about the whole: sizes in sectors, numbers of nodes."""

    partition_sectors: int
    files: int
    directories: int
    next_unique_id: int


def regid(identifier: bytes, suffix: bytes = b"") -> bytes:
    """A 32-byte entity identifier."""
    return b"\0" + identifier.ljust(23, b"\0") + suffix.ljust(8, b"\0")


IMPLEMENTATION = regid(b"*odarchive")
_DOMAIN = regid(b"*OSTA UDF Compliant", _REVISION)


def tagged(identifier: int, body: bytes, location: int) -> bytes:
    """A descriptor: its 16-byte tag with CRC and checksum, and its body."""
    crc = binascii.crc_hqx(body, 0)
    length = len(body)
    # the sum of the tag's other bytes; what a shift leaves above eight bits falls to the mask
    numbers = identifier + (identifier >> 8) + 3 + crc + (crc >> 8) + length + (length >> 8)
    places = location + (location >> 8) + (location >> 16) + (location >> 24)
    return _TAG.pack(identifier, 2, numbers + places & 255, 0, 1, crc, length, location) + body


def dstring(text: str, length: int) -> bytes:
    """A fixed-length identifier, cut to what fits; all zero when empty."""
    room = length - 2
    coded = cs0(text[:room])
    if len(coded) > room + 1:
        coded = coded[: room - room % 2 + 1]
    return (coded.ljust(length - 1, b"\0") + bytes((len(coded),))) if text else bytes(length)


def recognition() -> bytes:
    """The extended area behind the ISO descriptors: three sectors."""
    return b"".join((b"\0" + name + b"\1").ljust(SECTOR, b"\0") for name in (b"BEA01", b"NSR02", b"TEA01"))


def anchor(location: int) -> bytes:
    """An anchor volume descriptor pointer for this sector."""
    size = SEQUENCE_SECTORS * SECTOR
    return _sector(ANCHOR_POINTER, Struct("<IIII").pack(size, MAIN_SEQUENCE, size, RESERVE_SEQUENCE), location)


def volume_sequence(first: int, identity: Identity, counts: Counts) -> bytes:
    """One volume descriptor sequence, 16 sectors, for the place ``first``."""
    parts = (
        (PRIMARY, _primary(identity)),
        (IMPLEMENTATION_USE, _implementation_use(identity)),
        (PARTITION_TAG, _partition(counts.partition_sectors)),
        (LOGICAL_VOLUME, _logical_volume(identity)),
        (UNALLOCATED, _U32X2.pack(4, 0)),
        (TERMINATING, b""),
    )
    data = b"".join(_sector(tag, body, first + i) for i, (tag, body) in enumerate(parts))
    return data.ljust(_SMALL_SECTORS, b"\0")


def integrity_sequence(identity: Identity, counts: Counts) -> bytes:
    """A closed logical volume integrity descriptor and its terminator: two sectors."""
    body = b"".join(
        (
            _when(identity),
            _U32X2.pack(1, 0) + bytes(4),  # closed; no next extent (length, location)
            Struct("<Q24x").pack(counts.next_unique_id),
            Struct("<IIII").pack(1, 46, 0, counts.partition_sectors),  # one partition; bytes of use; free; size
            IMPLEMENTATION + Struct("<IIHHH").pack(counts.files, counts.directories, 0x0102, 0x0102, 0x0102),
        )
    )
    return _sector(INTEGRITY_TAG, body, INTEGRITY) + _sector(TERMINATING, b"", INTEGRITY + 1)


def file_set(identity: Identity, root_block: int) -> bytes:
    """The file set descriptor (block 0 of the partition) and its terminator (block 1)."""
    body = b"".join(
        (
            _when(identity),
            Struct("<HHIIII").pack(3, 3, 1, 1, 0, 0),
            _CHARSPEC + dstring(identity.label, 128),
            _CHARSPEC + dstring(identity.label, 32),
            bytes(64),
            long_ad(SECTOR, root_block, 0),
            _DOMAIN,
            bytes(16),
        )
    )
    return _sector(FILE_SET, body, 0) + _sector(TERMINATING, b"", 1)


def long_ad(length: int, block: int, unique_id: int) -> bytes:
    """A long allocation descriptor into partition 0 (ECMA-167 4/14.14.2), with UDF's unique id."""
    return _LONG_AD.pack(length, block, 0, 0, unique_id & 0xFFFFFFFF)


_LONG_AD = Struct("<IIHHI")
_U32X2 = Struct("<II")


def _sector(identifier: int, body: bytes, location: int) -> bytes:
    return tagged(identifier, body.ljust(_DESCRIPTOR - 16, b"\0"), location).ljust(SECTOR, b"\0")


def _when(identity: Identity) -> bytes:
    return udf_stamp(*divmod(identity.created_ns, 1_000_000_000))


def _primary(identity: Identity) -> bytes:  # 3/10.1
    return b"".join(
        (
            _U32X2.pack(0, 0),
            dstring(identity.label, 32),
            Struct("<HHHHII").pack(1, 1, 2, 2, 1, 1),
            dstring(identity.volume_set_id, 128),
            _CHARSPEC + _CHARSPEC + bytes(16),
            IMPLEMENTATION,
            _when(identity),
            IMPLEMENTATION,
        )
    )


def _implementation_use(identity: Identity) -> bytes:  # UDF 2.2.7
    return b"".join(
        (
            Struct("<I").pack(1),
            regid(b"*UDF LV Info", _REVISION),
            _CHARSPEC + dstring(identity.label, 128) + bytes(3 * 36),
            IMPLEMENTATION,
        )
    )


def _partition(sectors: int) -> bytes:  # 3/10.5; access type 1: read only
    return b"".join(
        (
            Struct("<IHH").pack(2, 1, 0),
            b"\2+NSR02".ljust(32, b"\0"),
            bytes(128),
            Struct("<III").pack(1, PARTITION, sectors),
            IMPLEMENTATION,
        )
    )


def _logical_volume(identity: Identity) -> bytes:  # 3/10.6; one partition map of type 1
    return b"".join(
        (
            Struct("<I").pack(3),
            _CHARSPEC + dstring(identity.label, 128),
            Struct("<I").pack(SECTOR),
            _DOMAIN,
            long_ad(2 * SECTOR, 0, 0),
            _U32X2.pack(6, 1),
            IMPLEMENTATION,
            bytes(128),
            _U32X2.pack(INTEGRITY_SECTORS * SECTOR, INTEGRITY),
            Struct("<BBHH").pack(1, 6, 1, 0),
        )
    )
