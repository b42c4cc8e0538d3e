"""wodim and cdrecord, as a dialect of burning programs: CD and DVD. Pure but for looking for the program.

Source of the line formats and exit statuses: wodim 1.1.11 on virtual burners behind Linux's own sr
(``tests/robot/golden/burners``). Debian's ``cdrecord`` is wodim, which knows no BD; Schilling's own is not tried.
"""

import re
from collections.abc import Sequence

from robot.burners.dialect import Task, Verdict, told_in_mib, which
from robot.ports import SECTOR, BurnProgress

_PROGRESS = re.compile(
    r"^Track \d+:\s+(\d+)(?: of\s+(\d+))? MB written(?: \(fifo\s+\d+%\))?(?: \[buf\s+(\d+)%\])?(?:\s+([\d.]+)x)?"
)
_BEGINNING = re.compile(r"^Starting (?:to write CD/DVD at speed|new track at sector)")
_TOTAL = re.compile(r"^Track \d+: Total bytes read/written: (\d+)/(\d+) ")
_CLOSING = re.compile(r"^(?:Fixating|Blanking|Formatting|Performing OPC)")
_SEVERE = re.compile(r"^\S*(?:wodim|cdrecord): (?!fifo |The current problem|Try to|Make sure|Warning)(.+)$")
_SENSE = re.compile(r"^Sense Code: \S+ Qual \S+ \((.+?)\)")
"""What the drive itself complained of."""


class Cdrecord:
    """``wodim -sao`` or ``cdrecord -sao``: CD and DVD."""

    name = "cdrecord"
    writes_files = False

    def __init__(self, *programs: str) -> None:
        """``programs``: names or paths, the first that is installed is taken; wodim or cdrecord if there are none."""
        self._programs = programs or ("wodim", "cdrecord")

    def found(self) -> str:
        """See the port."""
        return which(*self._programs)

    def refuses(self, task: Task) -> str | None:
        """See the port: wodim leaves BD alone."""
        if task.profile.startswith("bd"):
            return f"cdrecord does not write a {task.profile}: set [burn] program = xorriso or growisofs"
        if task.rehearsal and task.profile.startswith("dvd+"):
            return f"a {task.profile} has no simulated writing: rehearse with a CD-R or DVD-R"
        return None

    def arguments(self, task: Task) -> list[str]:
        """See the port. The disc is written at once, closed, and nothing is added to it."""
        words = ["-v", f"dev={task.device}", "gracetime=2", "-sao", "-nopad", "driveropts=burnfree", "-data"]
        words += ["-dummy"] if task.rehearsal else []
        words += [] if task.speed is None else [f"speed={task.speed}"]
        return [*words, f"tsize={task.size // SECTOR}s", task.source or "-"]

    def progress(self, line: str, total: int) -> BurnProgress | None:
        """See the port."""
        return told_in_mib(_PROGRESS.match(line), total)

    def closing(self, line: str) -> bool:
        """See the port."""
        return _CLOSING.match(line) is not None

    def judge(self, returncode: int, lines: Sequence[str], size: int) -> Verdict:
        """See the port: exit status 0, and as many bytes read and written as the image has."""
        began = any(_BEGINNING.match(line) for line in lines)
        counted = [(int(match.group(1)), int(match.group(2))) for line in lines if (match := _TOTAL.match(line))]
        if returncode == 0 and counted == [(size, size)]:
            return Verdict(success=True, began=True, reason="")
        severe = [match.group(1) for line in lines if (match := _SENSE.match(line) or _SEVERE.match(line))]
        if returncode < 0:
            reason = f"ended by signal {-returncode}"
        elif severe:
            reason = severe[0]
        elif returncode:
            reason = f"exit status {returncode}"
        else:
            reason = f"ended well, but counted {counted[0][1] if counted else 'no'} bytes of {size}"
        return Verdict(success=False, began=began or bool(counted), reason=reason)
