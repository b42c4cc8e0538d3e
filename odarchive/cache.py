"""Checked contents on a local disk, one file each, named by digest.

The librarian is the only writer; mounts read the files directly. A file appears under its name only when all its bytes
are there and its BLAKE3 digest is right (write to ``partial/``, check, rename): what has the name is the content.
A content whose digest is a name in ``pinned/`` is never evicted; the mark may be there before the content.
What a power cut may have torn is caught by age: a file older than this boot is hashed again before it is served
(:meth:`CacheReader.open`). Eviction is by last use. Not for policy (what to bring) nor for discs.

Concurrency: :class:`Cache` is used from one thread at a time (the librarian's cache worker); readers need no lock:
an evicted file stays readable through an open descriptor.
"""

import errno
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from blake3 import blake3

from odarchive.digest import stream_digest
from odarchive.errors import DamageFound, NoSpace

USE_GRAIN = 30_000_000_000
"""Nanoseconds within which a second use is not recorded: it would be a write to the disk for every open."""
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_PARTIAL = "partial"
_PINNED = "pinned"


class CacheOrder(StrEnum):
    """What a person may ask for a content."""

    PIN = "pin"
    UNPIN = "unpin"
    EVICT = "evict"


def _place(digest: bytes) -> str:
    name = digest.hex()
    return f"{name[:2]}/{name[2:]}"


@dataclass(slots=True)
class _File:
    size: int
    used_ns: int


class Cache:
    """The writer's side: fill, evict, account."""

    def __init__(self, directory: Path, quota: int) -> None:
        """Take stock of ``directory`` (made if missing); ``quota`` in bytes bounds what is kept."""
        self.directory = directory
        self.quota = quota
        self.used = 0
        """Bytes of all checked contents."""
        self.pinned: set[bytes] = set()
        """Digests that are never evicted, here or not yet."""
        self._files: dict[bytes, _File] = {}
        (directory / _PARTIAL).mkdir(parents=True, exist_ok=True)
        for left_over in (directory / _PARTIAL).iterdir():
            left_over.unlink()
        self._take_stock()
        self._read_pins()

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, digest: bytes) -> bool:
        if digest not in self._files:
            return False
        if (self.directory / _place(digest)).exists():
            return True
        self._forget(digest)  # somebody emptied the folder by hand
        return False

    def begin(self, digest: bytes, size: int) -> "Filling":
        """Make room for a content and open it for writing.

        Raises:
            NoSpace: the disk has no room even with everything evicted.
        """
        self._make_room(size)
        path = self.directory / _PARTIAL / digest.hex()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._translate(error) from error
        return Filling(self, digest, size, path, descriptor)

    def order(self, digest: bytes, what: CacheOrder) -> bool:
        """Pin, unpin or evict a content; returns whether that changed anything. What is pinned is not evicted.

        Raises:
            NoSpace: the mark cannot be written.
        """
        match what:
            case CacheOrder.EVICT:
                if digest not in self or digest in self.pinned:
                    return False
                self.drop(digest)
                return True
            case CacheOrder.PIN:
                return self._pin(digest)
            case CacheOrder.UNPIN:
                (self.directory / _PINNED / digest.hex()).unlink(missing_ok=True)
                known = digest in self.pinned
                self.pinned.discard(digest)
                return known

    def _pin(self, digest: bytes) -> bool:
        known = digest in self.pinned
        try:
            (self.directory / _PINNED).mkdir(exist_ok=True)
            (self.directory / _PINNED / digest.hex()).touch()
        except OSError as error:
            raise self._translate(error) from error
        self.pinned.add(digest)
        return not known

    def _read_pins(self) -> None:
        with suppress(FileNotFoundError):
            for mark in (self.directory / _PINNED).iterdir():
                with suppress(ValueError):
                    self.pinned.add(bytes.fromhex(mark.name))

    def drop(self, digest: bytes) -> None:
        """Throw one content out; harmless if it is not there."""
        self._forget(digest)
        with suppress(FileNotFoundError):
            (self.directory / _place(digest)).unlink()

    def _forget(self, digest: bytes) -> None:
        file = self._files.pop(digest, None)
        self.used -= file.size if file is not None else 0

    def _remember(self, digest: bytes, size: int, used_ns: int) -> None:
        self._forget(digest)
        self._files[digest] = _File(size, used_ns)
        self.used += size

    def _admit(self, digest: bytes, size: int, partial: Path) -> None:
        target = self.directory / _place(digest)
        target.parent.mkdir(exist_ok=True)
        partial.rename(target)
        self._remember(digest, size, target.stat().st_mtime_ns)

    def _make_room(self, size: int) -> None:
        """Evict by last use until ``size`` more bytes fit quota and disk. A content above the quota is let in alone."""
        excess = self.used + size - self.quota
        free = os.statvfs(self.directory)
        excess = max(excess, size - free.f_bavail * free.f_frsize)
        if excess <= 0:
            return
        excess += self.quota // 20  # some more at once, so that a full cache is not sorted for every fill
        for digest in self._by_last_use():
            excess -= self._files[digest].size
            self.drop(digest)
            if excess <= 0:
                return

    def _by_last_use(self) -> list[bytes]:
        for digest, file in list(self._files.items()):
            try:
                file.used_ns = (self.directory / _place(digest)).stat().st_mtime_ns
            except FileNotFoundError:
                self._forget(digest)
        return sorted(self._files.keys() - self.pinned, key=lambda digest: self._files[digest].used_ns)

    def _take_stock(self) -> None:
        for folder in self.directory.iterdir():
            if len(folder.name) != 2:
                continue
            for file in folder.iterdir():
                with suppress(ValueError):
                    stat = file.stat()
                    self._remember(bytes.fromhex(folder.name + file.name), stat.st_size, stat.st_mtime_ns)

    def _translate(self, error: OSError) -> Exception:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return NoSpace(f"the disk of the cache {self.directory} is full; free some space or name another place")
        return error


