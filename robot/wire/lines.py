"""Sealed text lines: what the Open Disc Jukebox Protocol puts around every message (PROTOCOL.md, "Lines").

For cutting a noisy stream of bytes into lines, proving a line whole by its checksum, and putting any text into one
token. Not for what a line means (``robot.wire.odjp``). Pure: no I/O, no clock.
"""

from __future__ import annotations

import binascii
import re

HOST_MARK = ">"
"""First character of a line from the host to the machine."""
MACHINE_MARK = "<"
"""First character of a line from the machine to the host."""
HOST_LINE_LIMIT = 80
"""Bytes of the longest line a machine must take, newline included."""
MACHINE_LINE_LIMIT = 255
"""Bytes of the longest line a machine may send, newline included."""

_SEALED = re.compile(rb"([<>][ -)+-;=?-~]*)\*([0-9A-F]{4})")
_PLAIN = re.compile(rb"[!-~]")
_RESERVED = b"%*<>="


class BadLineError(ValueError):
    """These bytes are not a line of the protocol. Noise on a wire is ordinary: receivers drop it and go on."""


def checksum(body: bytes) -> int:
    """CRC-16/IBM-3740 (often "CCITT-FALSE": polynomial 1021h, start FFFFh, not reflected); "123456789" gives 29B1h."""
    return binascii.crc_hqx(body, 0xFFFF)


def seal(body: str) -> bytes:
    """Put checksum and newline behind ``body``, which begins with a mark.

    Raises:
        BadLineError: ``body`` holds what no line may hold.
    """
    try:
        raw = body.encode("ascii")
    except UnicodeEncodeError as error:
        raise BadLineError(f"not ASCII: {body!r}") from error
    line = raw + b"*%04X" % checksum(raw)
    if not _SEALED.fullmatch(line):
        raise BadLineError(f"characters that no line may hold: {body!r}")
    return line + b"\n"


def unseal(line: bytes) -> str:
    """Check one line (without its newline) and return the body, mark included.

    What stands before the last mark is dropped: it is noise, or a line whose end was lost.

    Raises:
        BadLineError: no mark, no checksum, a wrong one, or bytes outside printable ASCII.
    """
    line = line.rstrip(b"\r")
    start = max(line.rfind(b"<"), line.rfind(b">"))
    match = _SEALED.fullmatch(line, max(start, 0))
    if match is None:
        raise BadLineError(f"not a sealed line: {line[:40]!r}")
    body, given = match[1], int(match[2], 16)
    if checksum(body) != given:
        raise BadLineError(f"checksum is {given:04X}, should be {checksum(body):04X}: {line[:40]!r}")
    return body.decode("ascii")


class LineSplitter:
    """Cuts a stream of bytes at newlines; keeps what is incomplete; forgets a line that is longer than allowed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the lines they complete, without newlines; empty and overlong ones dropped."""
        lines = []
        *whole, tail = data.split(b"\n")
        for piece in whole:
            self._grow(piece)
            if self._rest:
                lines.append(bytes(self._rest))
            self._rest.clear()
            self._skipping = False
        self._grow(tail)
        return lines

    def _grow(self, piece: bytes) -> None:
        if self._skipping:
            return
        self._rest += piece
        if len(self._rest) >= self._limit:
            self._rest.clear()
            self._skipping = True


def quote(text: str) -> str:
    """Any text as one token: UTF-8, with blanks, controls, and the characters of the grammar as ``%XX``."""
    return "".join(
        chr(byte) if _PLAIN.fullmatch(bytes([byte])) and byte not in _RESERVED else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def unquote(token: str) -> str:
    """Undo :func:`quote`.

    Raises:
        BadLineError: a ``%`` without two hexadecimal digits behind it.
    """
    if re.search(r"%(?![0-9A-F]{2})", token):
        raise BadLineError(f"bad %-sequence in {token!r}")
    raw = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), token.encode("ascii"))
    return raw.decode("utf-8", "surrogateescape")
