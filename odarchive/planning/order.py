"""What comes first: paths and patterns that people give, asked of directories and files."""

import fnmatch
import os
import re
from collections.abc import Sequence

_WILD = re.compile(r"[*?\[]")


class Order:
    """Classes of importance from 0 on; what no pattern matches is of the last class.

    A path matches itself and all below it. A pattern (``*``, ``?``, ``[...]``; ``*`` also crosses ``/``) matches whole
    paths, or names if there is no ``/`` in it.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self.met: set[int] = set()
        """Patterns that have matched something."""
        self._tests = [_test(os.fsencode(pattern)) for pattern in patterns]

    @property
    def last(self) -> int:
        """The class of everything else."""
        return len(self.patterns)

    @property
    def unmet(self) -> tuple[str, ...]:
        """Patterns that matched nothing."""
        return tuple(pattern for number, pattern in enumerate(self.patterns) if number not in self.met)

    def of(self, path: bytes, above: int) -> int:
        """The class of a path whose directory is of class ``above``."""
        lowest = above
        for number, test in enumerate(self._tests):
            if test.fullmatch(path):
                self.met.add(number)
                lowest = min(lowest, number)
        return lowest


def _test(pattern: bytes) -> "re.Pattern[bytes]":
    plain = pattern.strip(b"/")
    if not _WILD.search(os.fsdecode(plain)):
        return re.compile(re.escape(plain))
    if b"/" not in plain:
        plain = b"*/" + plain
    return re.compile(fnmatch.translate(os.fsdecode(plain)).encode("utf-8", "surrogateescape"))
