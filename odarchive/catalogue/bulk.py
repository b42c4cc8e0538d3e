"""The part of recording that is written in C (``native_c``), if it is there: it is built where there is a compiler.

SQLite takes two to three times as long for a row that comes from Python as for one that it reads itself. So thousands
of files are laid out in one buffer, which SQLite reads as a table: ``usual_files(batch)``. Everything works without it.
"""

import sqlite3
from collections.abc import Iterable
from typing import Protocol

from odarchive.reading.native import built
from odarchive.reading.sheet import Sheet

Part = tuple[int, int, Sheet]
"""Ino of a directory of which nothing is recorded, number of its first file, the files."""

Doubted = tuple[int, int, bytes, int]
"""Place in the batch, number, digest and size of a file whose content may be known."""


class Native(Protocol):
    """Functions of ``_bulk``."""

    def lay_out(
        self, parts: Iterable[Part], bits: bytearray, shortest: int, /
    ) -> tuple[bytearray, list[Doubted], list[tuple[int, str]], int, int]:
        """A batch of files; the digests are put into a filter.

        Args:
            parts: the files.
            bits: of the filter (``contents.Filter``).
            shortest: files of a part from which on they are in a run.

        Returns:
            The batch; files whose content may be known; files whose name is not UTF-8 (number, name in words); how many
            of the files not in the first list have a content, which is new; bytes of those.
        """

    def fresh_among(self, batch: bytearray, wanted: set[bytes], /) -> dict[bytes, int]:
        """Those of the digests that are of a new content of the batch, with its number."""

    def settle(self, batch: bytearray, at: int, content: int, fresh: bool, /) -> None:
        """Say what the content of the file at a place is, and whether it is new."""


_IS_KNOWN = "SELECT 1 FROM pragma_module_list WHERE name = 'usual_files'"

functions: Native | None = built("odarchive.catalogue._bulk")
"""None: there are none."""


def usable(raw: sqlite3.Connection) -> Native | None:
    """The functions, if this connection knows the table.

    It does not where Python brings an SQLite of its own, which the extension knows nothing of.
    """
    if functions is None or not raw.execute(_IS_KNOWN).fetchone():
        return None
    return functions
