"""The fault menu: what a simulated machine does wrong, as orders that are given beforehand and counted.

For saying "on the third MOVE, act but do not answer". Not for what a fault does: each machine carries its orders out.
Every order records that it fired; a test that planned a fault which never happened has proven nothing
(:meth:`FaultPlan.unfired`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class FaultKind(StrEnum):
    """What goes wrong."""

    MUTE = "mute"
    """Acts, says nothing."""
    DEAF = "deaf"
    """Neither acts nor answers."""
    LATE = "late"
    """Acts, answers ``seconds`` later than it should."""
    GARBLED = "garbled"
    """Acts; the answer arrives with a wrong byte."""
    HALF = "half"
    """Acts; the answer breaks off in the middle, without a line end."""
    EARLIER = "earlier"
    """Acts; answers with its answer to an earlier command."""
    JAM_EMPTY = "jam-empty"
    """The picker does not get the disc; it stays where it was."""
    JAM_HELD = "jam-held"
    """The picker cannot set the disc down and keeps it."""
    DROP = "drop"
    """The disc falls to the floor of the machine on the way."""
    DOUBLE = "double-pick"
    """Two discs stick together: the one of the next slot comes along. The machine does not notice."""
    WRONG_SLOT = "wrong-slot"
    """The picker takes the disc of the next slot. The machine does not notice."""
    DOOR = "door"
    """Somebody opens the door while the arm is on its way."""
    POWER = "power"
    """Power fails and comes back; ``at`` says when: ``start``, ``held`` or ``placed``."""
    FAULT = "fault"
    """The machine stops with its own code, ``code``, before it takes the disc."""


LINE_FAULTS = frozenset(
    {FaultKind.MUTE, FaultKind.DEAF, FaultKind.LATE, FaultKind.GARBLED, FaultKind.HALF, FaultKind.EARLIER}
)
"""Faults of the conversation; they count every copy of a command that arrives. The others count motions begun."""

FOR_EVER = 0


@dataclass(slots=True)
class Fault:
    """One order."""

    kind: FaultKind
    command: str
    """The command's word in the machine's own language, such as ``MOVE``."""
    nth: int = 1
    """The first occurrence it happens at, from 1."""
    times: int = 1
    """How many occurrences in a row; ``FOR_EVER`` for all from ``nth`` on."""
    seconds: float = 5.0
    code: str = "E99"
    at: str = "held"
    fired: int = 0
    """How often it has happened."""

    def hit(self) -> None:
        """Record that it has happened."""
        self.fired += 1

    def due(self, occurrence: int) -> bool:
        """Whether it happens at this occurrence of its command."""
        return occurrence >= self.nth and (self.times == FOR_EVER or occurrence < self.nth + self.times)


class FaultPlan:
    """The orders of one machine, and the counters they refer to."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._seen: Counter[tuple[bool, str]] = Counter()

    def of_line(self, command: str) -> Fault | None:
        """A copy of ``command`` has arrived: the fault of the conversation that is due; who does it calls ``hit``."""
        return self._next(command, of_line=True)

    def of_motion(self, command: str) -> Fault | None:
        """The motion ``command`` begins: the fault of the mechanics that is due, if any; who does it calls ``hit``."""
        return self._next(command, of_line=False)

    def unfired(self) -> tuple[Fault, ...]:
        """Orders that have not happened."""
        return tuple(fault for fault in self.faults if not fault.fired)

    def _next(self, command: str, *, of_line: bool) -> Fault | None:
        self._seen[of_line, command] += 1
        for fault in self.faults:
            if fault.command != command or (fault.kind in LINE_FAULTS) is not of_line:
                continue
            if fault.due(self._seen[of_line, command]):
                return fault
        return None


def load_plan(path: Path) -> FaultPlan:
    """Read orders from a JSON file: a list of objects with the fields of :class:`Fault`.

    Raises:
        ValueError: not such a list; the message names the file and the entry.
    """
    try:
        entries = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    faults = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        try:
            faults.append(Fault(**{**entry, "kind": FaultKind(entry["kind"])}))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: entry {number}: {error}") from error
    return FaultPlan(faults)
