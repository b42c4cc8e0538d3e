"""What a burning program is told, and what its words mean: the port that ``robot.burners.program`` drives programs by.

Not for running anything, nor for believing it: exit status and closing words are two of three witnesses, the third is
the drive.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from robot.errors import BurnerMissing
from robot.ports import BurnProgress

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Task:
    """One burn."""

    device: str
    source: str | None
    """Path of the image; None: it comes on standard input."""
    size: int
    """Bytes, whole sectors."""
    profile: str
    """The medium, as ``robot.drives.media`` names it."""
    speed: int | None = None
    defects: bool = False
    """BD-R: with the drive's defect management."""
    rehearsal: bool = False
    """All but the laser."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a burning program ended, in its own view."""

    success: bool
    """Exit status, closing words and what was counted agree. Necessary, never sufficient."""
    began: bool
    """It began to write: the medium must be taken as touched."""
    reason: str
    """Why not, in one line; empty on success."""


def told_in_mib(match: re.Match[str] | None, total: int) -> BurnProgress | None:
    """The progress in a line of the cdrecord family: group 1 is whole MiB written, group 3 the drive's buffer in %."""
    if match is None:
        return None
    buffer = match.group(3)
    return BurnProgress(
        written=min(int(match.group(1)) * MIB, total),
        total=total,
        buffer_percent=None if buffer is None else int(buffer),
    )


class Dialect(Protocol):
    """One program's way. Pure but for ``found``."""

    name: str
    writes_files: bool
    """Whether it can burn onto a file-backed drive (``stdio:``)."""

    def found(self) -> str:
        """The program's path. Raises BurnerMissing."""
        ...

    def refuses(self, task: Task) -> str | None:
        """Why this program must not be given this task, in words; None: it may."""
        ...

    def arguments(self, task: Task) -> list[str]:
        """What it is told."""
        ...

    def progress(self, line: str, total: int) -> BurnProgress | None:
        """The progress a line tells, without its speed; None if it is another line."""
        ...

    def closing(self, line: str) -> bool:
        """Whether the drive is at something long that writes no data: closing, formatting, blanking."""
        ...

    def judge(self, returncode: int, lines: Sequence[str], size: int) -> Verdict:
        """Weigh the exit status against the words of a finished run that should have written ``size`` bytes."""
        ...


def which(*programs: str) -> str:
    """The path of the first of these programs that is installed. Raises BurnerMissing."""
    for program in programs:
        if (path := shutil.which(program)) is not None:
            return path
    raise BurnerMissing(f"{programs[0]} is not installed: install it or name its path")
