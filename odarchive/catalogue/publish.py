"""Sets ``entry.shown`` by the rule of ``shown``: after a verified disc, after a scan, or all anew.

Call ``publish`` in the transaction that changes what qualifies: a disc verified (``segment``), a snapshot complete
(``snapshot``), entries left to the next catalogue (``NEXT_CATALOGUE``), or anything else (everything is recomputed).
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3

from sqlalchemy import Connection

from odarchive.catalogue.contents import named_by, on_segment
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import COMPLETE, CURRENT
from odarchive.catalogue.runs import DIRECTORY
from odarchive.catalogue.shown import (
    CARRIED,
    PROVEN,
    UNTIL,
    Candidate,
    Difference,
    chosen,
    covered,
    differences,
    qualified,
)
from odarchive.model import SegmentId, SnapshotId

NEXT_CATALOGUE = SegmentId(0)
"""Carrier of entries without content that need no disc of their own."""
MANY = 20_000
"""Names from which on recomputing everything (3 us an entry) beats looking at them one by one (30 us a name)."""

_OTHERS = (
    "EXISTS (SELECT 1 FROM entry AS other"
    " WHERE other.parent = entry.parent AND other.name = entry.name AND other.since <> entry.since)"
)

_Names = set[tuple[int, bytes]]


def publish(connection: Connection, segment: SegmentId | None = None, snapshot: SnapshotId | None = None) -> int:
    """Bring the flags up to date; returns how many versions were shown or hidden.

    Args:
        connection: a write transaction.
        segment: only this segment changed: a disc of it was just verified; ``NEXT_CATALOGUE``: a plan just said of
            entries without content that they ride with the next catalogue.
        snapshot: only this snapshot changed: it was just completed.
    """
    raw = driver(connection)
    if segment is None and snapshot is None:
        return _all(raw)
    changed, touched = 0, set[tuple[int, bytes]]()
    if segment is not None:
        changed, touched = _segment(raw, segment)
    if snapshot is not None:
        touched |= _snapshot(raw, snapshot)
    if len(touched) > MANY:
        return changed + _all(raw)
    return changed + _names(raw, touched)


def _all(raw: sqlite3.Connection) -> int:
    return _apply(raw, list(differences(raw)))


def _apply(raw: sqlite3.Connection, changes: list[Difference]) -> int:
    raw.executemany(
        "UPDATE entry SET shown = ? WHERE parent = ? AND name = ? AND since = ?",
        ((int(change.wanted), change.parent, change.name, change.since) for change in changes),
    )
    return len(changes)


def _segment(raw: sqlite3.Connection, segment: SegmentId) -> tuple[int, _Names]:
    """Show at once what has one version only; returns how many and the names that need a closer look."""
    key = {"segment": segment}
    proven = segment == NEXT_CATALOGUE or raw.execute(f"SELECT :segment IN {PROVEN}", key).fetchone()[0]
    if not proven:
        return 0, set(raw.execute(on_segment("parent, name"), key))
    raw.execute("CREATE TEMP TABLE IF NOT EXISTS fresh (id INTEGER PRIMARY KEY)")
    raw.execute("DELETE FROM temp.fresh")
    rows = raw.execute("SELECT DISTINCT content FROM piece WHERE segment = ?", (segment,)).fetchall()
    raw.executemany("INSERT INTO temp.fresh VALUES (?)", (row for row in rows if _available(raw, row[0])))
    simple = f"shown = 0 AND {CURRENT} AND NOT {_OTHERS}"
    parents = raw.execute(f"SELECT DISTINCT parent FROM ({_ready('parent', simple)})", key).fetchall()
    keys = _ready("parent, name, since", simple)
    changed = raw.execute(f"UPDATE entry SET shown = 1 WHERE (parent, name, since) IN ({keys})", key).rowcount
    touched: _Names = set(raw.execute(_ready("parent, name", f"shown = 0 AND {_OTHERS}"), key))
    for (parent,) in parents:
        touched |= _names_of(raw, parent)
    return changed, touched


def _ready(columns: str, where: str) -> str:
    """SELECT of entries that ``temp.fresh`` or the segment makes ready."""
    carried = f"SELECT {columns} FROM entry WHERE content IS NULL AND carrier = :segment AND {where}"
    return f"{named_by(columns, 'temp.fresh', where)} UNION ALL {carried}"


def _snapshot(raw: sqlite3.Connection, snapshot: SnapshotId) -> _Names:
    """Names whose versions began or ended in the snapshot, without new ones that cannot be on a disc yet."""
    return set(
        raw.execute(
            "SELECT parent, name FROM entry WHERE until = ?1 OR (since = ?1 AND (carrier IS NOT NULL"
            " OR (content IS NOT NULL AND EXISTS (SELECT 1 FROM piece WHERE piece.content = entry.content))))",
            (snapshot,),
        )
    )


def _names(raw: sqlite3.Connection, touched: _Names) -> int:
    """Settle the names one by one, and the directories above those that appear or disappear."""
    changed = 0
    while touched:
        parent, name = touched.pop()
        versions = _versions(raw, parent, name)
        lit = {version.ino for version in versions if _has_shown(raw, version.ino)}
        shown = chosen(versions, lambda version: qualified(version, lit))  # noqa: B023  # used within this turn only
        changes = [
            Difference(*version.key, wanted=version is shown)
            for version in versions
            if bool(version.shown) != (version is shown)
        ]
        changed += _apply(raw, changes)
        if (shown is not None) != any(version.shown for version in versions):
            touched |= _names_of(raw, parent)
    return changed


def _versions(raw: sqlite3.Connection, parent: int, name: bytes) -> list[Candidate]:
    rows = raw.execute(
        f"SELECT parent, name, since, {UNTIL}, ino, mode, shown, content IS NULL AND {CARRIED}, content"
        f" FROM entry WHERE parent = ? AND name = ? AND {COMPLETE} ORDER BY since",
        (parent, name),
    ).fetchall()
    return [Candidate._make((*row[:7], bool(row[7]) if row[8] is None else _available(raw, row[8]))) for row in rows]


def _available(raw: sqlite3.Connection, content: int) -> bool:
    (size,) = raw.execute("SELECT size FROM content WHERE id = ?", (content,)).fetchone()
    ranges = raw.execute(
        f"SELECT start, length FROM piece WHERE content = ? AND segment IN {PROVEN} ORDER BY start", (content,)
    )
    return covered(size, ranges)


def _has_shown(raw: sqlite3.Connection, ino: int) -> bool:
    return raw.execute("SELECT 1 FROM entry WHERE parent = ? AND shown = 1 LIMIT 1", (ino,)).fetchone() is not None


def _names_of(raw: sqlite3.Connection, ino: int) -> _Names:
    return set(raw.execute(f"SELECT parent, name FROM entry WHERE ino = ? AND {DIRECTORY}", (ino,)))
