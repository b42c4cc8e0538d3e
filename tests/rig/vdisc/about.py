"""What a burner tells of the disc in it and of itself (MMC-5; the byte layouts of its chapter 6)."""

import struct
from collections.abc import Callable

from tests.rig.vdisc.disc import Disc
from tests.rig.vdisc.scsi import Check, Device, bad_command, mode_pages, word

Data = Callable[[], bytes]


def _feature(number: int, current: object, body: bytes = b"", version: int = 0, persistent: int = 0) -> bytes:
    return struct.pack(">HBB", number, version << 2 | persistent << 1 | bool(current), len(body)) + body


def _minutes(sector: int) -> bytes:
    sector += 150
    return bytes([0, sector // 4500, sector // 75 % 60, sector % 75])


class About(Device):
    """The answers; ``Burner`` adds what moves and writes."""

    def __init__(self, serial: str) -> None:
        super().__init__(serial)
        self.disc: Disc | None = None
        self.tray_out = False
        self.event = 0

    def needed(self) -> Disc:
        """The disc. Raises Check: MEDIUM NOT PRESENT, tray open or closed."""
        if not self.disc:
            raise Check(2, 0x3A, 2 if self.tray_out else 1)
        return self.disc

    def capacity(self, _command: bytes, _data: Data) -> bytes:
        """READ CAPACITY."""
        return struct.pack(">II", max(self.needed().readable - 1, 0), 2048)

    def disc_information(self, command: bytes, _data: Data) -> bytes:
        """READ DISC INFORMATION."""
        disc = self.needed()
        begun = bool(disc.open) or any(session > disc.sessions for *_, session in disc.tracks)
        status = 0 if disc.blank else 2 if disc.closed else 1
        session = 3 if disc.closed else int(begun)
        sessions = max(1, disc.sessions + (not disc.closed))
        last = len(disc.tracks) + (not disc.closed)
        first = 1 + sum(track[2] < sessions for track in disc.tracks) if disc.closed or begun else last
        head = [0, 32, session << 2 | status, 1, sessions & 255, first, last, 0x20, 0, sessions >> 8, 0, 0]
        lead_out = _minutes(disc.capacity) if disc.profile == 9 and not disc.closed else b"\xff" * 4
        return (bytes(head) + bytes(4) + b"\xff" * 4 + lead_out + bytes(10))[: word(command, 7)]

    def _tracks(self, disc: Disc) -> list[tuple[int, int, int, bool]]:
        """Start, length, session, and whether it is still to be written."""
        tracks = [(start, length, session, False) for start, length, session in disc.tracks]
        if disc.open:
            tracks.append((disc.open[0], disc.capacity - disc.open[0], disc.open[2], True))
        elif not disc.closed:
            tracks.append((disc.next_writable, disc.capacity - disc.next_writable, disc.sessions + 1, True))
        return tracks

    def track_information(self, command: bytes, _data: Data) -> bytes:
        """READ TRACK INFORMATION."""
        disc, address = self.needed(), struct.unpack(">I", command[2:6])[0]
        tracks = self._tracks(disc)
        match command[1] & 3:
            case 1:
                index = len(tracks) - 1 if address == 0xFF else address - 1
            case 0:
                hits = (i for i, t in enumerate(tracks) if t[0] <= address < t[0] + max(t[1], 1))
                index = next(hits, len(tracks) - 1)
            case _:
                index = next((i for i, track in enumerate(tracks) if track[2] == address), -1)
        if not 0 <= index < len(tracks):
            raise bad_command()
        start, length, session, is_open = tracks[index]
        after = disc.next_writable
        marks = (0x40 if is_open and not disc.open else 0) | (0x20 if is_open else 0) | 1
        last = disc.open[1] - 1 if is_open and disc.open else start + length - 1
        places = (start, after if is_open else 0, max(disc.capacity - after, 0) if is_open else 0)
        packet = 32 if disc.profile == 0x41 else 16
        head = struct.pack(">HBBBBBB", 34, index + 1, session, 0, 4, marks, int(is_open))
        return (head + struct.pack(">IIIIIIBB", *places, packet, length, last, 0, 0))[: word(command, 7)]

    def contents(self, command: bytes, _data: Data) -> bytes:
        """READ TOC/PMA/ATIP: formats 0, 1 and 2."""
        disc = self.needed()
        tracks = [track for track in self._tracks(disc) if not track[3]]
        if not tracks:
            raise Check(5, 0x24)
        match command[2] & 15 or command[9] >> 6:
            case 0:
                answer = self._format_0(command, disc, tracks)
            case 1:
                session = max(track[2] for track in tracks)
                index = next(i for i, track in enumerate(tracks) if track[2] == session)
                entry = bytes([0, 0x14, index + 1, 0]) + _address(command, tracks[index][0])
                answer = struct.pack(">HBB", 10, 1, session) + entry
            case 2:
                answer = self._format_2(tracks)
            case _:
                raise bad_command()
        return answer[: word(command, 7)]

    @staticmethod
    def _format_0(command: bytes, disc: Disc, tracks: list[tuple[int, int, int, bool]]) -> bytes:
        entries = [
            bytes([0, 0x14, number, 0]) + _address(command, track[0])
            for number, track in enumerate(tracks, 1)
            if number >= command[6]
        ]
        body = b"".join(entries) + bytes([0, 0x14, 0xAA, 0]) + _address(command, disc.end)
        return struct.pack(">HBB", len(body) + 2, 1, len(tracks)) + body

    @staticmethod
    def _format_2(tracks: list[tuple[int, int, int, bool]]) -> bytes:
        body = b""
        for session in sorted({track[2] for track in tracks}):
            inside = [(number, track) for number, track in enumerate(tracks, 1) if track[2] == session]
            last = inside[-1][1]
            points = [(0xA0, bytes([inside[0][0], 0, 0])), (0xA1, bytes([inside[-1][0], 0, 0]))]
            points.append((0xA2, _minutes(last[0] + last[1])[1:]))
            points += [(number, _minutes(track[0])[1:]) for number, track in inside]
            for point, value in points:
                body += bytes([session, 0x14, 0, point, 0, 0, 0, 0]) + value
        return struct.pack(">HBB", len(body) + 2, 1, max(track[2] for track in tracks)) + body

    def configuration(self, command: bytes, _data: Data) -> bytes:
        """GET CONFIGURATION."""
        profile = self.disc.profile if self.disc else 0
        writable = bool(self.disc and not self.disc.closed)
        kind, start = command[1] & 3, word(command, 2)
        chosen = [
            feature
            for feature in self._features(profile, writable)
            if (word(feature, 0) == start if kind == 2 else word(feature, 0) >= start) and (kind != 1 or feature[2] & 1)
        ]
        body = b"".join(chosen)
        return (struct.pack(">IHH", len(body) + 4, 0, profile) + body)[: word(command, 7)]

    def _features(self, profile: int, writable: bool) -> list[bytes]:
        profiles = b"".join(struct.pack(">HBB", x, x == profile, 0) for x in (0x41, 0x40, 0x2B, 0x1B, 0x10, 9, 8))
        return [
            _feature(0x00, 1, profiles, 0, 1),
            _feature(0x01, 1, struct.pack(">IB3x", 1, 1), 2, 1),
            _feature(0x02, 1, b"\2\0\0\0", 1, 1),
            _feature(0x03, 1, b"\x29\0\0\0", 0, 1),
            _feature(0x10, profile, struct.pack(">IHBx", 2048, 16, 1)),
            _feature(0x1D, profile),
            _feature(0x1E, profile in (8, 9), bytes(4), 2),
            _feature(0x1F, profile in (0x10, 0x1B, 0x2B), b"\1\0\1\0", 1),
            _feature(0x21, writable and profile == 9, struct.pack(">HBB", 0x3F, 1, 0), 1),
            _feature(0x2B, writable and profile == 0x1B, b"\1\0\0\0"),
            _feature(0x2D, writable and profile == 9, b"\x46\0" + struct.pack(">H", 0x3F00), 2),
            _feature(0x2E, writable and profile == 9, b"\x20\0\0\0"),
            # BD read: what follows is one length short of MMC's, as real drives of the first years have it
            _feature(0x40, profile in (0x40, 0x41), bytes(28))[:4] + bytes(4) + b"\x0e" * 4 + bytes(20),
            _feature(0x41, writable and profile == 0x41, bytes(4) + b"\0\x0e\0\x0e" + bytes(12)),
            _feature(0x107, writable, b"\x1f\0\0\0", 4),
            _feature(0x108, 1, (self.serial + b"    ")[:8], 0, 1),
        ]

    def events(self, command: bytes, _data: Data) -> bytes:
        """GET EVENT STATUS NOTIFICATION, polled: the media class."""
        if not command[1] & 1:
            raise bad_command()
        if not command[4] & 0x10:
            return struct.pack(">HBB", 2, 0x80, 0x10)
        event, self.event = self.event, 0
        state = int(self.tray_out) | (2 if self.disc and not self.tray_out else 0)
        return (struct.pack(">HBB", 6, 4, 0x10) + bytes([event, state, 0, 0]))[: word(command, 7)]

    def mode_sense(self, command: bytes, _data: Data) -> bytes:
        """MODE SENSE (6), (10)."""
        speeds = struct.pack(">HHHHxxHHHH", 21600, 256, 4096, 21600, 21600, 21600, 0, 1)
        speeds += struct.pack(">HHHHHH", 0, 21600, 1, 0, 0, 21600)
        pages = {
            0x01: b"\1\x0a" + bytes(10),
            0x05: b"\5\x32\x40\5\x08\x10" + bytes(9) + b"\x96" + bytes(36),
            0x08: b"\x08\x0a" + bytes(10),
            0x1A: b"\x1a\x0a" + bytes(10),
            0x1D: b"\x1d\x0a" + bytes(10),
            0x2A: (b"\x2a\x3e\x3f\x37\xf1\x77\x29\x23" + speeds).ljust(64, b"\0"),
        }
        return mode_pages(command, pages)

    def nothing(self, command: bytes, _data: Data) -> None:
        """Commands that a disc is enough for."""
        if command[0] in (0x54, 0x53, 0x2F):
            self.needed()

    def buffer(self, command: bytes, _data: Data) -> bytes:
        """READ BUFFER CAPACITY: always empty."""
        return struct.pack(">H2xII", 10, 4 << 20, 4 << 20)[: word(command, 7)]

    def structure(self, command: bytes, _data: Data) -> bytes:
        """READ DISC STRUCTURE."""
        disc = self.needed()
        bodies: dict[int, bytes] = {}
        if command[1] & 15 == 1:  # BD
            information = bytearray(112)
            information[:11] = b"DI\1\x0f\0\0\0\x70BDR"
            information[100:109] = b"ODTESTV01"
            bodies = {0x00: bytes(information), 0xFF: b"\0\x40\0\x74"}
        else:
            physical = bytearray(2048)
            physical[:3] = b"\xa1\x0f\1"
            physical[4:12] = struct.pack(">II", 0x30000, 0x30000 + disc.capacity - 1)
            physical[19:27] = b"ODTEST\0\0"
            adip = bytearray(256)
            adip[0], adip[19:30] = 0xA1, b"ODTEST\0\0V01"
            bodies = {0x00: bytes(physical), 0x01: bytes(4), 0x11: bytes(adip)}
        if command[7] not in bodies:
            raise bad_command()
        body = bodies[command[7]]
        return (struct.pack(">HH", len(body) + 2, 0) + body)[: word(command, 8)]

    def performance(self, command: bytes, _data: Data) -> bytes:
        """GET PERFORMANCE."""
        last = max(self.needed().capacity - 1, 0)
        if command[10] == 3:
            body = b"".join(struct.pack(">IIII", 0, last, 53940, speed) for speed in (26970, 17980))
            return struct.pack(">I4x", len(body) + 4) + body
        if command[10] == 0:
            return struct.pack(">IB3x", 20, command[1] & 4) + struct.pack(">IIII", 0, 26970, last, 26970)
        raise bad_command()

    def formats(self, command: bytes, _data: Data) -> bytes:
        """READ FORMAT CAPACITIES."""
        disc = self.needed()
        state, size = (2, disc.readable) if disc.closed else (1, disc.capacity)
        kind = 0x32 << 2 if disc.profile == 0x41 else 0
        body = struct.pack(">IB", size, state) + b"\0\x08\0" + struct.pack(">I", disc.capacity) + bytes([kind, 0, 8, 0])
        return (struct.pack(">I", len(body)) + body)[: word(command, 7)]

    def mechanism(self, _command: bytes, _data: Data) -> bytes:
        """MECHANISM STATUS."""
        return bytes(8)

    commands = {  # noqa: RUF012  never changed
        0x25: capacity,
        0x51: disc_information,
        0x52: track_information,
        0x43: contents,
        0x46: configuration,
        0x4A: events,
        0x1A: mode_sense,
        0x5A: mode_sense,
        0x5C: buffer,
        0xAD: structure,
        0xAC: performance,
        0x23: formats,
        0xBD: mechanism,
        **dict.fromkeys((0x55, 0x15, 0x54, 0x53, 0xBB, 0xB6, 0x2F), nothing),
    }


def _address(command: bytes, sector: int) -> bytes:
    return _minutes(sector) if command[1] & 2 else struct.pack(">I", sector)
