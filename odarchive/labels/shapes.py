"""What a sheet is drawn with, and how wide text is. Units: millimetres from the top left corner of the page.

Text is measured in Helvetica, which every printer and PDF reader has; ``svg`` stretches other fonts to the same width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# Adobe Font Metrics of Helvetica, thousandths of the size, for the characters from space to ~.
_WIDTHS = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)
_OTHERS = 700
"""Of characters beyond ASCII: rather too wide than cut off."""
_BOLD = 1.09
"""Bold against regular, at the most."""
CUT = "..."


class Anchor(StrEnum):
    """Which point of a line of text ``x`` is."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True, slots=True)
class Text:
    """One line; ``y`` is its base line, ``size`` the height of the font."""

    x: float
    y: float
    size: float
    text: str
    bold: bool = False
    anchor: Anchor = Anchor.START

    @property
    def width(self) -> float:
        """In millimetres."""
        return width(self.text, self.size, bold=self.bold)

    @property
    def left(self) -> float:
        """Where it begins."""
        return self.x - self.width * {Anchor.START: 0.0, Anchor.MIDDLE: 0.5, Anchor.END: 1.0}[self.anchor]


@dataclass(frozen=True, slots=True)
class Box:
    """A black rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A hairline: where to cut, or between rows."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Ring:
    """A hairline circle: the edge of a disc, of its hole."""

    x: float
    y: float
    radius: float


Shape = Text | Box | Line | Ring


@dataclass(frozen=True, slots=True)
class Page:
    """One sheet of paper."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a line of text is."""
    units = sum(_WIDTHS[ord(letter) - 32] if " " <= letter <= "~" else _OTHERS for letter in text)
    return units * size / 1000 * (_BOLD if bold else 1.0)


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, or as much of its end as has room, or nothing: the ends of paths tell more than their beginnings."""
    if width(text, size, bold=bold) <= room:
        return text
    while text and width(CUT + text, size, bold=bold) > room:
        text = text[1:]
    return CUT + text if text else ""


def listed(names: Sequence[str], size: float, room: float) -> str:
    """Names parted by commas: the first of them that have room, and an ellipsis if there are more.

    Of a first one that has no room, its end.
    """
    for count in range(len(names), 0, -1):
        line = ", ".join([*names[:count], *([CUT] if count < len(names) else [])])
        if width(line, size) <= room:
            return line
    rest = f", {CUT}" if len(names) > 1 else ""
    first = fit(names[0], size, room - width(rest, size)) if names else ""
    return first + rest if first else ""


def shrunk(text: str, size: float, room: float, *, bold: bool = False) -> float:
    """The size at which a name fits, but not less than half of ``size``: then it is cut."""
    return max(size / 2, min(size, size * room / max(width(text, size, bold=bold), 1e-9)))


def clean(text: str) -> str:
    """Text without what moves a printer or is no character of XML; names of files may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
