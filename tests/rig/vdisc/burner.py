"""A burner: tray, lock, reading, writing, closing (MMC-5). What it tells of disc and itself is in ``about``."""

import struct
from collections.abc import Callable
from typing import Protocol

from tests.rig.vdisc.about import About
from tests.rig.vdisc.disc import Disc
from tests.rig.vdisc.scsi import Check, word


class Hand(Protocol):
    """Whoever reaches into the tray."""

    def ejected(self, burner: "Burner") -> None:
        """The tray is out."""

    def pulled_in(self, burner: "Burner") -> None:
        """The tray is in again."""


class Burner(About):
    """One drive."""

    def __init__(self, number: int, hand: Hand) -> None:
        super().__init__(f"VD{number:04d}")
        self.number = number
        self.on_tray: Disc | None = None
        self._hand = hand
        self.locked = False

    def insert(self, disc: Disc) -> None:
        """A disc was put in; the tray is in."""
        self.disc, self.on_tray, self.tray_out, self.event, self.attention = disc, None, False, 2, (6, 0x28, 0)

    def remove(self) -> None:
        """The disc was taken out."""
        self.disc, self.on_tray, self.event, self.tray_out = None, None, 3, True

    def test(self, _command: bytes, _data: Callable[[], bytes]) -> None:
        """TEST UNIT READY."""
        self.needed()

    def start_stop(self, command: bytes, _data: Callable[[], bytes]) -> None:
        """START STOP UNIT: eject and load."""
        if not command[4] & 2:
            return
        if command[4] & 1:
            self.tray_out = False
            self._hand.pulled_in(self)
            return
        if self.locked:
            raise Check(5, 0x53, 2)
        self.tray_out, self.event = True, 3
        self._hand.ejected(self)

    def prevent(self, command: bytes, _data: Callable[[], bytes]) -> None:
        """PREVENT ALLOW MEDIUM REMOVAL."""
        self.locked = bool(command[4] & 1)

    def read(self, command: bytes, _data: Callable[[], bytes]) -> bytes:
        """READ (10), (12)."""
        return self.needed().read(*_extent(command))

    def write(self, command: bytes, data: Callable[[], bytes]) -> None:
        """WRITE (10), (12)."""
        disc, (first, _) = self.needed(), _extent(command)
        if not (disc.profile == 0x09 and first >= 0xFFFFFF00):  # a CD's lead-in
            disc.write(first, data())

    def synchronise(self, _command: bytes, _data: Callable[[], bytes]) -> None:
        """SYNCHRONIZE CACHE."""
        if self.disc:
            self.disc.save()

    def close(self, command: bytes, _data: Callable[[], bytes]) -> None:
        """CLOSE TRACK/SESSION."""
        self.needed().close(command[2] & 7)

    def format_unit(self, _command: bytes, _data: Callable[[], bytes]) -> None:
        """FORMAT UNIT."""
        if self.needed().profile != 0x41:
            raise Check(5, 0x24)

    commands = About.commands | {
        0x00: test,
        0x04: format_unit,
        0x1B: start_stop,
        0x1E: prevent,
        0x28: read,
        0xA8: read,
        0x2A: write,
        0xAA: write,
        0x35: synchronise,
        0x5B: close,
    }


def _extent(command: bytes) -> tuple[int, int]:
    first = struct.unpack(">I", command[2:6])[0]
    short = command[0] in (0x28, 0x2A, 0x2F)
    return first, word(command, 7) if short else struct.unpack(">I", command[6:10])[0]
