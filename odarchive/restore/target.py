"""The folder a restore writes into, and nothing outside of it.

Every name is reached from the folder's descriptor, one component at a time, without following a symlink; a file is
written under a temporary name that did not exist, checked by its digest, given its attributes and only then renamed to
its place. So what has a name is right, and a run that was broken off can be repeated: what is there already with its
size and time is left alone. Nothing that somebody else put there is replaced.

Concurrency: one run per folder (a lock on it); one thread.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from blake3 import blake3

from odarchive.catalogue.wanted import Item
from odarchive.digest import BLOCK
from odarchive.errors import DamageFound, Locked, NoSpace, OdarchiveError, is_full

HOLE = 65_536
"""Aligned runs of this many zeros become holes."""
TEMPORARY = b".odarchive-restore-"
_NOTHING = bytes(HOLE)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class InTheWay(Exception):
    """Something else has the name already, or a name leads nowhere; the message says which."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What is restored beside the bytes: owners need root, set-id bits are given only when asked for."""

    owners: bool
    set_id: bool = False
    recheck: bool = False
    """Read files that are there already and compare their digest, instead of believing size and time."""


class Target:
    """An opened folder; a context manager.

    Raises:
        Locked: another restore writes into it.
        OdarchiveError: it cannot be made or opened.
    """

    def __init__(self, folder: Path, manner: Manner) -> None:
        self._manner = manner
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise OdarchiveError(f"{folder} cannot be restored into: {error.strerror}; name another folder") from error
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._root)
            raise Locked(f"another restore writes into {folder}; wait for it") from None
        self._count = 0
        self.folder = folder
        for name in os.listdir(self._root):
            if os.fsencode(name).startswith(TEMPORARY):
                os.unlink(name, dir_fd=self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def there(self, item: Item) -> bool:
        """Whether a file is there as it should be, by size and time (and digest never)."""
        try:
            with self._parent(item.path, make=False) as (parent, name):
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (InTheWay, OSError):
            return False
        return stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (item.size, item.mtime_ns)

    def right(self, item: Item, digest: bytes | None) -> bool:
        """The same, and if a recheck was asked for its bytes are read and have the digest."""
        if not self.there(item):
            return False
        if not self._manner.recheck or digest is None:
            return True
        with self._parent(item.path, make=False) as (parent, name):
            with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent), "rb") as file:
                hasher = blake3()
                while block := file.read(BLOCK):
                    hasher.update(block)
            if hasher.digest() == digest:
                return True
            os.unlink(name, dir_fd=parent)  # it has our size and time and other bytes: an earlier run lost its end
        return False

    def directory(self, item: Item) -> None:
        """Make a directory with what leads to it; it keeps a working mode until :meth:`finish`."""
        with self._parent(item.path + b"/.", make=True):
            pass

    def finish(self, item: Item) -> None:
        """A directory's attributes, when nothing more is written into it."""
        with self._parent(item.path + b"/.", make=False) as (folder, _):
            self._dress(folder, item)

    def landing(self, size: int) -> "Landing":
        """A new temporary file for the bytes of a content."""
        name = self._fresh()
        return Landing(self._root, name, os.open(name, _NEW, 0o600, dir_fd=self._root), size)

    def place(self, landing: "Landing", item: Item) -> None:
        """Give checked bytes their attributes and their name."""
        self._dress(landing.descriptor, item)
        self._rename(landing.name, item)

    def duplicate(self, descriptor: int, item: Item) -> None:
        """Another file of its own with the same bytes."""
        with self.landing(item.size) as copy:
            copy.fill(descriptor)
            self.place(copy, item)

    def empty(self, item: Item) -> None:
        """A file without bytes."""
        with self.landing(0) as nothing:
            self.place(nothing, item)

    def link(self, first: Item, other: Item) -> None:
        """Another name of a restored file."""
        there, here = self._parent(first.path, make=False), self._parent(other.path, make=True)
        with there as (source, old), here as (parent, new):
            if self._same(source, old, parent, new):
                return
            try:
                os.link(old, new, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError:
                raise InTheWay("something else has this name already") from None

    def symlink(self, item: Item) -> None:
        """A symlink; what it points to is never looked at."""
        if item.target is None:
            raise InTheWay("the catalogue has no target for this symlink")
        with self._parent(item.path, make=True) as (parent, name):
            try:
                os.symlink(item.target, name, dir_fd=parent)
            except FileExistsError:
                if _target(parent, name) != item.target:
                    raise InTheWay("something else has this name already") from None
            if self._manner.owners:
                os.chown(name, item.uid, item.gid, dir_fd=parent, follow_symlinks=False)
            os.utime(name, ns=(item.mtime_ns, item.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _fresh(self) -> bytes:
        self._count += 1
        return TEMPORARY + b"%d-%d" % (os.getpid(), self._count)

    def _rename(self, temporary: bytes, item: Item) -> None:
        with self._parent(item.path, make=True) as (parent, name):
            try:
                os.stat(name, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                os.rename(temporary, name, src_dir_fd=self._root, dst_dir_fd=parent)
            else:
                raise InTheWay("something else has this name already")

    def _dress(self, descriptor: int, item: Item) -> None:
        mode = stat.S_IMODE(item.mode)
        if not stat.S_ISDIR(item.mode) and not self._manner.set_id:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
        if self._manner.owners:
            os.fchown(descriptor, item.uid, item.gid)
        for name, value in item.attributes():
            if name.startswith((b"user.", b"system.posix_acl_")) or (self._manner.owners and self._manner.set_id):
                with suppress(OSError):  # a file system that knows no such attribute keeps the file all the same
                    os.setxattr(descriptor, name, value)
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(item.mtime_ns, item.mtime_ns))

    @staticmethod
    def _same(source: int, old: bytes, parent: int, new: bytes) -> bool:
        try:
            one = os.stat(old, dir_fd=source, follow_symlinks=False)
            two = os.stat(new, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)

    @contextmanager
    def _parent(self, path: bytes, *, make: bool) -> Iterator[tuple[int, bytes]]:
        """The descriptor of the directory that a path lies in, and its last component.

        Raises:
            InTheWay: a component is no name, or a symlink or file stands where a directory should be.
        """
        *folders, name = path.split(b"/")
        for part in folders if name == b"." else (*folders, name):
            if part in (b"", b".", b"..") or b"\0" in part:
                raise InTheWay("this path could lead out of the folder")
        at = os.dup(self._root)
        try:
            for part in folders:
                below = _into(at, part, make=make)
                os.close(at)
                at = below
            yield at, name
        finally:
            os.close(at)


class Landing:
    """A file on its way: bytes in, at any offset, then checked; gone at the end unless it was renamed."""

    def __init__(self, root: int, name: bytes, descriptor: int, size: int) -> None:
        self._root = root
        self.name = name
        self.descriptor = descriptor
        self._size = size
        self._hasher = blake3()
        self._hashed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset; hashing is free as long as they come in order.

        Raises:
            NoSpace: the disk is full.
        """
        if offset == self._hashed:
            self._hasher.update(data)
            self._hashed += len(data)
        try:
            for at in range(0, len(data), HOLE):
                block = data[at : at + HOLE]
                if block != _NOTHING[: len(block)]:
                    os.pwrite(self.descriptor, block, offset + at)
        except OSError as error:
            if is_full(error):
                raise NoSpace("the disk that is restored to is full; free some space and run it again") from error
            raise

    def fill(self, source: int) -> None:
        """All bytes of another file."""
        offset = 0
        while block := os.pread(source, min(BLOCK, max(self._size - offset, 0)), offset):
            self.write(offset, block)
            offset += len(block)
        os.ftruncate(self.descriptor, self._size)

    def check(self, digest: bytes) -> None:
        """Believe the bytes or not.

        Raises:
            DamageFound: they are not the content.
        """
        os.ftruncate(self.descriptor, self._size)
        found = self._hasher.digest()
        if self._hashed != self._size:
            hasher, offset = blake3(), 0
            while block := os.pread(self.descriptor, BLOCK, offset):
                hasher.update(block)
                offset += len(block)
            found = hasher.digest()
        if found != digest:
            raise DamageFound("the bytes that came have another digest")

    def close(self) -> None:
        """Let go of it; harmless to repeat."""
        if self.descriptor < 0:
            return
        os.close(self.descriptor)
        self.descriptor = -1
        with suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self._root)


def _into(at: int, part: bytes, *, make: bool) -> int:
    for _ in range(2):
        try:
            folder = os.open(part, _FOLDER, dir_fd=at)
        except FileNotFoundError:
            if not make:
                raise InTheWay("a folder on the way is not there") from None
            with suppress(FileExistsError):
                os.mkdir(part, 0o700, dir_fd=at)
            continue
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise InTheWay("a symlink or a file stands where a folder should be") from None
            raise
        if make:
            _writable(folder)
        return folder
    raise InTheWay("a folder on the way vanishes as soon as it is made")


def _writable(folder: int) -> None:
    """A folder of an earlier run may have its final mode already, without write permission."""
    found = os.fstat(folder)
    if found.st_uid == os.geteuid() and found.st_mode & 0o700 != 0o700:
        os.fchmod(folder, stat.S_IMODE(found.st_mode) | 0o700)


def _target(parent: int, name: bytes) -> bytes | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None
