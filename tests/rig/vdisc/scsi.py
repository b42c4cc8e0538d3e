"""What every SCSI device of the rig does: answers INQUIRY and REQUEST SENSE, hands other commands on (SPC-4)."""

import struct
from collections.abc import Callable

Command = Callable[["Device", bytes, Callable[[], bytes]], bytes | None]


class Check(Exception):
    """Ends a command with sense data."""

    def __init__(self, key: int, code: int, qualifier: int = 0) -> None:
        self.sense = bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0])


def bad_command() -> Check:
    """INVALID FIELD IN CDB."""
    return Check(5, 0x24)


def word(command: bytes, at: int) -> int:
    """A big-endian 16-bit field; most allocation lengths are at 7."""
    return int.from_bytes(command[at : at + 2], "big")


def mode_pages(command: bytes, pages: dict[int, bytes]) -> bytes:
    """The answer to MODE SENSE (6) and (10): page 0x3F is all of them."""
    page = command[2] & 0x3F
    if page != 0x3F and page not in pages:
        raise bad_command()
    body = b"".join(pages[key] for key in sorted(pages)) if page == 0x3F else pages[page]
    if command[0] == 0x5A:
        return (struct.pack(">HBBBBH", len(body) + 6, 0, 0, 0, 0, 0) + body)[: word(command, 7)]
    return (bytes([len(body) + 3, 0, 0, 0]) + body)[: command[4]]


class Device:
    """One device. Called with a command block and a function that gives the data that came with it."""

    kind = 5
    product = b"VIRTUAL BURNER  "
    vendor = b"ODTEST  "
    commands: dict[int, Command] = {}  # noqa: RUF012  never changed

    def __init__(self, serial: str) -> None:
        self.serial = serial.encode()
        self.attention: tuple[int, int, int] | None = None
        """Unit attention that the next command meets."""

    def __call__(self, command: bytes, data: Callable[[], bytes]) -> bytes | None:
        operation = command[0]
        if operation == 0x12:
            return self._inquiry(command)
        pending, quiet = self.attention, operation in (0x4A, 0x46)
        if operation == 0x03:
            self.attention = None
            return Check(*(pending or (0, 0, 0))).sense[: command[4]]
        if pending and not quiet:
            self.attention = None
            raise Check(*pending)
        if operation not in self.commands:
            raise Check(5, 0x20)
        return self.commands[operation](self, command, data)

    def _inquiry(self, command: bytes) -> bytes:
        if command[1] & 1:
            name = self.vendor + self.serial
            pages = {
                0x00: bytes([0, 0x80, 0x83]),
                0x80: self.serial,
                0x83: bytes([2, 1, 0, len(name)]) + name,
            }
            if command[2] not in pages:
                raise bad_command()
            page = pages[command[2]]
            answer = bytes([self.kind, command[2]]) + struct.pack(">H", len(page)) + page
        else:
            answer = bytes([self.kind, 0x80, 5, 2, 31, 0, 0, 0]) + self.vendor + self.product + b"1.00"
        return answer[: word(command, 3)]