class Filling:
    """A content on its way into the cache; a context manager that leaves nothing behind unless admitted."""

    def __init__(self, cache: Cache, digest: bytes, size: int, path: Path, descriptor: int) -> None:
        self._cache = cache
        self._digest = digest
        self._size = size
        self._path = path
        self._descriptor = descriptor
        self._hasher = blake3()
        self._hashed = 0
        self._checked = False
        self._committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset; hashing keeps up for free as long as they come in order."""
        view = memoryview(data)
        if offset == self._hashed:
            self._hasher.update(view)
            self._hashed += len(view)
        try:
            while view:
                done = os.pwrite(self._descriptor, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise self._cache._translate(error) from error  # noqa: SLF001  the two classes are one thing

    def check(self) -> None:
        """Compare the digest of everything written with the name; may hash again what came out of order.

        Touches nothing but this filling, so it may run in a thread.

        Raises:
            DamageFound: the bytes are not the content.
        """
        found = self._hasher.digest()
        if self._hashed != self._size:
            with os.fdopen(os.dup(self._descriptor), "rb") as file:
                file.seek(0)
                found, _ = stream_digest(file, self._size)
        if found != self._digest or os.fstat(self._descriptor).st_size != self._size:
            raise DamageFound(f"content {self._digest.hex()[:16]}: the bytes read from disc have another digest")
        self._checked = True

    def admit(self) -> None:
        """Let the checked content in under its name."""
        if not self._checked:
            raise DamageFound(f"content {self._digest.hex()[:16]} was not checked")
        self._cache._admit(self._digest, self._size, self._path)  # noqa: SLF001  the two classes are one thing
        self._committed = True
        self._close()

    def abort(self) -> None:
        """Forget it; harmless after ``admit``."""
        self._close()
        if not self._committed:
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class CacheReader:
    """The mount's side: open what is there, and never believe a file from before this boot unchecked."""

    def __init__(self, directory: Path, *, booted_ns: int | None = None) -> None:
        self.directory = directory
        self._prefix = f"{directory}/"
        self._booted_ns = boot_time_ns() if booted_ns is None else booted_ns

    def open(self, digest: bytes, size: int, *, may_hash: bool = True) -> int | None:
        """A descriptor of a content's bytes, or None if they are not (or not rightly) here.

        Args:
            digest: the content's BLAKE3.
            size: its bytes.
            may_hash: whether this call may take the time to hash a file from before this boot; if not, such a file
                counts as not here.
        """
        try:
            descriptor = os.open(self._prefix + _place(digest), _READING)  # a Path costs more than the call
        except OSError:
            return None
        if self._trusted(descriptor, digest, size, may_hash=may_hash):
            return descriptor
        os.close(descriptor)
        return None

    def has(self, digest: bytes) -> bool:
        """Whether there is a file for this content; not whether it is right."""
        return (self.directory / _place(digest)).exists()

    def _trusted(self, descriptor: int, digest: bytes, size: int, *, may_hash: bool) -> bool:
        stat = os.fstat(descriptor)
        if stat.st_size != size:
            return False
        if stat.st_ctime_ns < self._booted_ns:
            if not may_hash:
                return False
            with os.fdopen(os.dup(descriptor), "rb") as file:
                found, _ = stream_digest(file, size)
            os.lseek(descriptor, 0, os.SEEK_SET)  # the duplicate shared the position
            if found != digest:
                with suppress(OSError):
                    (self.directory / _place(digest)).unlink()
                return False
        elif time.time_ns() - stat.st_mtime_ns < USE_GRAIN:
            return True
        with suppress(OSError):
            os.utime(descriptor)  # last use, for eviction; also moves ctime past the boot once checked
        return True


def boot_time_ns() -> int:
    """When this machine booted, in nanoseconds since the epoch (``btime`` of /proc/stat, whole seconds)."""
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            if line.startswith("btime "):
                return int(line.split()[1]) * 1_000_000_000
    return 0
