"""What the catalogue knows and no segment has: rows for the planner, streamed.

The contents to be placed are put into a temporary table once; everything else is asked of it. Which names count is said
by ``entries.CURRENT``. What discs of other programs carry is not burned again. Segments that are *reopened* count as if
they were not planned.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from stat import S_ISDIR
from typing import NamedTuple

from sqlalchemy import Connection

from odarchive.catalogue.contents import named_by
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import CURRENT
from odarchive.catalogue.plans import NAME, Name
from odarchive.catalogue.runs import by_numbers
from odarchive.model import ContentId, Ino, SegmentId

_DIRECTORY = "content IS NULL AND mode & 0xF000 = 0x4000"
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
        raw.execute(
            "INSERT INTO temp.todo SELECT id, size FROM content WHERE id NOT IN (SELECT content FROM foreign_place)"
            " AND coalesce((SELECT sum(length) FROM piece"
            f" WHERE piece.content = content.id AND segment NOT IN {self._open}), 0) < size"
        )
        self.contents, self.highest = raw.execute("SELECT count(*), coalesce(max(id), 0) FROM temp.todo").fetchone()
        """How many contents are to be placed, and the highest number of these."""

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

    def chosen(self, contents: Iterable[int]) -> tuple[dict[ContentId, list[Name]], dict[ContentId, bytes]]:
        """All current names and the digest of each of these contents."""
        self._want(contents)
        names: dict[ContentId, list[Name]] = {}
        rows = self._raw.execute(f"{named_by(NAME, 'temp.wanted', CURRENT)} ORDER BY parent, name")
        for name in map(Name._make, rows):
            names.setdefault(ContentId(name.content or 0), []).append(name)
        digests = self._raw.execute("SELECT id, digest FROM content WHERE id IN (SELECT id FROM temp.wanted)")
        return names, {ContentId(content): digest for content, digest in digests}

    def entries(self, inodes: Iterable[int]) -> list[Name]:
        """The current entries without content of these inodes: directories, symlinks, empty files."""
        self._want(inodes)
        ways = by_numbers(NAME, "temp.wanted", f"content IS NULL AND {CURRENT}")
        return [Name._make(row) for way in ways for row in self._raw.execute(way)]

    def above(self, inodes: Iterable[int]) -> dict[Ino, Name]:
        """The directories with these numbers and all above them, but for the root."""
        found: dict[Ino, Name] = {}
        wanted: set[int] = {ino for ino in inodes if ino > 1}
        while wanted:
            names = [name for name in self.entries(wanted) if S_ISDIR(name.mode)]
            found |= {name.ino: name for name in names}
            wanted = {int(name.parent) for name in names if name.parent > 1 and name.parent not in found}
        return found

    def _want(self, numbers: Iterable[int]) -> None:
        self._raw.execute("DELETE FROM temp.wanted")
        self._raw.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", ((int(number),) for number in numbers))


@contextmanager
def unplanned(connection: Connection, reopened: Sequence[SegmentId] = ()) -> Iterator[Unplanned]:
    """What is to be planned, as the transaction of ``connection`` sees it."""
    raw = driver(connection)
    try:
        yield Unplanned(raw, reopened)
    finally:
        raw.execute("DROP TABLE IF EXISTS temp.todo")
        raw.execute("DROP TABLE IF EXISTS temp.wanted")
