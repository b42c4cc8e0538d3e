"""A directory that the catalogue knows, compared as a whole: most of its names are as they were, and cost least here.

Only by the extension in C; where it is not there, or says that too much is different, the walk goes name by name, as it
does where a name by itself matters: rules, forgotten paths, other sources inside, reading everything again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from odarchive.catalogue.entries import Recorder
from odarchive.reading import native
from odarchive.scan.report import Options

DIFFERENT = 1_000
"""Names of one directory with their rows that are kept in memory; with more of them it goes name by name."""


class Found(NamedTuple):
    """What a directory holds."""

    files: int
    """Files that are as they were; ``size``: their bytes."""
    size: int
    folders: Sequence[tuple[bytes, int, int, int]]
    """Name, ino in the catalogue, st_dev, st_ino."""
    rest: Sequence[tuple[bytes, Sequence[tuple[Any, ...]]]]
    """Names that are new, different or gone, with their rows."""


class Again:
    """Of one scan. ``others``: (directory, name) of other sources that lie inside this one."""

    def __init__(self, recorder: Recorder, options: Options, others: frozenset[tuple[int, bytes]]) -> None:
        self._recorder = recorder
        self._functions = None if options.check or options.rules else native.functions
        self._apart = {ino for ino, _ in others}
        self._forgotten = {path.rpartition(b"/")[0] for path in options.forgotten}

    def look(self, fd: int, ino: int, path: bytes) -> Found | None:
        """What an open directory holds, with its number in the catalogue; None: it goes name by name.

        Raises:
            OSError: it cannot be read.
        """
        if self._functions is None or ino in self._apart or path in self._forgotten:
            return None
        found = self._functions.compare(fd, self._recorder.rows(ino), self._recorder.snapshot, DIFFERENT)
        return None if found is None else Found(*found)
