"""A medium changer (SMC-3): picker at address 0, drives from 1, import/export from 500, slots from 1000.

It pulls trays in and pushes them out itself, but moves no disc of a drive that is locked.
"""

import json
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.rig.vdisc.burner import Burner
from tests.rig.vdisc.disc import Disc
from tests.rig.vdisc.scsi import Check, Device, mode_pages, word

PICKER, DRIVES, MAILSLOTS, SLOTS = 0, 1, 500, 1000
Data = Callable[[], bytes]


class Changer(Device):
    """The changer, and what lies where."""

    kind = 8
    product = b"VIRTUAL JUKEBOX "

    def __init__(self, directory: Path, drives: int, slots: int, mailslots: int) -> None:
        super().__init__("VJ0001")
        self._directory = directory
        self._lock = threading.RLock()
        self.drives = [Burner(number, self) for number in range(drives)]
        discs = sorted(path.with_suffix("") for path in directory.glob("*.json") if path.name != "robot.json")
        self._at = {SLOTS + number: Disc(path) for number, path in enumerate(discs[:slots])}
        self._came_from: dict[int, int] = {}
        self._ranges = {
            1: range(PICKER, PICKER + 1),
            2: range(SLOTS, SLOTS + slots),
            3: range(MAILSLOTS, MAILSLOTS + mailslots),
            4: range(DRIVES, DRIVES + drives),
        }

    def ejected(self, burner: Burner) -> None:
        """The disc lies on the tray."""
        if burner.disc:
            burner.on_tray, burner.disc = burner.disc, None

    def pulled_in(self, burner: Burner) -> None:
        """The disc that lay on the tray is in."""
        if burner.on_tray and not burner.disc:
            burner.insert(burner.on_tray)

    def _drive(self, address: int) -> Burner | None:
        return self.drives[address - DRIVES] if address in self._ranges[4] else None

    def _disc(self, address: int) -> Disc | None:
        drive = self._drive(address)
        return drive.disc or drive.on_tray if drive else self._at.get(address)

    def _fault(self, name: str) -> object:
        try:
            return json.loads((self._directory / "robot.json").read_text()).get(name)
        except (OSError, ValueError):
            return None

    def move(self, command: bytes, _data: Data) -> None:
        """MOVE MEDIUM."""
        with self._lock:
            _, source, destination = struct.unpack(">HHH", command[2:8])
            self._check(source, destination)
            time.sleep(float(str(self._fault("delay") or 0)))
            to = self._fault("fail_to")
            if self._fault("jam") or (isinstance(to, list) and destination in to):
                raise Check(4, 0x15, 1)
            disc = self._disc(source)
            assert disc
            if drive := self._drive(source):
                drive.remove()
            else:
                del self._at[source]
            if drive := self._drive(destination):
                drive.insert(disc)
            else:
                self._at[destination] = disc
            self._came_from[destination] = source

    def _check(self, source: int, destination: int) -> None:
        places = [address for kind in (2, 3, 4) for address in self._ranges[kind]]
        if source not in places or destination not in places:
            raise Check(5, 0x21, 1)
        if not self._disc(source):
            raise Check(5, 0x3B, 0x0E)
        if self._disc(destination) and source != destination:
            raise Check(5, 0x3B, 0x0D)
        if any(drive.locked for end in (source, destination) if (drive := self._drive(end))):
            raise Check(5, 0x53, 2)

    def mode_sense(self, command: bytes, _data: Data) -> bytes:
        """MODE SENSE: element addresses, transport geometry, device capabilities."""
        counts = [value for kind in (1, 2, 3, 4) for value in (self._ranges[kind].start, len(self._ranges[kind]))]
        pages = {
            0x1D: b"\x1d\x12" + struct.pack(">8H", *counts) + b"\0\0",
            0x1E: b"\x1e\x02\0\0",
            0x1F: b"\x1f\x12\x0e\0\x0e\x0e\x0e\x0e" + bytes(12),
        }
        return mode_pages(command, pages)

    def element_status(self, command: bytes, _data: Data) -> bytes:
        """READ ELEMENT STATUS."""
        with self._lock:
            tags, wanted = bool(command[1] & 0x10), command[1] & 15
            start, most = word(command, 2), word(command, 4)
            kinds = sorted(self._ranges.items(), key=lambda pair: pair[1].start)
            chosen = [(kind, a) for kind, r in kinds for a in r if wanted in (0, kind) and a >= start][:most]
            body = b""
            for kind in dict.fromkeys(kind for kind, _ in chosen):
                rows = b"".join(self._row(kind, address, tags) for k, address in chosen if k == kind)
                head = bytes([kind, 0x80 if tags else 0]) + struct.pack(">HB", 52 if tags else 16, 0)
                body += head + len(rows).to_bytes(3, "big") + rows
            first = chosen[0][1] if chosen else 0
            answer = struct.pack(">HHB", first, len(chosen), 0) + len(body).to_bytes(3, "big") + body
            return answer[: int.from_bytes(command[7:10], "big")]

    def _row(self, kind: int, address: int, tags: bool) -> bytes:
        disc = self._disc(address)
        access = {1: 0, 2: 8, 3: 0x38, 4: 8}[kind]
        row = struct.pack(">HBBBB3s", address, access | bool(disc), 0, 0, 0, bytes(3))
        source = self._came_from.get(address) if disc else None
        row += bytes(3) if source is None else b"\x80" + struct.pack(">H", source)
        if tags:
            row += (disc.name.encode()[:32] if disc else b"").ljust(32, b" " if disc else b"\0") + bytes(4)
        return row + bytes(4)

    def fine(self, _command: bytes, _data: Data) -> None:
        """What always succeeds."""

    commands = {  # noqa: RUF012  never changed
        **dict.fromkeys((0x00, 0x07, 0x37, 0xE7, 0x1E, 0x2B, 0x1B, 0x16, 0x17), fine),
        0xA5: move,
        0x1A: mode_sense,
        0x5A: mode_sense,
        0xB8: element_status,
    }
