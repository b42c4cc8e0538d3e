"""UDF file entries and file identifiers. Pure.

Not for the volume (`udf_volume`) and not for deciding where anything lies (`layout`).

Facts: ECMA-167 4/14.9 (file entry), 4/14.4 (file identifier), 4/14.14.1 (short allocation descriptors; an extent holds
at most 2^30 - 2048 bytes here so that each is whole sectors), 4/14.16 (path components of a symlink), UDF 1.02 2.3.
"""

from array import array
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from odarchive.image.bridge.names import cs0
from odarchive.image.bridge.sectors import PARTITION, SECTOR
from odarchive.image.bridge.udf_volume import FILE_ENTRY, FILE_IDENTIFIER, IMPLEMENTATION, long_ad, tagged

MAX_EXTENT = 0x3FFFF800
MAX_EXTENTS = (SECTOR - 176) // 8  # 234 short descriptors in the one sector of a file entry
MAX_FILE = MAX_EXTENTS * MAX_EXTENT
MAX_LINKS = 0xFFFF
FILE_TYPES = array("B", [4, 5, 12])  # directory, file, symlink: by kind of node
FIRST_UNIQUE_ID = 16
FID_HEAD = 38
PARENT_FID = 40

_HEAD = Struct("<IHHHBBIHHIIIHBBI")
_FLAGS_AT = 18  # of the ICB tag
_REST = Struct("<QQ12s12s12sI16x32sQII")  # from the information length on
_FID = Struct("<HBB16sH")
_AD = Struct("<II")
IN_ICB = 3  # placement of data: flags bits 0-2: the data stand in the entry itself
_PATH_ROOT, _PATH_PARENT, _PATH_CURRENT, _PATH_NAME = 2, 3, 4, 5


class Owned(NamedTuple):
    """The attributes of a file entry that many files share; ``links`` is the number of identifiers that name it."""

    file_type: int
    mode: int
    uid: int
    gid: int
    links: int


class FileEntry(NamedTuple):
    """The attributes of a file entry; ``head`` is made by `entry_head`."""

    head: bytes
    stamp: bytes
    unique_id: int


def unique_id(number: int) -> int:
    """The unique id of the node with this number: 0 for the root, 1-15 are reserved (UDF 3.2.1.1)."""
    return number + FIRST_UNIQUE_ID if number else 0


def permissions(mode: int) -> tuple[int, int]:
    """UDF permissions (five bits each for other, group, owner) and the ICB flags of setuid, setgid and sticky."""
    bits = mode & 7 | (mode & 0o70) << 2 | (mode & 0o700) << 4
    return bits, mode >> 9 >> 2 << 6 | (mode >> 9 >> 1 & 1) << 7 | (mode >> 9 & 1) << 8


def file_entry(block: int, entry: FileEntry, size: int, sector: int) -> bytes:
    """A file entry of one extent list starting at ``sector`` of the image; not padded to the sector."""
    if size <= MAX_EXTENT:
        ads = _AD.pack(size, sector - PARTITION) if size else b""
    else:
        ads = b"".join(
            _AD.pack(min(MAX_EXTENT, size - done), sector - PARTITION + done // SECTOR)
            for done in range(0, size, MAX_EXTENT)
        )
    return _entry(block, entry, size, ads)


def symlink_entry(block: int, entry: FileEntry, components: bytes) -> bytes:
    """A file entry that holds a symlink's path components itself; its head says `IN_ICB`."""
    return _entry(block, entry, len(components), components)


@lru_cache(maxsize=4096)
def entry_head(owned: Owned, placement: int = 0) -> bytes:
    """The first fields of a file entry; ``placement`` 3 puts the data into the entry itself."""
    file_type, mode, uid, gid, links = owned
    bits, flags = permissions(mode)
    # ICB tag of strategy 4 (this entry only), owners, permissions, links, no record format
    icb = (0, 4, 0, 1, 0, file_type, 0, 0, flags | placement)
    return _HEAD.pack(*icb, uid, gid, bits, min(links, MAX_LINKS), 0, 0, 0)


def _entry(block: int, entry: FileEntry, size: int, ads: bytes) -> bytes:
    head, stamp, unique = entry
    blocks = 0 if head[_FLAGS_AT] & 7 else (size + SECTOR - 1) // SECTOR
    rest = _REST.pack(size, blocks, stamp, stamp, stamp, 1, IMPLEMENTATION, unique, 0, len(ads))
    return tagged(FILE_ENTRY, head + rest + ads, block)


def identifier_bytes(stored: bytes) -> int:
    """Length of the file identifier for a stored name (compression byte included)."""
    return FID_HEAD + len(stored) + 3 & ~3


def file_identifier(block: int, stored: bytes, icb: tuple[int, int], *, directory: bool) -> bytes:
    """A file identifier starting in ``block``; ``icb`` is the block of the file entry and the unique id."""
    body = _FID.pack(1, 2 if directory else 0, len(stored), long_ad(SECTOR, *icb), 0) + stored
    return tagged(FILE_IDENTIFIER, body + bytes(-(len(body) + 16) % 4), block)


def parent_identifier(block: int, icb: tuple[int, int]) -> bytes:
    """The first identifier of a directory: its parent, without a name."""
    return tagged(FILE_IDENTIFIER, _FID.pack(1, 0x0A, 0, long_ad(SECTOR, *icb), 0) + bytes(2), block)


def path_components(target: bytes) -> bytes | None:
    """A symlink's target in UDF's form; None if it is no UTF-8, or too long."""
    try:
        parts = target.decode().split("/")
    except UnicodeDecodeError:
        return None
    out = [bytes((_PATH_ROOT, 0, 0, 0))] if target.startswith(b"/") else []
    for part in filter(None, parts):
        stored = cs0(part)
        if len(stored) > 255:
            return None
        if part in {".", ".."}:
            out.append(bytes((_PATH_CURRENT if part == "." else _PATH_PARENT, 0, 0, 0)))
        else:
            out.append(bytes((_PATH_NAME, len(stored), 0, 0)) + stored)
    data = b"".join(out)
    return data if len(data) <= SECTOR - 176 else None
