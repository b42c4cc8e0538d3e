"""What is printed where: the face of a disc, its hub, the spine of its case, the list of a shelf or box.

A 120 mm disc has a hole of 15 mm; what can be printed begins at a diameter of 23 or of 46 mm and ends at 118 (makers'
templates; a safe edge of 1 mm is kept). A hub label uses the ring between 23 and 46 mm: for discs without a printable
face, marked by hand after it, or with a ring label.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from odarchive.labels.code import MODULES, QUIET, square
from odarchive.labels.shapes import CUT, Anchor, Line, Page, Ring, Shape, Text, clean, fit, listed, shrunk

DISC, PRINTED, HOLE = 120.0, 118.0, 15.0
"""Diameters."""
SMALL, LARGE = 23.0, 46.0
"""Diameters where the printable part begins, on discs printable to the hub and on others."""
SAFE = 1.0
PAPERS = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
SPINE = (118.0, 6.5)
_MARGIN = 12.0
_FACE_CODE, _HUB_CODE, _LIST_CODE = 15.0, 8.0, 11.0
_ROW = 18.0
_FOLDER = 4.4
"""From one folder's line to the next on a face."""


class Sheet(StrEnum):
    """Kinds of sheets."""

    FACE = "face"
    HUB = "hub"
    SPINE = "spine"
    BOX = "box"


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of a disc, in words."""

    name: str
    uuid: str
    date: str
    size: str
    files: int
    folders: tuple[str, ...]
    """What is on it, the most important first."""
    place: str = ""

    @property
    def amount(self) -> str:
        """How much is on it."""
        return f"{self.files} file{'' if self.files == 1 else 's'}, {self.size}"


def pages(kind: Sheet, labels: Sequence[Label], *, paper: str, inner: float, title: str) -> list[Page]:
    """The sheets for some discs; at least one.

    Args:
        kind: what is printed.
        labels: of which discs.
        paper: a key of ``PAPERS``.
        inner: diameter where the printable part of a face begins, for ``Sheet.FACE``.
        title: over a list.
    """
    wide, high = PAPERS[paper]
    if kind is Sheet.BOX:
        return _lists(labels, wide, high, clean(title))
    cell = {Sheet.FACE: (DISC, DISC), Sheet.HUB: (DISC / 2, DISC / 2), Sheet.SPINE: SPINE}[kind]
    columns = int((wide - _MARGIN) // cell[0])
    rows = int((high - _MARGIN) // (cell[1] + 2.0))
    made = []
    for first in range(0, len(labels), columns * rows):
        shapes: list[Shape] = []
        for index, label in enumerate(labels[first : first + columns * rows]):
            x = (wide - columns * cell[0]) / 2 + index % columns * cell[0]
            y = _MARGIN / 2 + index // columns * (cell[1] + 2.0)
            shapes += _cell(kind, label, x, y, inner)
        made.append(Page(wide, high, tuple(shapes)))
    return made


def _cell(kind: Sheet, label: Label, x: float, y: float, inner: float) -> list[Shape]:
    if kind is Sheet.FACE:
        center = DISC / 2
        edges: list[Shape] = [Ring(x + center, y + center, diameter / 2) for diameter in (DISC, PRINTED, inner, HOLE)]
        return edges + face(label, x + center, y + center, inner)
    if kind is Sheet.HUB:
        center = DISC / 4
        edges = [Ring(x + center, y + center, diameter / 2) for diameter in (LARGE, SMALL, HOLE)]
        return edges + hub(label, x + center, y + center)
    return _spine(label, x, y)


def face(label: Label, x: float, y: float, inner: float) -> list[Shape]:
    """What is printed on a disc whose middle is (x, y), within its printable ring."""
    above = y - inner / 2 - SAFE
    code = square(label.uuid, x - _FACE_CODE / 2, above - _quiet(_FACE_CODE) - _FACE_CODE, _FACE_CODE)
    top = above - _FACE_CODE - 2 * _quiet(_FACE_CODE)
    below = y + inner / 2 + SAFE
    lines = [
        Text(x, top - 1.0, 6.0, label.name, bold=True),
        Text(x, below + 4.0, 3.6, f"{label.date}   {label.amount}"),
    ]
    last = y + PRINTED / 2 - 9.0
    at = below + 9.5
    rows = max(0, math.floor((last - at) / _FOLDER)) + 1
    shown = label.folders if len(label.folders) <= rows else (*label.folders[: rows - 1], CUT)
    for folder in shown:
        lines.append(Text(x, at, 3.0, folder))
        at += _FOLDER
    lines.append(Text(x, min(at + 0.6, last + 4.5), 2.2, label.uuid))
    return [*code, *(_within(line, x, y, PRINTED) for line in lines)]


def hub(label: Label, x: float, y: float) -> list[Shape]:
    """What is printed between 23 and 46 mm."""
    bottom = y - SMALL / 2 - _quiet(_HUB_CODE)
    below = y + SMALL / 2 + SAFE
    lines = [
        Text(x, below + 2.6, 3.2, label.name, bold=True),
        Text(x, below + 5.6, 2.4, label.date),
        Text(x, below + 8.2, 2.0, label.uuid[:8]),
    ]
    code = square(label.uuid, x - _HUB_CODE / 2, bottom - _HUB_CODE, _HUB_CODE)
    return [*code, *(_within(line, x, y, LARGE) for line in lines)]


def _quiet(side: float) -> float:
    return side / MODULES * QUIET


def _within(line: Text, x: float, y: float, outer: float) -> Text:
    """A line around ``x``, as much of it as a circle around (x, y) has room for at its narrower side."""
    radius = outer / 2 - SAFE
    far = max(abs(line.y - y), abs(line.y - line.size - y))
    room = 2 * math.sqrt(max(0.0, radius * radius - far * far))
    words = clean(line.text)
    size = shrunk(words, line.size, room, bold=True) if line.bold else line.size
    return Text(x, line.y, size, fit(words, size, room, bold=line.bold), line.bold, Anchor.MIDDLE)


def _name(label: Label, x: float, y: float, size: float, room: float) -> Text:
    """A disc's name that begins at ``x``."""
    name = clean(label.name)
    size = shrunk(name, size, room, bold=True)
    return Text(x, y, size, fit(name, size, room, bold=True), bold=True)


