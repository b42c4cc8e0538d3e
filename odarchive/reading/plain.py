"""The usual file, read with as little as can be done: one name, no attributes, no holes, small, and at rest.

Nine in ten files of most trees are such, and a scan is as fast as this module, so it has a twin in C (``native``).
Anything else is left to ``folder``.
"""

import errno
import os
from collections.abc import Sequence
from stat import S_ISREG

from blake3 import blake3

from odarchive.digest import BLOCK, content_digest
from odarchive.reading import native
from odarchive.reading.attributes import SPARSE
from odarchive.reading.sheet import Plain, Sheet, packed

# O_NONBLOCK: opening a FIFO that took a file's place must not wait for a writer.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
COARSE_NS = 2_000_000_000
"""Steps of the coarsest clock among usual file systems (FAT); its times are whole seconds."""
TICK_NS = 50_000_000
"""More than the step of Linux's own file times (one scheduler tick, at most 10 ms)."""
SECOND_NS = 1_000_000_000
_MAX = (1 << 63) - 1


def too_fresh(mtime: int, ctime: int, read_ns: int) -> bool:
    """Whether a file read at ``read_ns`` could change afterwards and keep its times (git: racily clean)."""
    latest = max(ctime, mtime)
    if latest <= read_ns - COARSE_NS:
        return False
    step = COARSE_NS if mtime % SECOND_NS == 0 and ctime % SECOND_NS == 0 else TICK_NS
    return latest > read_ns - step


def _usual(stat: os.stat_result) -> bool:
    if not S_ISREG(stat.st_mode) or stat.st_nlink != 1 or stat.st_size >= BLOCK:
        return False
    if stat.st_size >= SPARSE and stat.st_blocks * 512 < stat.st_size:
        return False
    return (
        -_MAX <= stat.st_mtime_ns <= _MAX
        and -_MAX <= stat.st_ctime_ns <= _MAX
        and max(stat.st_ino, stat.st_dev) <= _MAX
    )


def _has_attributes(fd: int) -> bool:
    try:
        return bool(os.listxattr(fd))
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return False
        raise


def read_plain(folder: int, name: bytes, read_ns: int) -> Plain | None:
    """Read a usual file of an open directory; None: it is none, or something goes wrong, so it goes the long way.

    ``read_ns``: a time before reading, nanoseconds since the epoch.
    """
    try:
        fd = os.open(name, FILE, dir_fd=folder)
    except OSError:
        return None
    try:
        stat = os.fstat(fd)
        size, mtime, ctime, inode = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
        if not _usual(stat) or _has_attributes(fd):
            return None
        digest = None
        if size:
            data = os.read(fd, size + 1)
            after = os.fstat(fd)
            if len(data) != size or (after.st_mtime_ns, after.st_ctime_ns, after.st_size) != (mtime, ctime, size):
                return None
            digest = content_digest(data)
            if too_fresh(mtime, ctime, read_ns):
                inode = 0
    except OSError:
        return None
    finally:
        os.close(fd)
    return name, stat.st_mode, stat.st_uid, stat.st_gid, size, mtime, ctime, stat.st_dev, inode, digest


def read_usual(folder: int, names: Sequence[bytes], read_ns: int) -> tuple[Sheet, list[bytes]]:
    """Read many names of an open directory, each once; what ``read_plain`` gives, and names that go the long way."""
    if native.functions is not None:
        return native.functions.read_usual(folder, names, read_ns, blake3)
    rows: list[Plain] = []
    rest: list[bytes] = []
    for name in names:
        plain = read_plain(folder, name, read_ns)
        if plain is None:
            rest.append(name)
        else:
            rows.append(plain)
    return packed(rows), rest
