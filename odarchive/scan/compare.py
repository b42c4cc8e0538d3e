"""Pure: names on disk beside rows of the catalogue, and what stat's answer means for them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from stat import S_IFMT

from odarchive.catalogue.entries import Version
from odarchive.reading.folder import Stat

_MAX = (1 << 63) - 1

Facts = tuple[int, int, int, int, int, int, int, int]
"""mode, uid, gid, size, mtime, ctime, dev, ino."""

Rows = tuple[Version | None, Version | None]
"""What the catalogue has of a name: the open version, the pending version."""

Pair = tuple[bytes, bool, Rows]
"""Name, whether it is on disk, its rows."""


def paired(names: Sequence[bytes], rows: Iterable[Version], snapshot: int) -> Iterator[Pair]:
    """Merge the names on disk with the rows of the catalogue; both ascend in bytes order."""
    ahead = iter(rows)
    row = next(ahead, None)
    for name in names:
        while row is not None and row.name < name:
            gone = row.name
            found, row = _take(row, ahead, snapshot)
            yield gone, False, found
        if row is not None and row.name == name:
            found, row = _take(row, ahead, snapshot)
            yield name, True, found
        else:
            yield name, True, (None, None)
    while row is not None:
        gone = row.name
        found, row = _take(row, ahead, snapshot)
        yield gone, False, found


def _take(row: Version, ahead: Iterator[Version], snapshot: int) -> tuple[Rows, Version | None]:
    """The rows of the name of ``row``, and the first row of the next name."""
    base = pending = None
    name = row.name
    following: Version | None = row
    while following is not None and following.name == name:
        if following.since == snapshot:
            pending = following
        else:
            base = following
        following = next(ahead, None)
    return (base, pending), following


def as_it_was(rows: Rows, now: tuple[int, ...], nlink: int) -> bool:
    """Whether a file or symlink with one name is exactly as the open version says, so that nothing is to be done."""
    base, pending = rows
    return (
        base is not None
        and pending is None
        and base[8:] == now
        and nlink == 1
        and base.nlink == 1
        and base.until is None
    )


def facts(stat: os.stat_result, size: int) -> Facts:
    """mode, uid, gid, size, mtime, ctime, dev, ino as ``Version[8:]`` holds them.

    Numbers are brought into the 64 signed bits a database has: inode numbers of some network file systems use the top
    bit (they keep their identity), file times past the year 2262 do not fit (they become the last instant that does).
    """
    mtime, ctime, dev, ino = stat.st_mtime_ns, stat.st_ctime_ns, stat.st_dev, stat.st_ino
    if not (-_MAX <= mtime <= _MAX and -_MAX <= ctime <= _MAX and dev <= _MAX and ino <= _MAX):
        mtime, ctime, dev, ino = _clamp(mtime), _clamp(ctime), _signed(dev), _signed(ino)
    return stat.st_mode, stat.st_uid, stat.st_gid, size, mtime, ctime, dev, ino


def told(stat: Stat, size: int) -> Facts:
    """The same of a stat that came from another process."""
    mode, uid, gid, _, mtime, ctime, dev, ino, _ = stat
    if not (-_MAX <= mtime <= _MAX and -_MAX <= ctime <= _MAX and dev <= _MAX and ino <= _MAX):
        mtime, ctime, dev, ino = _clamp(mtime), _clamp(ctime), _signed(dev), _signed(ino)
    return mode, uid, gid, size, mtime, ctime, dev, ino


def _clamp(value: int) -> int:
    return max(-_MAX, min(_MAX, value))


def _signed(value: int) -> int:
    return value if value <= _MAX else value - (1 << 64)


def unchanged(row: Version, now: tuple[int, ...]) -> bool:
    """Whether type, size, mtime, ctime and inode say that the bytes are those recorded.

    The device number is left out: it is another one after the next reboot or when a drive is plugged in again.
    """
    return (
        S_IFMT(row.mode) == S_IFMT(now[0])
        and (row.size, row.mtime_ns, row.ctime_ns) == (now[3], now[4], now[5])
        and row.src_ino == now[7]
    )


def same_bytes(row: Version | None, other: Version, *, fresh: bool) -> bool:
    """Whether a recorded version is the same kind of thing with the same content; ``fresh``: new to the catalogue."""
    return (
        row is not None
        and not fresh
        and S_IFMT(row.mode) == S_IFMT(other.mode)
        and (row.content, row.target) == (other.content, other.target)
    )
