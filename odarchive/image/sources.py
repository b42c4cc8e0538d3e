"""Reading the files that go into an image: never through a symlink, never a file that was changed since its scan.

Whether the bytes are the recorded ones is seen by the digests that the writer takes; wrong ones are already in the
image by then, so whoever asked must compare and throw the image away.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blake3 import blake3

from odarchive.digest import BLOCK


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file must still be: size in bytes, modification time in nanoseconds."""

    size: int
    mtime_ns: int


class Unreadable(Exception):
    """A file that cannot be read as it was recorded; the message says why."""


def open_beneath(root: bytes, relative: bytes, expected: Expected) -> int:
    """A descriptor of a regular file below a directory; no component may be a symlink (the root itself may).

    Raises:
        Unreadable: it is gone, of another kind, or was changed.
    """
    *directories, name = relative.split(b"/")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    found = -1
    try:
        found = os.open(root, flags | os.O_DIRECTORY)
        for component in directories:
            found = _step(found, component, flags | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = _step(found, name, flags | os.O_NOFOLLOW)
        about = os.fstat(found)
    except OSError as error:
        if found >= 0:
            os.close(found)
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    problem = ""
    if not stat.S_ISREG(about.st_mode):
        problem = "is no regular file any more"
    elif (about.st_size, about.st_mtime_ns) != (expected.size, expected.mtime_ns):
        problem = "was changed since it was scanned"
    if problem:
        os.close(found)
        raise Unreadable(problem)
    return found


def _step(directory: int, name: bytes, flags: int) -> int:
    """From a directory to what is in it; the directory's descriptor is given back if that works."""
    inner = os.open(name, flags, dir_fd=directory)
    os.close(directory)
    return inner


def open_first(candidates: Iterable[tuple[bytes, bytes, Expected]]) -> int:
    """The first of several names (root, relative path, what it must be) that can be opened.

    Raises:
        Unreadable: none can; says why the first could not.
    """
    first: Unreadable | None = None
    for root, relative, expected in candidates:
        try:
            return open_beneath(root, relative, expected)
        except Unreadable as error:
            first = first or error
    raise first or Unreadable("has no name any more")


class Ranged:
    """``length`` bytes from ``start`` of an open file, in pieces; closes it at the end.

    ``lenient``: zeros in the place of what cannot be read; whoever checks the digest finds out.
    """

    def __init__(self, descriptor: int, start: int, length: int, lenient: bool) -> None:
        self._descriptor, self._at, self._end, self._lenient = descriptor, start, start + length, lenient

    def __iter__(self) -> Iterator[bytes]:
        try:
            while self._at < self._end:
                piece = self._read(min(BLOCK, self._end - self._at))
                if not piece:
                    return
                self._at += len(piece)
                yield piece
        finally:
            os.close(self._descriptor)

    def _read(self, most: int) -> bytes:
        try:
            piece = os.pread(self._descriptor, most, self._at)
        except OSError:
            if not self._lenient:
                raise
            piece = b""
        return piece or bytes(most if self._lenient else 0)


def zeros(length: int) -> Iterator[bytes]:
    """As many zero bytes, in pieces."""
    for at in range(0, length, BLOCK):
        yield bytes(min(BLOCK, length - at))


def range_digest(descriptor: int, start: int, length: int, size: int, digest: bytes) -> bytes:
    """BLAKE3 of a range of a file whose whole content is checked against ``digest`` in the same pass.

    Raises:
        Unreadable: the file is not what was recorded, or cannot be read.
    """
    whole, part = blake3(), blake3()
    buffer = memoryview(bytearray(BLOCK))
    at = 0
    try:
        while at < size:
            got = os.preadv(descriptor, [buffer[: min(BLOCK, size - at)]], at)
            if got == 0:
                raise Unreadable("became shorter while it was read")
            whole.update(buffer[:got])
            first, last = max(start - at, 0), min(start + length - at, got)
            if first < last:
                part.update(buffer[first:last])
            at += got
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    if whole.digest() != digest:
        raise Unreadable("has other bytes than when it was scanned")
    return part.digest()
