"""Arguments and output of changer scripts, as Bareos and Bacula call them (bareos ``core/scripts/mtx-changer.in``).

``script CHANGER COMMAND SLOT ARCHIVE-DEVICE DRIVE`` with slots from 1 and drives from 0; exit status 0 or it failed.
For both sides: the driver builds arguments and parses, simulated scripts print. Pure.

Two additions a script of one's own may make; scripts without them work as well: ``?`` in ``listall`` for an element of
unknown fill, and a line ``error: NAME`` with a name of :class:`robot.wire.mtx_errors.Trouble` when it fails.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from robot.ports import ElementKind, ElementState, Fill, drive
from robot.wire.mtx import BadOutputError, Report, Shape
from robot.wire.mtx_errors import Explanation, Trouble, explain

_FILLS = {"F": Fill.FULL, "E": Fill.EMPTY, "?": Fill.UNKNOWN}
_LETTERS = {fill: letter for letter, fill in _FILLS.items()}
_DRIVE = re.compile(r"^D:(\d+):([FE?])(?::(\d*)(?::(.*))?)?$")
_SLOT = re.compile(r"^([SI]):(\d+):([FE?])(?::(.*))?$")
_ERROR = re.compile(r"^error: (\w+)\s*(.*)$", re.MULTILINE)


def arguments(changer: str, command: str, slot: int, device: str, drive_number: int) -> list[str]:
    """What follows the script's own name; five words, also where a command needs fewer."""
    return [changer, command, str(slot), device, str(drive_number)]


def transfer_arguments(changer: str, source: int, destination: int) -> list[str]:
    """``transfer`` has the destination where the others have the device."""
    return [changer, "transfer", str(source), str(destination)]


def parse_listall(text: str, mailslots: int = 0) -> Report:
    """Read the output of ``listall``.

    Args:
        text: ``D:drive:F:slot:tag``, ``D:drive:E``, ``S:slot:F:tag``, ``S:slot:E``, ``I:slot:E``; others are skipped.
        mailslots: how many of the last slots are mailslots, for scripts that print ``S`` for those too (Bareos' own).

    Raises:
        BadOutputError: no slots in it, a gap in their numbers, or an element twice.
    """
    slots: dict[int, ElementState] = {}
    drives: dict[int, ElementState] = {}
    lines = [line.strip() for line in text.splitlines()]
    found = [match for line in lines if (match := _SLOT.match(line))]
    mailslots = max(mailslots, sum(match[1] == "I" for match in found))
    shape = Shape(len(found) - mailslots, sum(bool(_DRIVE.match(line)) for line in lines), mailslots)
    for match in found:
        _add(slots, int(match[2]), ElementState(shape.element(int(match[2])), _FILLS[match[3]], None, _tag(match[4])))
    for match in filter(None, map(_DRIVE.match, lines)):
        source = shape.element(int(match[3])) if match[3] and match[3] != "0" else None
        number = int(match[1])
        _add(drives, number, ElementState(drive(number), _FILLS[match[2]], source, _tag(match[4])))
    if not slots or sorted(slots) != list(range(1, len(slots) + 1)) or sorted(drives) != list(range(len(drives))):
        raise BadOutputError(f"the list of slots or drives has gaps: {text[:60]!r}")
    return Report(shape, (*(slots[n] for n in sorted(slots)), *(drives[n] for n in sorted(drives))))


def _add(states: dict[int, ElementState], number: int, state: ElementState) -> None:
    if number in states:
        raise BadOutputError(f"{state.element} is listed twice")
    states[number] = state


def _tag(text: str | None) -> str | None:
    return (text or "").strip() or None


def print_listall(report: Report) -> str:
    """What a script prints for ``report``; mailslots as ``I``, as the comment in the script of Bareos promises."""
    drives = [s for s in report.elements if s.element.kind is ElementKind.DRIVE]
    places = [s for s in report.elements if s.element.kind is not ElementKind.DRIVE]
    lines = [_print_drive(state, report.shape) for state in drives]
    for state in places:
        letter = "I" if state.element.kind is ElementKind.MAILSLOT else "S"
        tag = f":{state.volume_tag or ''}" if state.fill is Fill.FULL else ""
        lines.append(f"{letter}:{report.shape.number(state.element)}:{_LETTERS[state.fill]}{tag}")
    return "".join(f"{line}\n" for line in lines)


def _print_drive(state: ElementState, shape: Shape) -> str:
    text = f"D:{state.element.number}:{_LETTERS[state.fill]}"
    if state.fill is not Fill.FULL:
        return text
    source = shape.number(state.source) if state.source else None
    return f"{text}:{source or ''}:{state.volume_tag or ''}"


def explain_script(out: str, err: str) -> Explanation:
    """Why a script failed: its own ``error:`` line, else the words of mtx, which most scripts call."""
    text = f"{out}\n{err}"
    if match := _ERROR.search(text):
        name = match[1] if match[1] in set(Trouble) else Trouble.UNCLEAR
        return Explanation(Trouble(name), f"{match[1]} {match[2]}".strip())
    return explain(text)


def parse_words(words: Sequence[str]) -> tuple[str, list[str]]:
    """A script's side: the command, and what follows it. The changer's name is dropped."""
    return (words[1], list(words[2:])) if len(words) > 1 else ("", [])
