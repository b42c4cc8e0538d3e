"""UDF file entries and file identifiers. Pure.

Not for the volume (`udf_volume`) and not for deciding where anything lies (`layout`).

Facts: ECMA-167 4/14.9 (file entry), 4/14.4 (file identifier), 4/14.14.1 (short allocation descriptors; an extent holds
at most 2^30 - 2048 bytes here so that each is whole sectors), 4/14.16 (path components of a symlink), UDF 1.02 2.3.
"""

from array import array
from functools import lru_cache
from struct import Struct

from odarchive.image.bridge.names import cs0
from odarchive.image.bridge.sectors import PARTITION, SECTOR
from odarchive.image.bridge.udf_volume import FILE_ENTRY, FILE_IDENTIFIER, IMPLEMENTATION, tagged

MAX_EXTENT = 0x3FFFF800
MAX_EXTENTS = (SECTOR - 176) // 8  # 234 short descriptors in the one sector of a file entry
MAX_FILE = MAX_EXTENTS * MAX_EXTENT
MAX_LINKS = 0xFFFF
FILE_TYPES = array("B", [4, 5, 12])  # directory, file, symlink: by kind of node
FIRST_UNIQUE_ID = 16
FID_HEAD = 38
DIRECTORY_FID, PARENT_OF = 2, 0x0A  # file characteristics
PARENT_FID = 40

_HEAD = Struct("<IHHHBBIHHIIIHBBI")
_REST = Struct("<QQ12s12s12sI16x32sQII")  # from the information length on
_FID = Struct("<HBBIIHHIH")
_PADS = (b"", b"\0\0\0", b"\0\0", b"\0")
_AD = Struct("<II")
IN_ICB = 3  # placement of data: flags bits 0-2: the data stand in the entry itself
_PATH_ROOT, _PATH_PARENT, _PATH_CURRENT, _PATH_NAME = 2, 3, 4, 5


def unique_id(number: int) -> int:
    """The unique id of the node with this number: 0 for the root, 1-15 are reserved (UDF 3.2.1.1)."""
    return number + FIRST_UNIQUE_ID if number else 0


def permissions(mode: int) -> tuple[int, int]:
    """UDF permissions (five bits each for other, group, owner) and the ICB flags of setuid, setgid and sticky."""
    bits = mode & 7 | (mode & 0o70) << 2 | (mode & 0o700) << 4
    return bits, mode >> 9 >> 2 << 6 | (mode >> 9 >> 1 & 1) << 7 | (mode >> 9 & 1) << 8


@lru_cache(maxsize=4096)
def entry_head(file_type: int, mode: int, uid: int, gid: int, links: int, placement: int = 0) -> bytes:
    """The first fields of a file entry, which many share.

    ``links`` is the number of identifiers that name it; ``placement`` says where the data are: `IN_ICB` or elsewhere.
    """
    bits, flags = permissions(mode)
    # ICB tag of strategy 4 (this entry only), owners, permissions, links, no record format
    icb = (0, 4, 0, 1, 0, file_type, 0, 0, flags | placement)
    return _HEAD.pack(*icb, uid, gid, bits, min(links, MAX_LINKS), 0, 0, 0)


def file_entry(block: int, head: bytes, stamp: bytes, unique: int, size: int, sector: int) -> bytes:
    """A file entry, one block; its data start at ``sector`` of the image."""
    if size <= MAX_EXTENT:
        ads = _AD.pack(size, sector - PARTITION) if size else b""
    else:
        ads = b"".join(
            _AD.pack(min(MAX_EXTENT, size - done), sector - PARTITION + done // SECTOR)
            for done in range(0, size, MAX_EXTENT)
        )
    blocks = (size + SECTOR - 1) // SECTOR
    rest = _REST.pack(size, blocks, stamp, stamp, stamp, 1, IMPLEMENTATION, unique, 0, len(ads))
    return tagged(FILE_ENTRY, head + rest + ads, block).ljust(SECTOR, b"\0")


def symlink_entry(block: int, head: bytes, stamp: bytes, unique: int, components: bytes) -> bytes:
    """A file entry that holds a symlink's path components itself, as its head has to say: `IN_ICB`."""
    length = len(components)
    rest = _REST.pack(length, 0, stamp, stamp, stamp, 1, IMPLEMENTATION, unique, 0, length)
    return tagged(FILE_ENTRY, head + rest + components, block).ljust(SECTOR, b"\0")


def identifier_bytes(stored: bytes) -> int:
    """Length of the file identifier for a stored name (compression byte included)."""
    return FID_HEAD + len(stored) + 3 & ~3


def file_identifier(block: int, stored: bytes, entry_block: int, unique: int, characteristics: int = 0) -> bytes:
    """A file identifier starting in ``block``, which names the file entry at ``entry_block``."""
    length = len(stored)
    # file version 1; a long allocation descriptor into partition 0 with the unique id; no implementation use
    head = _FID.pack(1, characteristics, length, SECTOR, entry_block, 0, 0, unique, 0)
    return tagged(FILE_IDENTIFIER, head + stored + _PADS[length + FID_HEAD & 3], block)


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
