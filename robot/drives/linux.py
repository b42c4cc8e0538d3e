"""The calls a Linux kernel offers for an optical drive, and nothing more.

For ``robot.drives.sr``, which decides what to call when. Every call here may block for seconds. Raises OSError.

Source: linux/cdrom.h (numbers), Documentation/userspace-api/ioctl/cdrom.rst (meanings).

Tried on virtual burners behind the kernel's own sr (``tests/rig``), never on a drive of metal.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

CDROMEJECT = 0x5309
CDROMCLOSETRAY = 0x5319
CDROM_DRIVE_STATUS = 0x5326
CDROM_LOCKDOOR = 0x5329
CDSL_CURRENT = 0x7FFF_FFFF


class DriveStatus(IntEnum):
    """Answers to CDROM_DRIVE_STATUS."""

    NO_INFO = 0
    NO_DISC = 1
    TRAY_OPEN = 2
    NOT_READY = 3
    DISC_OK = 4


class LinuxDrive:
    """The kernel's view of the drive behind ``device``, such as ``/dev/sr0``."""

    def __init__(self, device: str) -> None:
        self.device = device

    def status(self) -> DriveStatus:
        """Where the tray is and whether a disc is ready. Moves nothing: a plain open would pull the tray in."""
        with self._opened(os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            return DriveStatus(fcntl.ioctl(descriptor, CDROM_DRIVE_STATUS, CDSL_CURRENT))

    def eject(self) -> None:
        """Unlock the door and put the tray out; EBUSY while something holds the drive."""
        with self._opened(os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            fcntl.ioctl(descriptor, CDROM_LOCKDOOR, 0)
            fcntl.ioctl(descriptor, CDROMEJECT)

    def close(self) -> None:
        """Pull the tray in; drives without a motor for it answer with an error."""
        with self._opened(os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            fcntl.ioctl(descriptor, CDROMCLOSETRAY)

    def read(self, offset: int, length: int) -> bytes:
        """Read bytes past the kernel's cache and read-ahead; fewer than ``length`` at the end.

        Args:
            offset: multiple of 2,048.
            length: multiple of 2,048, more than 0. O_DIRECT wants an aligned buffer, which a map is.
        """
        with self._opened(os.O_RDONLY | os.O_DIRECT) as descriptor, mmap.mmap(-1, length) as buffer:
            return buffer[: os.preadv(descriptor, [buffer], offset)]

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        descriptor = os.open(self.device, flags | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
