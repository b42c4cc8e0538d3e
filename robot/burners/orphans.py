"""Locks that outlive their taker: how the next life learns that a burning program still writes.

The lock of a drive is an ``flock`` on an open file. The burning program inherits that open file, so the lock lasts
until both it and its starter have ended or closed it, however they end; no process number can be confused. Whoever can
take the lock knows that nobody burns there.

Not for: burners that were not started here.
"""

import fcntl
import os
from pathlib import Path

from robot.ports import DriveId


def lock_path(directory: Path, drive: DriveId) -> Path:
    """The lock file of a drive."""
    return directory / f"burn-drive-{drive}.lock"


def log_path(directory: Path, drive: DriveId) -> Path:
    """What the latest burning program of a drive said."""
    return directory / f"burn-drive-{drive}.log"


def take(path: Path) -> int | None:
    """Take the lock: an open descriptor to close when done, or None while somebody holds it.

    Raises:
        OSError: the lock file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
