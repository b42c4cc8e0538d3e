"""A disc in two files: its sectors, and a sheet in JSON."""

import json
from pathlib import Path

from tests.rig.vdisc.scsi import Check

PROFILES = {
    "cdr": (0x09, 359_844),
    "dvd+r": (0x1B, 2_295_104),
    "bdr25": (0x41, 12_219_392),
    "bdr50": (0x41, 24_438_784),
    "bdr100": (0x41, 48_878_592),
}
"""MMC profile and capacity in sectors, by type."""


def make_blank(path: Path, kind: str, capacity: int | None = None, **faults: object) -> None:
    """A new blank disc; ``capacity`` in sectors, if it should be smaller than such discs are."""
    path.touch()
    sheet = {"type": kind, "capacity": capacity or PROFILES[kind][1], "tracks": [], "sessions": 0, "closed": False}
    path.with_suffix(".json").write_text(json.dumps(sheet | faults))


class Disc:
    """A disc. ``tracks`` are [start, length, session]; ``open`` is [start, next, session] of the one being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        sheet = json.loads(self._sheet.read_text())
        self.kind: str = sheet["type"]
        self.capacity: int = sheet["capacity"]
        self.tracks: list[list[int]] = sheet["tracks"]
        self.sessions: int = sheet["sessions"]
        self.closed: bool = sheet["closed"]
        self.open: list[int] | None = sheet.get("open")
        self.profile = PROFILES[self.kind][0]

    @property
    def _sheet(self) -> Path:
        return self.path.with_suffix(".json")

    def save(self) -> None:
        """Keep what is written, and the faults as they are."""
        facts = {"tracks": self.tracks, "sessions": self.sessions, "closed": self.closed, "open": self.open}
        new = self._sheet.with_suffix(".new")
        new.write_text(json.dumps(json.loads(self._sheet.read_text()) | facts))
        new.replace(self._sheet)

    def fault(self, name: str) -> object:
        """A fault set in the sheet just now."""
        try:
            return json.loads(self._sheet.read_text()).get(name)
        except ValueError:  # somebody is writing it
            return None

    @property
    def end(self) -> int:
        """The first sector behind all tracks."""
        return max((start + length for start, length, _ in self.tracks), default=0)

    @property
    def next_writable(self) -> int:
        """Where the next sector must go."""
        if self.open:
            return self.open[1]
        gap = 0 if not self.tracks or self.kind.startswith("bd") else 11_400 if self.kind == "cdr" else 4096
        return -(-self.end // 32) * 32 + gap

    @property
    def readable(self) -> int:
        """Sectors that can be read."""
        return max(self.end, self.open[1] if self.open else 0)

    @property
    def blank(self) -> bool:
        """Nothing was ever written."""
        return not self.tracks and not self.open

    def read(self, first: int, count: int) -> bytes:
        """Sectors of the disc. Raises Check."""
        if first + count > self.readable:
            raise Check(5, 0x21)
        bad = self.fault("bad_read") or []
        assert isinstance(bad, list)
        if any(first <= last and first + count > begin for begin, last in bad):
            raise Check(3, 0x11)
        with self.path.open("rb") as file:
            file.seek(first * 2048)
            return file.read(count * 2048).ljust(count * 2048, b"\0")

    def write(self, first: int, data: bytes) -> None:
        """The next sectors. Raises Check."""
        count = len(data) // 2048
        if self.closed:
            raise Check(5, 0x30, 5)
        track = self.open or [self.next_writable, self.next_writable, self.sessions + 1]
        if first != track[1]:
            raise Check(5, 0x21, 2)
        if first + count > self.capacity:
            raise Check(5, 0x21)
        bad = self.fault("bad_write")
        if isinstance(bad, int) and first + count > bad:
            raise Check(3, 0x0C)
        with self.path.open("r+b") as file:
            file.seek(first * 2048)
            file.write(data)
        self.open = [track[0], first + count, track[2]]

    def close(self, function: int) -> None:
        """CLOSE TRACK/SESSION."""
        if self.open:
            start, after, session = self.open
            self.tracks.append([start, after - start, session])
            self.open = None
        if function >= 2 and self.tracks:
            self.sessions = max(session for *_, session in self.tracks)
        if function in (3, 5, 6) or (function == 2 and self.profile == 0x09):
            self.closed = True
        self.save()
