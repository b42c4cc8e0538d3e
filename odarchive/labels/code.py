"""The square code of a disc: its id, for a phone or a scanner that types into a terminal.

The content is ``ODA:`` and the 32 hexadecimal digits of the disc's id, upper case: 36 characters of QR's alphanumeric
set, which fit a code of 25 by 25 modules whose error correction (M) mends 15 %.
"""

import segno

from odarchive.labels.shapes import Box

PREFIX = "ODA:"
MODULES = 25
"""Of version 2."""
QUIET = 4
"""Modules of white that must surround it (ISO/IEC 18004)."""


def payload(uuid: str) -> str:
    """What the code of a disc says."""
    return PREFIX + uuid.replace("-", "").upper()


def square(uuid: str, x: float, y: float, side: float) -> list[Box]:
    """The code's black parts; its dark and light modules together are ``side`` wide, without the quiet zone."""
    code = segno.make_qr(payload(uuid), version=2, error="m", mode="alphanumeric", boost_error=False)
    module = side / MODULES
    boxes = []
    for row, line in enumerate(code.matrix):
        column = 0
        while column < len(line):
            end = column
            while end < len(line) and line[end]:
                end += 1
            if end > column:
                boxes.append(Box(x + column * module, y + row * module, (end - column) * module, module))
            column = end + 1
    return boxes
