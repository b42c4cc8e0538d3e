"""growisofs, as a dialect of burning programs: DVD and BD. Pure but for looking for the program.

It is never given a regular file as its target (as root it would unmount what it takes for it), and never told to write
over anything (``-use-the-force-luke=tty``).

Source of the line formats and exit statuses: growisofs 7.1 on virtual burners behind Linux's own sr
(``tests/robot/golden/burners``) and its source.
"""

import errno
import os
import re
from collections.abc import Sequence

from robot.burners.dialect import Task, Verdict, which
from robot.ports import SECTOR, BurnProgress

_PROGRESS = re.compile(r"^\s*(\d+)/(\d+) \(\s*[\d.]+%\) @\s*[\d.]+x, remaining \S+ RBU\s+[\d.]+%(?: UBU\s+([\d.]+)%)?")
_OUT = re.compile(r"^builtin_dd: (\d+)\*2KB out @ average")
_SEVERE = re.compile(r"^\s*:-[(\[] (.+)$")
_CLOSE = re.compile(r"CLOSE (?:SESSION|DISC|TRACK).*SK=5h/(?:ASC=)?72h/(?:ACQ=|ASCQ=)?03h")
"""A complaint that often follows a good burn: some drives close by themselves. The reading-back decides."""
_CLOSED = re.compile(r": closing (?:session|disc)$")
_CLOSING = re.compile(r"(?:flushing cache|closing track|closing disc|closing session|pre-formatting|stopping de-icing)")
_BEGINNING = re.compile(r"^(?:/dev/\S+: \"Current Write Speed\"|\s*\d+/\d+ \()")
SETUP = 128
"""What is added to an errno in its exit status when it fails before it writes."""


class Growisofs:
    """``growisofs -Z``: DVD and BD."""

    name = "growisofs"
    writes_files = False

    def __init__(self, program: str = "growisofs") -> None:
        """``program``: name or path."""
        self._program = program

    def found(self) -> str:
        """See the port."""
        return which(self._program)

    def refuses(self, task: Task) -> str | None:
        """See the port: it knows no CD, and simulates DVD-R alone."""
        if not task.profile.startswith(("dvd", "bd")):
            return f"growisofs does not write a {task.profile}: set [burn] program = xorriso or cdrecord"
        if task.rehearsal and not task.profile.startswith("dvd-r"):
            return f"a {task.profile} has no simulated writing: rehearse with a DVD-R"
        return None

    def arguments(self, task: Task) -> list[str]:
        """See the port. BD-R are formatted with a spare area by default, which is the defect management."""
        luke = ["notray", f"tracksize:{task.size // SECTOR}"]
        luke += ["dummy"] if task.rehearsal else []
        luke += ["spare:none"] if task.profile.startswith("bd") and not task.defects else []
        words = ["-dvd-compat", *(f"-use-the-force-luke={order}" for order in luke)]
        words += [] if task.speed is None else [f"-speed={task.speed}"]
        return [*words, "-Z", f"{task.device}={task.source or '/dev/fd/0'}"]

    def progress(self, line: str, total: int) -> BurnProgress | None:
        """See the port."""
        match = _PROGRESS.match(line)
        if match is None:
            return None
        buffer = match.group(3)
        return BurnProgress(
            written=min(int(match.group(1)), total),
            total=total,
            buffer_percent=None if buffer is None else round(float(buffer)),
        )

    def closing(self, line: str) -> bool:
        """See the port."""
        return _CLOSING.search(line) is not None

    def judge(self, returncode: int, lines: Sequence[str], size: int) -> Verdict:
        """See the port: it came to closing, with no complaint but of that, and counted right if it counted at all."""
        out = [int(match.group(1)) * SECTOR for line in lines if (match := _OUT.match(line))]
        began = bool(out) or any(_BEGINNING.match(line) for line in lines)
        severe = [match.group(1) for line in lines if (match := _SEVERE.match(line))]
        harmless = all(_CLOSE.search(complaint) for complaint in severe)
        closed = any(_CLOSED.search(line) for line in lines)
        if closed and harmless and out in ([], [size]) and (returncode == 0 or severe):
            return Verdict(success=True, began=True, reason="")
        if returncode < 0:
            reason = f"ended by signal {-returncode}"
        elif severe and not harmless:
            reason = next(complaint for complaint in severe if not _CLOSE.search(complaint))
        elif returncode > SETUP and returncode - SETUP in errno.errorcode:
            reason = f"exit status {returncode}: {os.strerror(returncode - SETUP)}"
        elif returncode:
            reason = f"exit status {returncode}"
        else:
            reason = f"ended well, but wrote {out[0]} bytes of {size}" if out else "ended without closing the disc"
        return Verdict(success=False, began=began, reason=reason)
