"""Errands for a person who moves the discs: what is shown on a terminal, and what is typed in answer.

For both sides: the driver shows and reads, the simulated person reads and types. Not for waiting. Pure.
An answer is a word, with the errand's number before it if the person cares to; anything else is not understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
_SHOWN = re.compile(r"== errand (\d+) ==\r?\n([^\r\n]*)")
_CARRY = re.compile(r"Take .* from ([a-z-]+) (\d+) and put it to ([a-z-]+) (\d+)\.")
_PUT = re.compile(r"Put .* into drive (\d+)\.")
_TAKE = re.compile(r"Take .* out of drive (\d+) and put it (on the shelf|aside: it is of no use)\.")
_LOOK = "Make sure that no disc lies astray and nothing stands in the way of the trays."
_SUPPLY = Element(ElementKind.INPUT_BIN, 1)
_SHELF = {
    "on the shelf": Element(ElementKind.OUTPUT_BIN, 1),
    "aside: it is of no use": Element(ElementKind.REJECT_BIN, 1),
}
"""For a person without numbered places, what bins are to a machine."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing to do."""

    number: int
    source: Element | None
    """None: nothing is to be moved, the machine is to be looked at."""
    destination: Element | None
    disc: str = field(default="", compare=False)
    """Which disc it is, or should be, in words."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line a person typed."""

    answer: Answer | None
    """None: not understood."""
    number: int | None = None
    words: str = ""


def show(errand: Errand) -> str:
    """The text to put on a terminal."""
    lines = ["", f"== errand {errand.number} ==", sentence(errand)]
    lines += [f"  {answer.value:<7} {meaning}" for answer, meaning in choices(errand)]
    return "\n".join(lines) + "\nanswer> "


def choices(errand: Errand) -> list[tuple[Answer, str]]:
    """What can be answered, and what it means."""
    answers = [Answer.DONE, Answer.STOP] if errand.source is None else list(Answer)
    return [(answer, _MEANINGS[answer]) for answer in answers]


def sentence(errand: Errand) -> str:
    """What is to be done, in one sentence."""
    source, destination = errand.source, errand.destination
    if source is None or destination is None:
        return _LOOK
    if source == _SUPPLY and destination.kind is ElementKind.DRIVE:
        return f"Put {errand.disc or 'the next disc'} into {destination}."
    disc = errand.disc or "the disc"
    for where, place in _SHELF.items():
        if destination == place and source.kind is ElementKind.DRIVE:
            return f"Take {disc} out of {source} and put it {where}."
    return f"Take {disc} from {source} and put it to {destination}."


def read_errands(text: str) -> list[Errand]:
    """The errands shown in ``text``, as a person reads them. Unknown places make it no errand."""
    errands = []
    for match in _SHOWN.finditer(text):
        number, sentence = int(match[1]), match[2]
        ends = _ends(sentence)
        if ends is not None:
            errands.append(Errand(number, *ends))
        elif not sentence.startswith(("Take ", "Put ")):
            errands.append(Errand(number, None, None))
    return errands


def _ends(sentence: str) -> tuple[Element, Element] | None:
    if match := _PUT.fullmatch(sentence):
        return _SUPPLY, Element(ElementKind.DRIVE, int(match[1]))
    if match := _TAKE.fullmatch(sentence):
        return Element(ElementKind.DRIVE, int(match[1])), _SHELF[match[2]]
    match = _CARRY.fullmatch(sentence)
    if match is None or not {match[1], match[3]} <= set(ElementKind):
        return None
    return Element(ElementKind(match[1]), int(match[2])), Element(ElementKind(match[3]), int(match[4]))


def read_answer(line: str) -> Said:
    """What a typed line means."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return Said(None)
    word = match[2].lower()
    answer = _SYNONYMS.get(word) or (Answer(word) if word in set(Answer) else None)
    return Said(answer, int(match[1]) if match[1] else None, (match[3] or "").strip())
