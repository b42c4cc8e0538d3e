"""ISO 9660 volume structures: primary descriptor, terminator, path tables. Pure.

Not for directories (`isodir`). No Joliet: whoever reads Joliet reads UDF.

Facts: ECMA-119 8.4 (offsets beside the code), 8.3, 9.4. Identifiers hold what the caller gives, lower case included; no
reader checks for d-characters there.
"""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from odarchive.image.bridge.sectors import SECTOR, VolumeInfo
from odarchive.image.bridge.stamps import iso_long_stamp

_LE32, _BE32 = Struct("<I"), Struct(">I")
MAX_PARENT = 0xFFFF
ROOT_PATH_ENTRY, PATH_ENTRY = 10, 16  # 8 + identifier: one byte for the root, D0000000 for all others


class IsoPlaces(NamedTuple):
    """Sectors and lengths the primary descriptor points at."""

    sectors: int
    path_table_bytes: int
    path_table_little: int
    path_table_big: int
    root_record: bytes


class PathEntry(NamedTuple):
    """One directory in path table order: identifier, first sector, number of its parent (the root is 1)."""

    identifier: bytes
    sector: int
    parent: int


def both32(value: int) -> bytes:
    """A 32-bit number in both byte orders (7.3.3)."""
    return _LE32.pack(value) + _BE32.pack(value)


def both16(value: int) -> bytes:
    """A 16-bit number in both byte orders (7.2.3)."""
    return value.to_bytes(2, "little") + value.to_bytes(2, "big")


def primary(volume: VolumeInfo, places: IsoPlaces) -> bytes:
    """The primary volume descriptor, one sector."""
    identity = volume.identity
    stamp = iso_long_stamp(*divmod(identity.created_ns, 1_000_000_000))
    unset = b"0" * 16 + b"\0"
    data = b"".join(
        (
            b"\1CD001\1\0" + b" " * 32,  # 0
            _text(identity.label, 32) + bytes(8),  # 40
            both32(places.sectors) + bytes(32),  # 80
            both16(1) + both16(1) + both16(SECTOR),  # 120
            both32(places.path_table_bytes),  # 132
            _LE32.pack(places.path_table_little) + bytes(4),  # 140
            _BE32.pack(places.path_table_big) + bytes(4),  # 148
            places.root_record,  # 156
            _text(identity.iso_volume_set_id, 128),  # 190
            b" " * 256 + _text(volume.application, 128) + b" " * 111,  # 318
            stamp + stamp + unset + unset + b"\1\0",  # 813
        )
    )
    return data.ljust(SECTOR, b"\0")


def terminator() -> bytes:
    """The volume descriptor set terminator, one sector."""
    return b"\xffCD001\1".ljust(SECTOR, b"\0")


def path_table(entries: Iterable[PathEntry], *, big: bool) -> Iterator[bytes]:
    """The records of a path table, in order, without padding to the sector."""
    head = Struct(">BBIH" if big else "<BBIH")
    for identifier, sector, parent in entries:
        length = len(identifier)
        yield head.pack(length, 0, sector, parent) + identifier + b"\0" * (length & 1)


def _text(text: str, length: int) -> bytes:
    return text.encode("ascii").ljust(length, b" ")
