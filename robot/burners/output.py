"""What xorriso says while it burns and when it ends, as values. Pure.

Not for: running anything. Not for: believing it; exit status and closing words are two of three witnesses, the third
is the drive (``robot.burners.xorriso``).

Source of the line formats and of the exit statuses: xorriso 1.5.4 ``-as cdrecord -v`` on pseudo-drives, observed; for
its drives the same words by its manual pages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from robot.ports import BurnProgress

MB = 1024 * 1024

_PROGRESS = re.compile(
    r"UPDATE :\s+(\d+)(?: of\s+(\d+))? MB written"
    r"(?: \(fifo\s+\d+%\))?(?: \[buf\s+(\d+)%\])?"
)
_SEVERE = re.compile(r"^\w+ : (ABORT|FATAL|FAILURE|MISHAP|SORRY) : (.+)$")
_CLOSING = re.compile(r"UPDATE : (?:Closing|Formatting|Blanking)")
_SUCCESS = re.compile(r"^Writing to '.*' completed successfully\.$")
_BEGINNING = re.compile(r"^Beginning to write data track\.$")


def parse_progress(line: str, total: int) -> BurnProgress | None:
    """The progress in an UPDATE line, or None if it is another line.

    The speed is left out: the unit of its ``x`` depends on the medium, and whoever hears the lines can measure.

    Args:
        line: without its newline.
        total: bytes to burn; the program tells only whole MiB.
    """
    match = _PROGRESS.search(line)
    if match is None:
        return None
    buffer = match.group(3)
    return BurnProgress(
        written=min(int(match.group(1)) * MB, total),
        total=total,
        buffer_percent=None if buffer is None else int(buffer),
    )


def says_closing(line: str) -> bool:
    """Whether the drive is at something long that writes no data: closing, formatting, blanking."""
    return _CLOSING.search(line) is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a burning program ended, in its own view."""

    success: bool
    """Exit status 0, the words of success, and no complaint. Necessary, never sufficient."""
    began: bool
    """It began to write: the medium must be taken as touched."""
    reason: str
    """Why not, in one line; empty on success."""


def judge(returncode: int, lines: Sequence[str]) -> Verdict:
    """Weigh the exit status against the words of a finished run.

    A run that prints ``completed successfully`` and ends with 32 (a SORRY: its source was a directory) or 33 (a
    WARNING, such as a truncated image) did not succeed; neither did one that ends with 0 and says nothing.
    """
    began = any(_BEGINNING.match(line) for line in lines)
    said = any(_SUCCESS.match(line) for line in lines)
    complaints = [match for line in lines if (match := _SEVERE.match(line))]
    complaints.sort(
        key=lambda match: match.group(1) == "ABORT"
    )  # an abort is the consequence of what is named elsewhere
    severe = [match.group(2) for match in complaints]
    if returncode == 0 and said and not severe:
        return Verdict(success=True, began=True, reason="")
    if severe:
        return Verdict(success=False, began=began, reason=severe[0])
    if returncode < 0:
        return Verdict(success=False, began=began, reason=f"ended by signal {-returncode}")
    if returncode == 0:
        return Verdict(success=False, began=began, reason="ended without saying that it completed")
    return Verdict(
        success=False, began=began, reason=f"exit status {returncode}" + (" after claiming success" if said else "")
    )


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds a burn may go on without a sign of advance. Lines that repeat the same figure are none."""

    stall: float = 120.0
    """While data is being written."""
    finish: float = 1_800.0
    """Before the first byte (calibration, lead-in, formatting) and while closing: a full BD-R takes minutes."""


class Advance:
    """Remembers when a burn last advanced. Pure: told the time, asks no clock.

    The program's own patience lines (``Thank you for being patient``) appear even while the drive hangs, so only a
    higher count of bytes or the beginning of a phase counts.
    """

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self._since = now
        self._written = -1
        self._writing = False

    def feed(self, line: str, progress: BurnProgress | None, now: float) -> None:
        """Take in one line that arrived at ``now`` (seconds on any steady clock)."""
        if progress is not None and progress.written > self._written:
            self._written, self._writing, self._since = progress.written, 0 < progress.written < progress.total, now
        elif self._writing and says_closing(line):
            self._writing, self._since = False, now

    def deadline(self) -> float:
        """The time at which the burn counts as stalled if nothing advances until then."""
        return self._since + (self._patience.stall if self._writing else self._patience.finish)