def _spine(label: Label, x: float, y: float) -> list[Shape]:
    wide, high = SPINE
    corners = ((x, y), (x + wide, y), (x + wide, y + high), (x, y + high), (x, y))
    cuts: list[Shape] = [Line(*a, *b) for a, b in pairwise(corners)]
    line = y + high / 2 + 1.3
    date = Text(x + wide - 3.0, line, 3.0, clean(label.date), anchor=Anchor.END)
    name = _name(label, x + 3.0, line, 4.0, date.left - x - 9.0)
    begin = name.left + name.width + 4.0
    words = listed([clean(folder) for folder in label.folders] or [label.amount], 2.8, date.left - 3.0 - begin)
    return [*cuts, name, Text(begin, line, 2.8, words), date]


def _lists(labels: Sequence[Label], wide: float, high: float, title: str) -> list[Page]:
    rows = int((high - 2 * _MARGIN - 14.0) // _ROW)
    sheets = [labels[first : first + rows] for first in range(0, len(labels), rows)]
    made = []
    for number, those in enumerate(sheets, 1):
        head = fit(title, 6.0, wide - 2 * _MARGIN - 30.0, bold=True)
        count = f"{number} of {len(sheets)}"
        shapes: list[Shape] = [
            Text(_MARGIN, _MARGIN + 6.0, 6.0, head, bold=True),
            Text(wide - _MARGIN, _MARGIN + 6.0, 3.5, count, anchor=Anchor.END),
        ]
        for index, label in enumerate(those):
            shapes += _row(label, _MARGIN + 12.0 + index * _ROW, wide)
        made.append(Page(wide, high, tuple(shapes)))
    return made


def _row(label: Label, y: float, wide: float) -> list[Shape]:
    left, right = _MARGIN + _LIST_CODE + 6.0, wide - _MARGIN
    facts = Text(right, y + 6.0, 3.4, clean(f"{label.date}   {label.amount}"), anchor=Anchor.END)
    name = _name(label, left, y + 6.0, 5.0, facts.left - left - (35.0 if label.place else 5.0))
    middle = fit(clean(label.place), 3.4, facts.left - name.left - name.width - 10.0)
    lines = [listed([clean(folder) for folder in label.folders], 3.0, right - left), label.uuid]
    return [
        Line(_MARGIN, y, right, y),
        *square(label.uuid, _MARGIN + 1.0, y + (_ROW - _LIST_CODE) / 2, _LIST_CODE),
        name,
        Text(left + name.width + 5.0, y + 6.0, 3.4, middle),
        facts,
        Text(left, y + 11.0, 3.0, lines[0]),
        Text(left, y + 15.2, 2.4, lines[1]),
    ]
