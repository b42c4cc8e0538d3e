"""What is on a disc in a few lines, for its label: how many files, from which folders, when it was burned."""

import sqlite3
from dataclasses import dataclass

from sqlalchemy import Connection, select

from odarchive.catalogue import schema
from odarchive.catalogue.contents import named_by
from odarchive.catalogue.database import driver
from odarchive.catalogue.discs import Disc
from odarchive.catalogue.runs import DIRECTORY
from odarchive.model import SegmentId

DEEP = 3
"""Components of the folders that are told apart."""

_PLACE = f"SELECT parent, name FROM entry WHERE ino = ? AND {DIRECTORY} LIMIT 1"  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class OnDisc:
    """A summary of one disc."""

    burned_ns: int
    files: int
    """Distinct contents, also those of which it holds a part."""
    size: int
    """Bytes of them."""
    folders: tuple[tuple[bytes, int], ...]
    """Folders and how many of the contents each names, the fullest first."""


def summary(connection: Connection, disc: Disc) -> OnDisc:
    """What is on a disc."""
    table = schema.disc.c
    burned = connection.execute(select(table.burned_ns, table.created_ns).where(table.id == disc.id)).one()
    raw = driver(connection)
    files, size = raw.execute(
        "SELECT count(DISTINCT content), coalesce(sum(length), 0) FROM piece WHERE segment = ?", (disc.segment,)
    ).fetchone()
    return OnDisc(burned[0] or burned[1], files, size, _folders(raw, disc.segment))


def _folders(raw: sqlite3.Connection, segment: SegmentId) -> tuple[tuple[bytes, int], ...]:
    counts: dict[bytes, int] = {}
    paths: dict[int, tuple[bytes, ...]] = {}
    named = named_by("parent, content", "(SELECT DISTINCT content AS id FROM piece WHERE segment = ?1)")
    asked = f"SELECT parent, count(DISTINCT content) FROM ({named}) GROUP BY parent"  # noqa: S608  constants
    rows = raw.execute(asked, (segment,))
    for parent, count in rows.fetchall():
        folder = b"/".join(_path(raw, parent, paths)[:DEEP])
        counts[folder] = counts.get(folder, 0) + count
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _path(raw: sqlite3.Connection, ino: int, known: dict[int, tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """The names from the root to a folder; those on the way are remembered."""
    way: list[tuple[int, bytes]] = []
    at = ino
    while at not in known:
        row = raw.execute(_PLACE, (at,)).fetchone()
        if row is None or at == 1 or any(at == seen for seen, _ in way):
            known[at] = ()
            break
        way.append((at, row[1]))
        at = row[0]
    for number, name in reversed(way):
        known[number] = (*known[at], name)
        at = number
    return known[ino]
