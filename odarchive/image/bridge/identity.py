"""Who a disc is: read the identity from any image or disc, and give a finished image of ours a new one.

Not for files and directories. Reading takes hostile sectors: every length is checked, every loop has an end, and only
ParseError comes out (besides what the caller's ``read_sectors`` raises).

Facts: ECMA-119 8.4, ECMA-167 3/8.4.2 (anchors, volume descriptor sequences), 3/10.1, 3/10.6, UDF 1.02 2.2.
"""

import binascii
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct

from odarchive.image.bridge import udf_volume as udf
from odarchive.image.bridge.errors import ParseError
from odarchive.image.bridge.sectors import (
    ANCHOR,
    INTEGRITY,
    MAIN_SEQUENCE,
    PARTITION,
    RECOGNITION,
    RESERVE_SEQUENCE,
    SECTOR,
    Identity,
)
from odarchive.image.bridge.stamps import iso_long_stamp, udf_stamp

ReadSectors = Callable[[int, int], bytes]
"""``read_sectors(first, count)``: that many sectors of 2,048 bytes; fewer at the end of the medium."""

_TAG = Struct("<HHBBHHHI")
_MAX_SEQUENCE = 64  # sectors of a volume descriptor sequence that are looked at
_MAX_RECOGNITION = 32


@dataclass(frozen=True, slots=True)
class Found:
    """What a disc says of itself; None where a view is missing or unreadable.

    Attributes:
        label: UDF logical volume identifier, else the ISO 9660 one.
        volume_set_id: UDF volume set identifier.
        iso_label: ISO 9660 volume identifier, trailing blanks removed.
        iso_volume_set_id: ISO 9660 volume set identifier, trailing blanks removed.
        iso_created: ISO 9660 creation time as its sixteen digits.
        sectors: Sectors of the ISO 9660 volume: for our images, all.
    """

    label: str
    volume_set_id: str | None
    iso_label: str | None
    iso_volume_set_id: str | None
    iso_created: str | None
    sectors: int | None


def read_identity(read_sectors: ReadSectors, last_sector: int | None = None) -> Found:
    """Read the identity of a disc, from UDF and ISO 9660 as far as they are there.

    Args:
        read_sectors: Reads the medium.
        last_sector: Last sector of the medium, for a second anchor when the one at 256 is damaged.

    Raises:
        ParseError: Neither view can be recognised.
    """
    iso = _iso_primary(read_sectors)
    label, set_id = _udf_strings(read_sectors, last_sector)
    if iso is None and label is None:
        raise ParseError(
            "neither an ISO 9660 nor a UDF volume descriptor; this is no data disc, or its start is damaged"
        )
    iso_label = _text(iso[40:72]) if iso else None
    return Found(
        label=label if label is not None else iso_label or "",
        volume_set_id=set_id,
        iso_label=iso_label,
        iso_volume_set_id=_text(iso[190:318]) if iso else None,
        iso_created=_text(iso[813:829]) if iso else None,
        sectors=int.from_bytes(iso[80:84], "little") if iso else None,
    )


def stamp(image: int, identity: Identity) -> None:
    """Give a finished image of this writer another identity, in place: labels, set ids, times, with right checksums.

    Digests of the image change; those of its files do not. Repeating it is harmless, also after an interruption.

    Args:
        image: Descriptor open for reading and writing, of a seekable file.
        identity: The new identity.

    Raises:
        LayoutError: A field of the identity is out of range.
        ParseError: The image is not one of this writer; nothing was changed.
    """
    identity.check()
    changed = list(_restamped(lambda first, count: os.pread(image, count * SECTOR, first * SECTOR), identity))
    for sector, data in changed:
        os.pwrite(image, data, sector * SECTOR)


