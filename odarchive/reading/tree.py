"""Reading a source's tree so that nobody who writes in it can lead the scan elsewhere.

Every name is opened relative to the descriptor of its directory and never through a symlink; what was read is the file
that was looked at, or it is read again. Names and paths are bytes; nothing is decoded.

Not for deciding what anything means (``scanner``, ``compare``).
"""

import os
from collections.abc import Callable
from operator import itemgetter
from stat import S_ISREG
from typing import NamedTuple, Self

from odarchive.digest import BLOCK, content_digest, mapped_digest, stream_digest
from odarchive.reading import native
from odarchive.reading.attributes import holes_of, xattrs_of
from odarchive.reading.plain import FILE

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ATTEMPTS = 3
"""Readings of a file that changes under the reader before it is reported."""
HELD = 200
"""Descriptors held for one path; deeper trees are walked down again from there (the usual limit is 1,024 a process)."""


class Unreadable(Exception):
    """A name that cannot be archived now; ``str()`` is the reason for a person."""


class Tree:
    """An opened source; a context manager.

    Raises:
        OSError: the path is no directory or cannot be opened.
    """

    def __init__(self, path: bytes) -> None:
        self.path = path
        self._names: list[bytes] = []
        self._fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        self.root = os.fstat(self._fds[0])

    def present(self) -> bool:
        """Whether the source is still there: same directory at its path, and it can be listed."""
        try:
            now = os.stat(self.path)
            with os.scandir(self._fds[0]) as entries:
                next(entries, None)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (self.root.st_dev, self.root.st_ino)

    def enter(self, path: bytes) -> int:
        """A descriptor of the directory ``path`` (relative to the source), good until the next call.

        Cheap when the walk goes in order: only what differs from the last path is opened.
        """
        parts = path.split(b"/") if path else []
        keep = 0
        for old, new in zip(self._names, parts, strict=False):
            if old != new:
                break
            keep += 1
        if len(self._fds) != len(self._names) + 1:  # the last descriptor stands for a deeper path than its place
            keep = min(keep, len(self._fds) - 2)
        self._close_to(keep)
        for part in parts[keep:]:
            fd = os.open(part, _FOLDER, dir_fd=self._fds[-1])
            if len(self._fds) > HELD:
                os.close(self._fds.pop())
            self._fds.append(fd)
            self._names.append(part)
        return self._fds[-1]

    def _close_to(self, keep: int) -> None:
        del self._names[keep:]
        while len(self._fds) > keep + 1:
            os.close(self._fds.pop())

    def close(self) -> None:
        """Let go of all descriptors."""
        while self._fds:
            os.close(self._fds.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def names(folder: int) -> list[bytes]:
    """The names in an open directory, in bytes order; each once, also where a file system lists one twice."""
    return sorted(set(map(os.fsencode, os.listdir(folder))))


def told_apart(folder: int) -> tuple[list[bytes], list[bytes]]:
    """The names in an open directory that are files by its own word, in the order of their inodes; and the others.

    Each once: a damaged or networked file system may list a name twice.

    Raises:
        OSError: the directory cannot be read.
    """
    if native.functions is not None:
        return native.functions.told_apart(folder)
    files: dict[bytes, int] = {}
    others: dict[bytes, None] = {}
    with os.scandir(b"/proc/self/fd/%d" % folder) as entries:
        for entry in entries:
            if _is_file(entry):
                files[entry.name] = entry.inode()
            else:
                others[entry.name] = None
    by_inode = sorted(files.items(), key=itemgetter(1, 0))
    return [name for name, _ in by_inode], [name for name in others if name not in files]


def _is_file(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:  # a file system that does not say, and a name that cannot be looked at: told when its turn comes
        return False


def look(folder: int, name: bytes) -> os.stat_result:
    """What a name is, symlinks not followed."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


class Bytes(NamedTuple):
    """What reading a regular file gave. The stat is the one its bytes belong to."""

    digest: bytes
    stat: os.stat_result
    xattrs: bytes | None
    holes: bytes | None


def digest_of(
    folder: int, name: bytes, stat: os.stat_result, progress: Callable[[int], None], *, mapped: bool = False
) -> Bytes:
    """BLAKE3 of a regular file with what else belongs to it.

    ``mapped``: large files are read through a memory map, which is faster and kills the process (SIGBUS) when the file
    gets shorter meanwhile or its drive fails: only for processes that may die.

    Raises:
        FileNotFoundError: it is gone.
        Unreadable: it cannot be read, or changed during every attempt.
    """
    for _ in range(ATTEMPTS):
        found = _read(folder, name, stat.st_size, progress, mapped=mapped)
        if _same(stat, found.stat):
            return found._replace(stat=stat)
        stat = look(folder, name)
        if not S_ISREG(stat.st_mode):
            raise Unreadable("became something else than a file while it was read; the next scan will see it")
    raise Unreadable(f"changed during each of {ATTEMPTS} readings; scan again when nothing writes to it")


def _read(folder: int, name: bytes, size: int, progress: Callable[[int], None], *, mapped: bool) -> Bytes:
    """What is there, one byte beyond ``size`` at most, and the stat after reading."""
    try:
        fd = os.open(name, FILE, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    try:
        if size < BLOCK:
            data = os.read(fd, size + 1)
            progress(len(data))
            digest = content_digest(data)
        elif mapped and os.fstat(fd).st_size == size:
            digest = mapped_digest(fd, size, progress)
        else:
            with open(fd, "rb", buffering=0, closefd=False) as file:
                digest, _ = stream_digest(file, size + 1, progress)
        after = os.fstat(fd)
        return Bytes(digest, after, xattrs_of(fd), holes_of(fd, after))
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (
        before.st_ino == after.st_ino
        and before.st_dev == after.st_dev
        and before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_mode == after.st_mode
    )
