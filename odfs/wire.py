"""The FUSE protocol as far as a read-only file system speaks it: requests of the kernel, replies, notifications.

Pure codecs; the loop is in ``direct``, the meaning in ``answers``. Source: ``linux/fuse.h`` of Linux 6.18 (protocol
7.45), of which everything used here is in 7.31 (Linux 5.4) but passthrough, which is in 7.40 (Linux 6.9) and
negotiated. Numbers are of this machine's byte order, as the kernel's are.
"""

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

MAJOR = 7
MINOR = 45
OLDEST_MINOR = 31
ROOM = 64 << 10
"""Bytes of a buffer for one request; the kernel wants 8 KiB and more than ``MAX_WRITE``."""
MAX_WRITE = 4096
"""Nothing is ever written, so nothing large comes."""
MAX_PAGES = 256
"""Of one read: 1 MiB."""

IN = 40
"""Bytes of a request's header."""
OUT = 16
"""Bytes of a reply's header."""


class Op(IntEnum):
    """Requests that are answered with more than an errno."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    READLINK = 5
    OPEN = 14
    READ = 15
    STATFS = 17
    RELEASE = 18
    GETXATTR = 22
    LISTXATTR = 23
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42
    READDIRPLUS = 44


CHANGES = frozenset({4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 24, 35, 43, 45, 47, 51})
"""SETATTR, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, WRITE, SETXATTR, REMOVEXATTR, CREATE, FALLOCATE,
RENAME2, COPY_FILE_RANGE and TMPFILE: refused with EROFS."""


class Init(IntFlag):
    """Abilities, negotiated in INIT (``FUSE_*`` of the header)."""

    ASYNC_READ = 1 << 0
    EXPORT_SUPPORT = 1 << 4
    AUTO_INVAL_DATA = 1 << 12
    DO_READDIRPLUS = 1 << 13
    READDIRPLUS_AUTO = 1 << 14
    PARALLEL_DIROPS = 1 << 18
    ABORT_ERROR = 1 << 21
    MAX_PAGES = 1 << 22
    CACHE_SYMLINKS = 1 << 23
    INIT_EXT = 1 << 30
    PASSTHROUGH = 1 << 37


WANTED = (
    Init.ASYNC_READ
    | Init.EXPORT_SUPPORT
    | Init.DO_READDIRPLUS
    | Init.READDIRPLUS_AUTO
    | Init.PARALLEL_DIROPS
    | Init.ABORT_ERROR
    | Init.MAX_PAGES
    | Init.CACHE_SYMLINKS
    | Init.INIT_EXT
)
"""Without AUTO_INVAL_DATA: contents never change, so no change of attributes may cost the cached pages."""


class Open(IntFlag):
    """Flags of the reply to OPEN (``FOPEN_*``)."""

    KEEP_CACHE = 2
    NOFLUSH = 32
    PASSTHROUGH = 128


HEADER = struct.Struct("=IIQQIIIHH")
"""Of a request: length, opcode, unique, node, uid, gid, pid, extensions."""
REPLY = struct.Struct("=IiQ")
"""Of a reply: length, negative errno, unique."""
_ATTRIBUTES = "QQQqqqIIIIIIIIII"
"""struct fuse_attr: ino, size, blocks, 3 x seconds, 3 x nanoseconds, mode, nlink, uid, gid, rdev, blksize, flags."""
_ENTRY = "QQQQII" + _ATTRIBUTES
"""struct fuse_entry_out: node, generation, 2 x timeout in seconds, in nanoseconds, attributes."""
ENTRY = struct.Struct("=IiQ" + _ENTRY)
ATTR = struct.Struct("=IiQ" + "QII" + _ATTRIBUTES)
OPENED = struct.Struct("=IiQ" + "QIi")
STATFS = struct.Struct("=IiQ" + "QQQQQIIII24x")
XATTR_SIZE = struct.Struct("=IiQ" + "II")
DIRENT = struct.Struct("=QQII")
"""ino, cookie, length of the name, type; the name follows, padded to 8 bytes."""
DIRENTPLUS = struct.Struct("=" + _ENTRY + "QQII")

OPEN_IN = struct.Struct("=II")
READ_IN = struct.Struct("=QQIIQII")
HANDLE_IN = struct.Struct("=Q")
SIZE_IN = struct.Struct("=II")
UNIQUE_IN = struct.Struct("=Q")
_INIT_IN = struct.Struct("=IIIII")
_INIT_OUT = struct.Struct("=IiQ" + "IIIIHHIIHHIIH22x")
_INVALIDATE_INODE = struct.Struct("=IiQ" + "Qqq")
_INVALIDATE_ENTRY = struct.Struct("=IiQ" + "QII")
_NOTIFY_INODE, _NOTIFY_ENTRY = 2, 3

STACK_DEPTH = 1
"""Files that the kernel reads itself may lie on a plain file system; overlayfs may lie on ours."""


class Kernel(NamedTuple):
    """What the kernel said in INIT."""

    major: int
    minor: int
    read_ahead: int
    abilities: Init


def parse_init(request: bytes) -> Kernel:
    """The body of INIT. Kernels before ``INIT_EXT`` send less.

    Raises:
        ValueError: too short.
    """
    body = request[IN:].ljust(_INIT_IN.size, b"\0")
    if len(request) < IN + 8:
        raise ValueError("INIT is too short")
    major, minor, read_ahead, low, high = _INIT_IN.unpack_from(body)
    return Kernel(major, minor, read_ahead, Init(low | (high << 32 if low & Init.INIT_EXT else 0)))


def init_reply(unique: int, read_ahead: int, abilities: Init, max_background: int) -> bytes:
    """The answer to INIT; ``read_ahead`` in bytes."""
    low, high = abilities & 0xFFFFFFFF, abilities >> 32
    depth = STACK_DEPTH if Init.PASSTHROUGH in abilities else 0
    congestion = max_background * 3 // 4
    return _INIT_OUT.pack(  # a minor version above the kernel's own says no more than its own
        *(_INIT_OUT.size, 0, unique, MAJOR, MINOR, read_ahead, low, max_background, congestion),
        *(MAX_WRITE, 1, MAX_PAGES, 0, high, depth, 0),
    )


def error_reply(unique: int, number: int) -> bytes:
    """An errno, or 0 for "done"."""
    return REPLY.pack(OUT, -number, unique)


def data_reply(unique: int, data: bytes) -> bytes:
    """Bytes: a symlink's target, a list of names, part of a directory."""
    return REPLY.pack(OUT + len(data), 0, unique) + data


def dirent(name: bytes, ino: int, kind: int, cookie: int) -> bytes:
    """One line of READDIR; ``kind`` is ``st_mode >> 12``."""
    return DIRENT.pack(ino, cookie, len(name), kind) + name + b"\0" * (-len(name) % 8)


def invalidate_inode(ino: int) -> bytes:
    """A notification: ask for the attributes again. The cached pages stay (a negative offset)."""
    return _INVALIDATE_INODE.pack(_INVALIDATE_INODE.size, _NOTIFY_INODE, 0, ino, -1, 0)


def invalidate_entry(parent: int, name: bytes) -> bytes:
    """A notification: look this name up again."""
    size = _INVALIDATE_ENTRY.size + len(name) + 1
    return _INVALIDATE_ENTRY.pack(size, _NOTIFY_ENTRY, 0, parent, len(name), 0) + name + b"\0"
