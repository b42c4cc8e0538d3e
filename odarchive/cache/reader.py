"""The mount's side of the cache: whole contents, opened where they are right."""

import os
import time
from contextlib import suppress
from pathlib import Path

from odarchive.cache.files import HAVE, boot_time_ns, partial_place, place
from odarchive.cache.parts import claimed
from odarchive.chunks import CHUNK
from odarchive.digest import stream_digest

USE_GRAIN = 30_000_000_000
"""Nanoseconds within which a second use is not recorded: it would be a write to the disk for every open."""
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW


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
            descriptor = os.open(self._prefix + place(digest), _READING)  # a Path costs more than the call
        except OSError:
            return None
        if self._trusted(descriptor, digest, size, may_hash=may_hash):
            return descriptor
        os.close(descriptor)
        return None

    def held(self, digest: bytes, size: int) -> int:
        """Bytes that are here of a content of ``size``, all or in part; not whether they are right.

        Of a content in part in whole chunks, its short last one too.
        """
        if os.path.exists(self._prefix + place(digest)):
            return size
        return min(size, claimed(Path(f"{self._prefix}{partial_place(digest)}{HAVE}")) * CHUNK)

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
                    (self.directory / place(digest)).unlink()
                return False
        elif time.time_ns() - stat.st_mtime_ns < USE_GRAIN:
            return True
        with suppress(OSError):
            os.utime(descriptor)  # last use, for eviction; also moves ctime past the boot once checked
        return True
