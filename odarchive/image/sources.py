"""Reading the files that go into an image: never through a symlink, never other bytes than were recorded.

A reader gives exactly as many bytes as were asked for, takes BLAKE3 and SHA-256 on the way, and at the end says whether
they are the recorded ones. Bytes that turn out wrong are already in the image by then, so whoever asked must look at
the verdict and throw the image away.
"""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3

from odarchive.digest import BLOCK

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file must still be: size in bytes, modification time in nanoseconds."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How reading ended: ``problem`` is empty if the bytes were the recorded ones."""

    sha256: str
    problem: str = ""


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


class CheckedReader(io.RawIOBase):
    """``length`` bytes from ``start`` on; on trouble zeros, and the verdict says so.

    The descriptor is opened at the first read and closed with the reader; ``verdict`` is called once, when the last
    byte was given.
    """

    def __init__(
        self, opener: Callable[[], int], start: int, length: int, digest: bytes, verdict: Callable[[Verdict], None]
    ) -> None:
        super().__init__()
        self._opener, self._at, self._left = opener, start, length
        self._digest, self._verdict = digest, verdict
        self._descriptor = -1
        self._blake3, self._sha256 = blake3(), hashlib.sha256()
        self._problem = ""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer as far as bytes are left."""
        view = memoryview(buffer).cast("B")[: self._left]
        if not view:
            return 0
        got = self._fill(view)
        if got < len(view):
            view[got:] = bytes(len(view) - got)
        self._left -= len(view)
        if self._left == 0:
            self._conclude()
        return len(view)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        super().close()

    def _fill(self, view: memoryview) -> int:
        if self._problem:
            return 0
        got = 0
        try:
            if self._descriptor < 0:
                self._descriptor = self._opener()
            while got < len(view):
                count = os.preadv(self._descriptor, [view[got:]], self._at)
                if count == 0:
                    self._problem = "became shorter while it was read"
                    break
                got += count
                self._at += count
        except (OSError, Unreadable) as error:
            self._problem = f"cannot be read: {error}"
        self._blake3.update(view[:got])
        self._sha256.update(view[:got])
        return got

    def _conclude(self) -> None:
        if not self._problem and self._blake3.digest() != self._digest:
            self._problem = "has other bytes than when it was scanned"
        self._verdict(Verdict(self._sha256.hexdigest(), self._problem))


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
