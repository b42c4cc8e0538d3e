"""Hiding names and snapshots. Nothing is lost: discs keep what is on them, and the history keeps the rows.

A forgotten name is a deletion that the archive makes by itself: a snapshot of its own in which it is gone, and a word
to later scans to leave it out. A forgotten snapshot is left out of lists, and what only it holds counts as dead.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG

from sqlalchemy import Connection, delete, insert, select, text, update

from odarchive.catalogue import lookup, schema, sources
from odarchive.catalogue.database import Catalogue, driver
from odarchive.catalogue.entries import CURRENT, Version
from odarchive.catalogue.history import require
from odarchive.catalogue.lookup import Listed
from odarchive.catalogue.runs import by_number
from odarchive.catalogue.sources import Seen, printable
from odarchive.errors import NotFound, OdarchiveError, TryLater
from odarchive.model import SnapshotId, SnapshotState, SourceId

_COLUMNS = ", ".join(Version._fields)


@dataclass(frozen=True, slots=True)
class Target:
    """A name to forget: ``path`` is relative to its source, ``entry`` what is there now."""

    source: SourceId
    path: bytes
    parent: int
    entry: Listed


def forgotten_paths(connection: Connection, source: SourceId) -> frozenset[bytes]:
    """What scans of a source leave out, relative to it."""
    c = schema.forgotten.c
    return frozenset(connection.execute(select(c.path).where(c.source == source)).scalars())


def target(connection: Connection, path: bytes) -> Target:
    """What is at a path.

    Raises:
        NotFound: nothing.
        OdarchiveError: it is a source or above all sources.
    """
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    for row in connection.execute(select(schema.source).order_by(schema.source.c.name.desc())):
        own = row.name.split(b"/")
        if parts[: len(own)] == own and len(parts) > len(own):
            above = lookup.resolve(connection, b"/".join(parts[:-1]))
            entry = lookup.resolve(connection, b"/".join(parts))
            return Target(SourceId(row.id), b"/".join(parts[len(own) :]), above.ino, entry)
    if not parts or any(row[0] == b"/".join(parts) for row in connection.execute(select(schema.source.c.name))):
        raise OdarchiveError("a whole source cannot be forgotten; name what is in it")
    raise NotFound(f"/{printable(b'/'.join(parts))} is in no source; `odarchive info` lists them")


def forget_name(catalogue: Catalogue, what: Target, now_ns: int) -> tuple[SnapshotId, int]:
    """Hide a name and all below it, now and in later scans. The caller holds the scan lock of the source.

    Returns:
        The snapshot in which it is gone, and how many files were hidden.

    Raises:
        TryLater: the last scan of the source was broken off.
    """
    with catalogue.write() as connection:
        raw = driver(connection)
        table = schema.snapshot
        of = select(table).where(table.c.source == what.source)
        if connection.execute(of.where(table.c.state != SnapshotState.COMPLETE)).first() is not None:
            raise TryLater("the last scan of this source was broken off; scan it to the end, then forget")
        last = connection.execute(of.order_by(table.c.id.desc()).limit(1)).one()
        values = {"source": what.source, "path": what.path, "at_ns": now_ns}
        connection.execute(insert(schema.forgotten).prefix_with("OR IGNORE").values(values))
        snapshot = sources.begin(connection, what.source, now_ns)
        closed = _close(raw, what, snapshot)
        _recount(raw, closed, snapshot)
        files = [row for row in closed if S_ISREG(row.mode)]
        seen = Seen(last.files - len(files), last.bytes - sum(row.size for row in files))
        sources.finish(connection, snapshot, seen, now_ns)
    return snapshot, len(files)


def files_below(connection: Connection, what: Target) -> int:
    """How many files forgetting it hides."""
    (count,) = (
        driver(connection)
        .execute(
            "WITH RECURSIVE tree (ino, mode) AS (SELECT ino, mode FROM entry"
            f" WHERE parent = ? AND name = ? AND {CURRENT}"
            " UNION ALL SELECT entry.ino, entry.mode FROM tree JOIN entry ON entry.parent = tree.ino"
            f" WHERE (tree.mode & 61440) = 16384 AND {CURRENT}) SELECT count(*) FROM tree WHERE (mode & 61440) = 32768",
            (what.parent, what.entry.name),
        )
        .fetchone()
    )
    return int(count)


def _close(raw: sqlite3.Connection, what: Target, snapshot: SnapshotId) -> list[Version]:
    rows = raw.execute(
        f"SELECT {_COLUMNS} FROM entry WHERE parent = ? AND name = ? AND {CURRENT}", (what.parent, what.entry.name)
    )
    waiting = [(what.parent, Version._make(row)) for row in rows.fetchall()]
    closed = []
    while waiting:
        parent, row = waiting.pop()
        closed.append(row)
        raw.execute(
            "UPDATE entry SET until = ? WHERE parent = ? AND name = ? AND since = ?",
            (snapshot, parent, row.name, row.since),
        )
        if S_ISDIR(row.mode):
            below = raw.execute(f"SELECT {_COLUMNS} FROM entry WHERE parent = ? AND until IS NULL", (row.ino,))
            waiting += [(row.ino, Version._make(child)) for child in below.fetchall()]
    return closed


def _recount(raw: sqlite3.Connection, closed: list[Version], snapshot: SnapshotId) -> None:
    """Names that remain of hard-linked inodes are fewer now."""
    for ino in {row.ino for row in closed if row.nlink > 1 and not S_ISDIR(row.mode)}:
        rest = raw.execute(by_number(f"parent, {_COLUMNS}", "?1", "until IS NULL"), (ino,)).fetchall()
        for parent, *columns in rest:
            old = Version._make(columns)
            raw.execute(
                "UPDATE entry SET until = ? WHERE parent = ? AND name = ? AND since = ?",
                (snapshot, parent, old.name, old.since),
            )
            new = old._replace(since=snapshot, nlink=len(rest))
            raw.execute(
                f"INSERT INTO entry (parent, {_COLUMNS}) VALUES (?{', ?' * len(new)})",
                (parent, *new),
            )


def remember_name(connection: Connection, path: bytes) -> None:
    """Take a forgotten name back: the next scan of its source brings it again, without burning anything.

    Raises:
        NotFound: it was not forgotten.
    """
    wanted = b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    for row in connection.execute(
        text("SELECT source, forgotten.path, name FROM forgotten JOIN source ON source.id = forgotten.source")
    ).all():
        if row.name + b"/" + row.path == wanted:
            c = schema.forgotten.c
            connection.execute(delete(schema.forgotten).where(c.source == row.source, c.path == row.path))
            return
    raise NotFound(f"/{printable(wanted)} was not forgotten; `odarchive forget --list` lists what is")


def forgotten_names(connection: Connection) -> list[bytes]:
    """All forgotten names, as paths below the mount's root."""
    rows = connection.execute(
        text("SELECT name, forgotten.path FROM forgotten JOIN source ON source.id = forgotten.source ORDER BY 1, 2")
    )
    return [row.name + b"/" + row.path for row in rows]


def forget_snapshot(connection: Connection, number: SnapshotId, now_ns: int | None) -> None:
    """Leave a snapshot out of lists; None: list it again.

    Raises:
        NotFound: there is no such complete snapshot.
        OdarchiveError: it is the present state of its source.
    """
    require(connection, number)
    newest = connection.execute(
        text(
            "SELECT max(id) FROM snapshot WHERE state = 'complete'"
            " AND source = (SELECT source FROM snapshot WHERE id = :id)"
        ),
        {"id": number},
    ).scalar_one()
    if newest == number and now_ns is not None:
        raise OdarchiveError(f"snapshot {number} is the present state of its source; scan the source again first")
    table = schema.snapshot
    connection.execute(update(table).where(table.c.id == number).values(forgotten_ns=now_ns))
