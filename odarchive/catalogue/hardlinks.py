"""Scratch book of one scan: which names are the same inode in the source. Never part of the catalogue.

A temporary SQLite database that the system drops with the process: it stays in memory while small and goes to a
temporary file when a tree has millions of hard links, so a scan's memory is bounded. One thread.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Iterator
from typing import Self

from odarchive.catalogue.entries import Version

_CACHE_KIB = 16_000


class LinkBook:
    """Groups of names by (device, inode) of the source; a context manager."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIB}",
            "CREATE TABLE inode (dev, src, digest, ino INTEGER UNIQUE, nlink, content, target, xattrs, mode, uid, gid,"
            " size, mtime_ns, ctime_ns, src_dev, src_ino, PRIMARY KEY (dev, src)) WITHOUT ROWID",
            "CREATE TABLE member (parent, name, ino INTEGER, nlink, PRIMARY KEY (parent, name)) WITHOUT ROWID",
            "BEGIN",
        ):
            self._db.execute(statement)

    def find(self, version: Version) -> tuple[Version, bytes | None] | None:
        """What the first name of the same source inode was recorded as, and its digest if the content was new."""
        row = self._db.execute(
            f"SELECT digest, {', '.join(Version._fields[3:])} FROM inode WHERE dev = ? AND src = ?",
            (version.src_dev, version.src_ino),
        ).fetchone()
        if row is None:
            return None
        found = Version._make((version.name, version.since, None, *row[1:]))
        return found, row[0]

    def add(self, source: tuple[int, int], version: Version, digest: bytes | None) -> bool:
        """Record the first name of a source inode (dev, ino); False if another one was given the same ``ino``."""
        columns = (*source, digest, *version[3:])
        return self._db.execute(f"INSERT OR IGNORE INTO inode VALUES ({_marks(columns)})", columns).rowcount == 1

    def member(self, parent: int, version: Version) -> None:
        """A name that may have siblings, as it was recorded."""
        row = (parent, version.name, version.ino, version.nlink)
        self._db.execute("INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?)", row)

    def miscounted(self) -> Iterator[tuple[int, bytes, int]]:
        """Names whose recorded ``nlink`` is not the number of names: (parent, name, right number)."""
        return iter(
            self._db.execute(
                "SELECT parent, name, n FROM member JOIN"
                " (SELECT ino, count(*) AS n FROM member GROUP BY ino) USING (ino) WHERE nlink <> n"
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _marks(values: tuple[object, ...]) -> str:
    return ", ".join("?" * len(values))
