"""The escape-framed commands of Rimage's RAS-13 robot (DTP-4500): three bins, up to four drives, one picker.

38400 baud, 8N1, RTS/CTS. A command is ESC and ASCII that ends in ``C``; a reply is ESC, ASCII that ends in ``C``, EOT.
Source: one sniffed conversation (ragingcomputer.com, 2012 and 2013), the same list in a second place; likely, not
certain, and nothing of it is from the manufacturer. For both sides of the wire. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, IntEnum

SETTINGS = {"baudrate": 38400, "rtscts": True}
"""Of the serial port."""
ESC, EOT = b"\x1b", b"\x04"
BINS, DRIVES = 3, 4

STATUS = b"\x1b!e1C"
VERSION = b"\x1b!e0C"
SERIAL = b"\x1b!f:C"
HOME = b"\x1b!f12600C"
DONE = b"\x1b!f11C\x04"
FAILED = b"\x1b!f10C\x04"

_MOTION = re.compile(
    rb"\x1b!f12(?:0(?P<bin>[0-2])(?P<bin_act>[12])|4(?P<drive>[1-4])(?P<drive_act>[12])|(?P<home>600))C"
)
_STATE = re.compile(rb"\x1b!e1(\d{3})\d{3}C\x04")
_VERSION = re.compile(rb"\x1b!e032C([ -~]*)\x04")
_COMMAND = re.compile(rb"\x1b[^\x1b\x04]*?C")


class State(IntEnum):
    """What ``!e1`` tells."""

    READY = 0
    BUSY = 2
    NO_DISC = 3
    NO_TRAY = 7


class Act(Enum):
    """What the picker does at a place."""

    PUT = 1
    GRAB = 2


class Place(Enum):
    """Where the picker goes."""

    BIN = "bin"
    """Numbered from 1."""
    DRIVE = "drive"
    """Numbered from 1, the top one."""
    HOME = "home"


@dataclass(frozen=True, slots=True)
class Motion:
    """One order to the picker; going home has no act."""

    place: Place
    number: int = 0
    act: Act | None = None


def encode_motion(motion: Motion) -> bytes:
    """The command for it.

    Raises:
        ValueError: there is no such bin or drive.
    """
    if motion.act is None:
        return HOME
    if not 1 <= motion.number <= (BINS if motion.place is Place.BIN else DRIVES):
        raise ValueError(f"no {motion.place.value} {motion.number}")
    if motion.place is Place.BIN:
        return b"\x1b!f120%d%dC" % (motion.number - 1, motion.act.value)
    return b"\x1b!f124%d%dC" % (motion.number, motion.act.value)


def decode_motion(command: bytes) -> Motion | None:
    """Undo :func:`encode_motion`; None if it is another command."""
    match = _MOTION.fullmatch(command)
    if match is None:
        return None
    if match["home"]:
        return Motion(Place.HOME)
    if match["bin"]:
        return Motion(Place.BIN, int(match["bin"]) + 1, Act(int(match["bin_act"])))
    return Motion(Place.DRIVE, int(match["drive"]), Act(int(match["drive_act"])))


def encode_state(state: int) -> bytes:
    """The reply to ``!e1C``."""
    return b"\x1b!e1%03d000C\x04" % state


def decode_state(reply: bytes) -> int | None:
    """The code in a reply to ``!e1C``; None if it is another reply. Codes without a name are returned too."""
    match = _STATE.fullmatch(reply)
    return int(match[1]) if match else None


def encode_version(text: str) -> bytes:
    """The reply to ``!e0C``."""
    return b"\x1b!e032C" + text.encode("ascii") + EOT


def decode_version(reply: bytes) -> str | None:
    """The text in a reply to ``!e0C``; None if it is another reply."""
    match = _VERSION.fullmatch(reply)
    return match[1].decode("ascii") if match else None


def is_motion_reply(reply: bytes) -> bool:
    """Whether it answers an order to the picker."""
    return reply in {DONE, FAILED}


def cut_reply(buffer: bytearray) -> bytes | None:
    """Take the first whole reply out of what was received: from the last ESC before an EOT, noise dropped."""
    while (end := buffer.find(EOT)) >= 0:
        frame = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        start = frame.rfind(ESC)
        if start >= 0:
            return frame[start:]
    return None


def cut_command(buffer: bytearray) -> bytes | None:
    """Take the first whole command out of what was received, noise before it dropped."""
    match = _COMMAND.search(buffer)
    if match is None:
        return None
    command = bytes(match[0])
    del buffer[: match.end()]
    return command
