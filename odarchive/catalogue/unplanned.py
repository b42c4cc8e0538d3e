"""What the catalogue knows and no segment has: rows for the planner, streamed.

The contents to be placed are put into a temporary table once; everything else is asked of it. Which names count is said
by ``entries.CURRENT``. What discs of other programs carry is not burned again. Segments that are *reopened* count as if
they were not planned.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection

from odarchive.catalogue import plans
from odarchive.catalogue.contents import named_by
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import CURRENT
from odarchive.catalogue.plans import NAME, Name, Piece
from odarchive.catalogue.runs import DIRECTORY, by_numbers
from odarchive.model import SegmentId

_DIRECTORY = "content IS NULL AND mode & 0xF000 = 0x4000"
_BY_INO = f"SELECT {NAME} FROM entry WHERE ino = ? AND {DIRECTORY} AND {_DIRECTORY} AND {CURRENT}"
_CACHE_KIB = 8_000
"""The catalogue is read once and in its order: what is kept of it would only be in the way of the planner's columns."""
_SEVERAL = 20
"""From a part of so many of all contents on, entries are read in order rather than looked up."""


class FileName(NamedTuple):
    """A current name of a content that is to be placed; ``size`` in bytes."""

    parent: int
    name: bytes
    ino: int
    content: int
    size: int


class BareEntry(NamedTuple):
    """A current entry without content that no disc was chosen for. ``target``: of a symlink."""

    parent: int
    name: bytes
    ino: int
    mode: int
    target: bytes | None
    since: int


class Unplanned:
    """What is to be planned; valid inside :func:`unplanned`."""

    def __init__(self, raw: sqlite3.Connection, reopened: Sequence[SegmentId]) -> None:
        self._raw = raw
        self._open = "(" + ",".join(str(int(number)) for number in reopened) + ")"
        raw.execute("CREATE TEMP TABLE todo (id INTEGER PRIMARY KEY, size INTEGER NOT NULL)")
        raw.execute("CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY)")
        raw.execute("CREATE TEMP TABLE chosen (content, start, length, PRIMARY KEY (content, start)) WITHOUT ROWID")
        raw.execute(
            "INSERT INTO temp.todo SELECT id, size FROM content WHERE id NOT IN (SELECT content FROM foreign_place)"
            " AND coalesce((SELECT sum(length) FROM piece"
            f" WHERE piece.content = content.id AND segment NOT IN {self._open}), 0) < size"
        )
        self.contents, self.highest = raw.execute("SELECT count(*), coalesce(max(id), 0) FROM temp.todo").fetchone()
        """How many contents are to be placed, and the highest number of these."""

    def let_go(self) -> None:
        """Give back the memory of what was read of the catalogue."""
        self._raw.execute("PRAGMA shrink_memory")

    def directories(self) -> Iterator[tuple[int, int, bytes]]:
        """(inode, parent, name) of every current directory, the root included."""
        yield from self._raw.execute(f"SELECT ino, parent, name FROM entry WHERE {_DIRECTORY} AND {CURRENT}")

    def names(self) -> Iterator[FileName]:
        """Names of the contents to be placed, by directory and name."""
        everything = self._raw.execute("SELECT max(id) FROM content").fetchone()[0] or 0
        columns = "parent, name, ino, content, wanted.size"
        asked = f"SELECT {columns} FROM entry CROSS JOIN temp.todo AS wanted WHERE content = wanted.id AND {CURRENT}"
        if self.contents * _SEVERAL < everything:
            asked = named_by(columns, "temp.todo", CURRENT)
        rows = self._raw.execute(f"{asked} ORDER BY parent, name")
        yield from map(FileName._make, rows)

    def placed(self) -> dict[int, list[tuple[int, int]]]:
        """(start, length) of what is placed already of the contents to be placed, in order."""
        found: dict[int, list[tuple[int, int]]] = {}
        for content, start, length in self._raw.execute(
            "SELECT content, start, length FROM piece WHERE content IN (SELECT id FROM temp.todo)"
            f" AND segment NOT IN {self._open} ORDER BY content, start"
        ):
            found.setdefault(content, []).append((start, length))
        return found

    def bare(self) -> Iterator[BareEntry]:
        """Entries without content, by directory and name."""
        rows = self._raw.execute(
            f"SELECT parent, name, ino, mode, target, since FROM entry WHERE content IS NULL AND parent <> 0"
            f" AND (carrier IS NULL OR carrier IN {self._open}) AND {CURRENT} ORDER BY parent, name"
        )
        yield from map(BareEntry._make, rows)

    def choose(self, pieces: Iterable[tuple[int, int, int]]) -> None:
        """Say what the next two are asked about: (content, start, length) of all that is on a disc."""
        self._raw.execute("DELETE FROM temp.chosen")
        self._raw.executemany("INSERT INTO temp.chosen VALUES (?, ?, ?)", pieces)

    def chosen_names(self) -> Iterator[Name]:
        """All current names of the chosen contents, by content."""
        return plans.names_of(self._raw, "(SELECT DISTINCT content AS id FROM temp.chosen)")

    def chosen_pieces(self) -> Iterator[Piece]:
        """The chosen pieces, by content and start."""
        rows = self._raw.execute(
            "SELECT chosen.content, start, length, digest, size FROM temp.chosen"
            " CROSS JOIN content ON content.id = chosen.content ORDER BY 1, 2"
        )
        return itertools.starmap(Piece, rows)

    def directory(self, ino: int) -> Name | None:
        """The current directory of a number."""
        row = self._raw.execute(_BY_INO, (ino,)).fetchone()
        return None if row is None else Name._make(row)

    def entries(self, inodes: Iterable[int]) -> list[Name]:
        """The current entries without content of these inodes: directories, symlinks, empty files."""
        self._want(inodes)
        ways = by_numbers(NAME, "temp.wanted", f"content IS NULL AND {CURRENT}")
        return [Name._make(row) for way in ways for row in self._raw.execute(way)]

    def _want(self, numbers: Iterable[int]) -> None:
        self._raw.execute("DELETE FROM temp.wanted")
        self._raw.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((int(number),) for number in numbers))


@contextmanager
def unplanned(connection: Connection, reopened: Sequence[SegmentId] = ()) -> Iterator[Unplanned]:
    """What is to be planned, as the transaction of ``connection`` sees it."""
    raw = driver(connection)
    (usual,) = raw.execute("PRAGMA cache_size").fetchone()
    raw.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    try:
        yield Unplanned(raw, reopened)
    finally:
        raw.execute(f"PRAGMA cache_size = {int(usual)}")
        raw.execute("DROP TABLE IF EXISTS temp.todo")
        raw.execute("DROP TABLE IF EXISTS temp.wanted")
        raw.execute("DROP TABLE IF EXISTS temp.chosen")
