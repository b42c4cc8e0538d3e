"""What a file has beside its bytes and its stat: extended attributes (ACLs are such) and holes, as one value each.

The forms are those of the catalogue's tables ``xattrs`` and ``holes``. Not for deciding whether they changed: a file
system moves ctime when an attribute changes.
"""

import errno
import os
import struct

_ATTRIBUTE = struct.Struct(">HI")
_HOLE = struct.Struct(">QQ")
SPARSE = 1 << 16
"""Files below this size (bytes) are not worth a hole."""
HOLES = 100_000
"""Holes of one file that are kept; a file with more is kept without the rest, its bytes are zeros there anyway."""
_NONE = {errno.ENOTSUP, errno.ENODATA, errno.ENOENT, errno.EPERM, errno.EACCES, errno.ELOOP, errno.ENOSYS}


def xattrs_of(place: int | bytes) -> bytes | None:
    """All extended attributes of an open file, or of a path whose symlink is not followed; None: it has none.

    Attributes that this process may not read are left out, as is the whole set where there is no such thing.
    """
    try:
        names = os.listxattr(place) if isinstance(place, int) else os.listxattr(place, follow_symlinks=False)
        if not names:
            return None
        return b"".join(_packed(place, name) for name in sorted(map(os.fsencode, names))) or None
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise


def _packed(place: int | bytes, name: bytes) -> bytes:
    try:
        value = os.getxattr(place, name) if isinstance(place, int) else os.getxattr(place, name, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NONE:
            return b""
        raise
    return _ATTRIBUTE.pack(len(name), len(value)) + name + value


def holes_of(fd: int, stat: os.stat_result) -> bytes | None:
    """The holes of an open file; None: it has none, or its file system cannot tell."""
    size = stat.st_size
    if size < SPARSE or stat.st_blocks * 512 >= size:
        return None
    found: list[bytes] = []
    at = 0
    try:
        while at < size and len(found) < HOLES:
            start = os.lseek(fd, at, os.SEEK_HOLE)
            if start >= size:
                break
            try:
                at = os.lseek(fd, start, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # no data behind it
                    raise
                at = size
            found.append(_HOLE.pack(start, at - start))
    except OSError:
        return None  # a file system without SEEK_HOLE: its zeros are kept as bytes
    return b"".join(found) or None
