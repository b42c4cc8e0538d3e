"""The "generic" command set of disc duplicators: one letter a command, one letter an answer.

Amtren, Discmakers, Microboards, MF Digital, Vinpower, Kodak kiosks. 9600 baud, 8N1, no flow control, no line ends.
Sources: the hyperdiscs wiki ("Command Sets -- Generic") and three public drivers used on such machines (r2disc2,
pyDiscRip, iromlab). Certain: the letters and ``X``/``E``. From one list only: the numbers of ``S``. Unknown: in what
form ``S`` and ``V`` answer; here any text with a number in it will do for ``S``. Pure.
"""

from __future__ import annotations

import re
from enum import Enum, IntEnum, StrEnum

SETTINGS = {"baudrate": 9600}
"""Of the serial port."""


class Letter(StrEnum):
    """The commands in use here."""

    VERSION = "V"
    """Sign on; some machines want it first."""
    CALIBRATE = "C"
    INSERT = "I"
    """Input bin to drive tray."""
    ACCEPT = "A"
    """Drive tray (or picker) to output bin."""
    GET = "G"
    """Drive tray to picker. Old Microboards use ``K``."""
    REJECT = "R"
    """Picker to reject bin."""
    STATUS = "S"


class Reply(Enum):
    """The answer to a command that moves something."""

    SUCCESS = b"X"
    FAILURE = b"E"


class Code(IntEnum):
    """What ``S`` tells."""

    OK = 0
    TOP_SENSOR = 14
    FLOAT_SENSOR = 15
    DISC_SENSOR = 16
    UP_TIMEOUT = 18
    DOWN_TIMEOUT = 19
    TRAY_EMPTY = 21
    INPUT_EMPTY = 22
    """It could not get a disc from the input bin; most often there is none."""
    PRINTER_EMPTY = 23


def encode(letter: Letter) -> bytes:
    """The one byte to send."""
    return letter.value.encode("ascii")


def cut_reply(buffer: bytearray) -> bytes | None:
    """Take one byte out of what was received."""
    if not buffer:
        return None
    first = bytes(buffer[:1])
    del buffer[:1]
    return first


def is_reply(answer: bytes) -> bool:
    """Whether it is an ``X`` or an ``E``; all else is noise."""
    return answer in {Reply.SUCCESS.value, Reply.FAILURE.value}


def decode_status(answer: bytes) -> int | None:
    """The number in an answer to ``S``; None if there is none. Numbers without a name are returned too."""
    match = re.search(rb"\d{1,3}", answer)
    return int(match[0]) if match else None


def describe(code: int | None) -> str:
    """The number in words."""
    if code is None:
        return "it does not say why"
    name = Code(code).name.lower().replace("_", " ") if code in set(Code) else "no name known"
    return f"its status is {code:02} ({name})"
