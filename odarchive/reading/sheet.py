"""Usual files of one directory on their way from who reads them into the catalogue: bytes that nobody takes apart.

A scan is as fast as the least is done for each file. So a reader lays the rows out as the database will want them, and
what lies between passes them on whole. The C code reads and writes the same layout (``reading/native_c/native.h``).

A sheet is empty, or: how many files (8 bytes) and the sum of their sizes (8 bytes); their rows; their names, ascending,
each with a zero byte behind it. Byte order and ranges are those of the machine: sheets never leave it.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import starmap

Plain = tuple[bytes, int, int, int, int, int, int, int, int, bytes | None]
"""Name, st_mode, st_uid, st_gid, st_size, st_mtime_ns, st_ctime_ns, st_dev, st_ino (0: too fresh), BLAKE3 (or None).

The size is below ``digest.BLOCK``; the last five numbers fit into 64 signed bits.
"""

Sheet = bytes

LAYOUT = 3
"""Changes with every change of what the extensions take and give: one that was built before is left alone."""

EMPTY: Sheet = b""

_HEAD = struct.Struct("=QQ")
_ROW = struct.Struct("=IIIIqqqq32s")
"""``Plain`` without its name; files without bytes have no digest."""
_NO_DIGEST = bytes(32)


def packed(rows: Iterable[Plain]) -> Sheet:
    """Rows in any order as a sheet."""
    ordered = sorted(rows)
    if not ordered:
        return EMPTY
    head = _HEAD.pack(len(ordered), sum(row[4] for row in ordered))
    body = b"".join(_ROW.pack(*row[1:9], row[9] or _NO_DIGEST) for row in ordered)
    return head + body + b"".join(row[0] + b"\0" for row in ordered)


def count(sheet: Sheet) -> int:
    """How many files."""
    return int(_HEAD.unpack_from(sheet)[0]) if sheet else 0


def total(sheet: Sheet) -> int:
    """Bytes of all files."""
    return int(_HEAD.unpack_from(sheet)[1]) if sheet else 0


def names(sheet: Sheet) -> list[bytes]:
    """Ascending."""
    return sheet[_HEAD.size + count(sheet) * _ROW.size :].split(b"\0")[:-1]


def rows(sheet: Sheet) -> Iterator[Plain]:
    """The files, ascending by name."""
    end = _HEAD.size + count(sheet) * _ROW.size
    facts = _ROW.iter_unpack(sheet[_HEAD.size : end] if sheet else b"")
    return starmap(_plain, zip(names(sheet), facts, strict=True))


def _plain(name: bytes, fact: tuple[int, int, int, int, int, int, int, int, bytes]) -> Plain:
    return name, *fact[:8], fact[8] if fact[3] else None
