"""Errands for a person who moves the discs: what is shown on a terminal, and what is typed in answer.

For both sides: the driver shows and reads, the simulated person reads and types. Not for waiting. Pure.
An answer is a word, with the errand's number before it if the person cares to; anything else is not understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from robot.ports import Element, ElementKind


class Answer(StrEnum):
    """What a person may say of an errand."""

    DONE = "done"
    EMPTY = "empty"
    """There is no disc where one should be taken."""
    FULL = "full"
    """There is a disc where one should be put."""
    CLOSED = "closed"
    """The drive's tray is closed."""
    FAILED = "failed"
    """It cannot be done, the disc was not put where it should be."""
    UNSURE = "unsure"
    STOP = "stop"
    """Something is broken; words may follow."""


_MEANINGS = {
    Answer.DONE: "the disc lies there",
    Answer.EMPTY: "there was no disc to take",
    Answer.FULL: "there is a disc already",
    Answer.CLOSED: "the tray is closed",
    Answer.FAILED: "it cannot be done",
    Answer.UNSURE: "I do not know what happened",
    Answer.STOP: "something is broken (say what)",
}
_SYNONYMS = {"ok": Answer.DONE, "yes": Answer.DONE, "y": Answer.DONE, "d": Answer.DONE}
_LINE = re.compile(r"(?:(\d{1,9})[:.]?\s+)?([a-z]+)(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_SHOWN = re.compile(r"== errand (\d+) ==\r?\n(?:Take the disc from ([a-z-]+) (\d+) and put it to ([a-z-]+) (\d+)\.)?")


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing to do."""

    number: int
    source: Element | None
    """None: nothing is to be moved, the machine is to be looked at."""
    destination: Element | None


@dataclass(frozen=True, slots=True)
class Said:
    """One line a person typed."""

    answer: Answer | None
    """None: not understood."""
    number: int | None = None
    words: str = ""


def show(errand: Errand) -> str:
    """The text to put on a terminal."""
    lines = ["", f"== errand {errand.number} =="]
    if errand.source is not None and errand.destination is not None:
        lines.append(f"Take the disc from {errand.source} and put it to {errand.destination}.")
        answers = list(Answer)
    else:
        lines.append("Make sure that no disc lies astray and nothing stands in the way of the trays.")
        answers = [Answer.DONE, Answer.STOP]
    lines += [f"  {answer.value:<7} {_MEANINGS[answer]}" for answer in answers]
    return "\n".join(lines) + "\nanswer> "


def read_errands(text: str) -> list[Errand]:
    """The errands shown in ``text``, as a person reads them. Unknown places make it no errand."""
    errands = []
    for match in _SHOWN.finditer(text):
        number, first, m, second, n = match.groups()
        if first is None:
            errands.append(Errand(int(number), None, None))
        elif {first, second} <= set(ElementKind):
            ends = Element(ElementKind(first), int(m)), Element(ElementKind(second), int(n))
            errands.append(Errand(int(number), *ends))
    return errands


def read_answer(line: str) -> Said:
    """What a typed line means."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return Said(None)
    word = match[2].lower()
    answer = _SYNONYMS.get(word) or (Answer(word) if word in set(Answer) else None)
    return Said(answer, int(match[1]) if match[1] else None, (match[3] or "").strip())
