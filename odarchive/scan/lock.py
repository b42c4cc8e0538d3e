"""One scan of a source at a time: a lock that dies with the process that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odarchive.errors import Locked
from odarchive.model import SourceId


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` for the length of the block; the file is gone afterwards.

    Raises:
        Locked: another process (or another thread of this one) has it. ``what`` says what they are at.
    """
    fd = _take(path, what)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock ends: who waits on the old file notices that it lost its name
        os.close(fd)


def _take(path: Path, what: str) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise Locked(f"{what}; wait until it ends, or stop it and try again") from None
        if _is(fd, path):
            return fd
        os.close(fd)  # its last holder has just removed it


def _is(fd: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(fd)
    return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)


@contextmanager
def scanning(catalogue: Path, source: SourceId, what: str) -> Iterator[None]:
    """Hold the lock that a scan of the source holds.

    Raises:
        Locked: somebody has it. ``what`` is the source's path, or a path in it, for the message.
    """
    lock = catalogue.with_name(f"{catalogue.name}-scan-{source}.lock")
    with held(lock, f"{what} is being scanned by another process"):
        yield
