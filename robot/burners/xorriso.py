"""xorriso, as a dialect of burning programs: what it is told, and what it says while it burns and when it ends. Pure.

Source of the line formats and of the exit statuses: xorriso 1.5.4 ``-as cdrecord -v`` on pseudo-drives, observed; for
its drives the same words by its manual pages.
"""

import re
from collections.abc import Sequence

from robot.burners.dialect import Task, Verdict, told_in_mib, which
from robot.ports import SECTOR, BurnProgress

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
    return told_in_mib(_PROGRESS.search(line), total)


def says_closing(line: str) -> bool:
    """Whether the drive is at something long that writes no data: closing, formatting, blanking."""
    return _CLOSING.search(line) is not None


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


FIFO = "fs=64m"
"""xorriso's buffer in front of the drive when the image comes through a pipe."""


class Xorriso:
    """``xorriso -as cdrecord``: all media, and files as drives."""

    name = "xorriso"
    writes_files = True

    def __init__(self, program: str = "xorriso") -> None:
        """``program``: name or path."""
        self._program = program

    def found(self) -> str:
        """See the port."""
        return which(self._program)

    def refuses(self, task: Task) -> str | None:
        """See the port: a rehearsal is possible on CD and sequential DVD alone (libburn)."""
        is_file = task.device.startswith("stdio:")
        if task.rehearsal and not is_file and task.profile.startswith(("bd", "dvd+")):
            return f"a {task.profile} has no simulated writing: rehearse with a CD-R or DVD-R"
        return None

    def arguments(self, task: Task) -> list[str]:
        """See the port. Unformatted BD-R are written without defect management; formatting them brings it."""
        words = ["-no_rc"]
        if task.defects and task.profile.startswith("bd-r"):
            words += ["-outdev", task.device, "-format", "as_needed", "-outdev", ""]
        words += ["-as", "cdrecord", "-v", f"dev={task.device}", "padsize=0", "-sao"]
        words += ["-dummy"] if task.rehearsal else []
        words += [] if task.speed is None else [f"speed={task.speed}"]
        if task.source is not None:
            return [*words, task.source]
        return [*words, FIFO, f"tsize={task.size // SECTOR}s", "-"]

    def progress(self, line: str, total: int) -> BurnProgress | None:
        """See the port."""
        return parse_progress(line, total)

    def closing(self, line: str) -> bool:
        """See the port."""
        return says_closing(line)

    def judge(self, returncode: int, lines: Sequence[str], size: int) -> Verdict:
        """See the port."""
        return judge(returncode, lines)