def _restamped(read: ReadSectors, identity: Identity) -> Iterator[tuple[int, bytes]]:
    iso = _iso_primary(read)
    if iso is None or udf.IMPLEMENTATION not in _sector(read, MAIN_SEQUENCE):
        raise ParseError("this image has no descriptors of this writer; only its own images can be stamped")
    when = divmod(identity.created_ns, 1_000_000_000)
    long_stamp = iso_long_stamp(*when)
    yield (
        RECOGNITION,
        _patched(
            iso,
            (40, identity.label.encode().ljust(32)),
            (190, identity.iso_volume_set_id.encode().ljust(128)),
            (813, long_stamp + long_stamp),
        ),
    )
    time, label = udf_stamp(*when), udf.dstring(identity.label, 128)
    for first in (MAIN_SEQUENCE, RESERVE_SEQUENCE):
        primary = ((24, udf.dstring(identity.label, 32)), (72, udf.dstring(identity.volume_set_id, 128)), (376, time))
        yield first, _redone(read, first, udf.PRIMARY, primary)
        yield first + 1, _redone(read, first + 1, udf.IMPLEMENTATION_USE, ((116, label),))
        yield first + 3, _redone(read, first + 3, udf.LOGICAL_VOLUME, ((84, label),))
    yield INTEGRITY, _redone(read, INTEGRITY, udf.INTEGRITY_TAG, ((16, time),))
    file_set = ((16, time), (112, label), (304, udf.dstring(identity.label, 32)))
    yield PARTITION, _redone(read, PARTITION, udf.FILE_SET, file_set, location=0)


def _redone(
    read: ReadSectors, sector: int, identifier: int, changes: tuple[tuple[int, bytes], ...], location: int | None = None
) -> bytes:
    data = _sector(read, sector)
    at = sector if location is None else location
    if _tag(data, at) != identifier:
        raise ParseError(f"sector {sector} is not what this writer puts there; only an image of it can be stamped")
    body = _patched(data, *changes)[16:512]
    return udf.tagged(identifier, body, at).ljust(SECTOR, b"\0")


def _patched(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    out = bytearray(data)
    for offset, new in changes:
        out[offset : offset + len(new)] = new
    return bytes(out)


def _sector(read: ReadSectors, sector: int) -> bytes:
    return bytes(read(sector, 1)[:SECTOR]).ljust(SECTOR, b"\0")


def _iso_primary(read: ReadSectors) -> bytes | None:
    for sector in range(RECOGNITION, RECOGNITION + _MAX_RECOGNITION):
        data = _sector(read, sector)
        if data[1:6] != b"CD001" or data[0] == 0xFF:
            return None
        if data[0] == 1:
            return data
    return None


def _udf_strings(read: ReadSectors, last_sector: int | None) -> tuple[str | None, str | None]:
    """Logical volume identifier and volume set identifier, from the first sequence that has both readable."""
    label = set_id = None
    for first, count in _sequences(read, last_sector):
        for sector in range(first, first + min(count, _MAX_SEQUENCE)):
            data = _sector(read, sector)
            identifier = _tag(data, sector)
            if identifier == udf.PRIMARY:
                set_id = _dstring(data[72:200])
            elif identifier == udf.LOGICAL_VOLUME:
                label = _dstring(data[84:212])
            elif identifier in {None, udf.TERMINATING}:
                break
        if label is not None and set_id is not None:
            break
    return label, set_id


def _sequences(read: ReadSectors, last_sector: int | None) -> Iterator[tuple[int, int]]:
    """First sector and number of sectors of every volume descriptor sequence an anchor names."""
    candidates = [ANCHOR] if last_sector is None else [ANCHOR, last_sector, last_sector - 150, last_sector - 256]
    for place in candidates:
        data = _sector(read, place) if place >= 0 else b""
        if len(data) == SECTOR and _tag(data, place) == udf.ANCHOR_POINTER:
            for offset in (16, 24):
                length, first = Struct("<II").unpack_from(data, offset)
                yield first, length // SECTOR


def _tag(data: bytes, location: int) -> int | None:
    """The identifier of a descriptor whose checksum, CRC and location are right."""
    identifier, _, checksum, _, _, crc, length, at = _TAG.unpack_from(data)
    right = (sum(data[:16]) - checksum) & 255 == checksum and at == location and 16 + length <= len(data)
    return identifier if right and binascii.crc_hqx(data[16 : 16 + length], 0) == crc else None


def _dstring(data: bytes) -> str | None:
    length = data[-1]
    if not length:
        return ""
    if length >= len(data) or data[0] not in {8, 16}:
        return None
    return data[1:length].decode("latin-1" if data[0] == 8 else "utf-16-be", "replace")


def _text(data: bytes) -> str:
    return data.decode("latin-1").rstrip(" \0")
