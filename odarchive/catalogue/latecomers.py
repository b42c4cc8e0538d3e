"""Names from a disc's own entry list, for discs that are newer than every readable catalogue of the set.

Each source such a disc has names of gets one more snapshot. A name that was there as something else is closed and begun
anew; names the disc does not list stay as they were, because a disc lists only what it carries.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

from collections.abc import Iterable
from dataclasses import dataclass
from stat import S_ISDIR
from typing import Any

from sqlalchemy import Connection

from odarchive.catalogue.contents import HAS_DIGEST
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import CURRENT
from odarchive.catalogue.runs import by_number
from odarchive.model import ROOT_INO

ALONE = -1
"""Group of names that are no hard links."""

_TOUCHED = "SELECT DISTINCT ino FROM entry WHERE (since = ?1 OR until = ?1) AND (mode & 61440) <> 16384"
_NAMES = by_number("parent, name, since", "?1", "until IS NULL")


@dataclass(frozen=True, slots=True)
class Late:
    """A line of an entry list. ``path`` begins with the source; ``group`` is equal on hard links of one disc."""

    path: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    group: int
    digest: bytes | None = None
    target: bytes | None = None


class Latecomers:
    """Takes the names of one disc; :meth:`finish` completes the snapshots that were begun."""

    def __init__(self, connection: Connection, segment: int, now_ns: int) -> None:
        self._raw = driver(connection)
        self._segment = segment
        self._now_ns = now_ns
        self._snapshots: dict[bytes, int] = {}
        self._groups: dict[int, int] = {}
        self._folders: dict[bytes, int] = {b"": ROOT_INO}

    def add(self, names: Iterable[Late]) -> int:
        """Names in the order of the list, directories before what is in them; returns how many could not be placed."""
        return sum(not self._add(late) for late in names)

    def finish(self) -> None:
        """Count what the new snapshots see, and the names of every inode."""
        for snapshot in self._snapshots.values():
            self._raw.execute(
                "UPDATE snapshot SET state = 'complete', finished_ns = ?1, (files, bytes) = (SELECT count(*),"
                " coalesce(sum(size), 0) FROM entry JOIN snapshot AS seen ON seen.id = entry.since"
                " WHERE (mode & 61440) = 32768 AND until IS NULL AND seen.source = snapshot.source) WHERE id = ?2",
                (self._now_ns, snapshot),
            )
            touched = self._raw.execute(_TOUCHED, (snapshot,)).fetchall()
            for inode in touched:
                names = self._raw.execute(_NAMES, inode).fetchall()
                self._raw.executemany(
                    "UPDATE entry SET nlink = ? WHERE parent = ? AND name = ? AND since = ?",
                    ((len(names), *name) for name in names),
                )

    def _add(self, late: Late) -> bool:
        folder, _, name = late.path.rpartition(b"/")
        parent = self._folder(folder)
        content = self._content(late)
        if parent is None or content == -1 or not name or name in (b".", b"..") or b"\0" in name:
            return False
        snapshot = self._snapshot(late.path.split(b"/")[0])
        there = self._there(parent, name)
        state: tuple[Any, ...] = (late.mode, late.uid, late.gid, late.size, late.mtime_ns, content, late.target)
        if there is not None:
            since, ino = there[:2]
            if there[2:] == state:
                if S_ISDIR(late.mode):
                    self._folders[late.path] = ino
                if late.group != ALONE:
                    self._groups.setdefault(late.group, ino)
                return True
            self._close(parent, name, snapshot, late, there)
            if since == snapshot:
                return False
        ino = self._ino(late, there)
        self._raw.execute(
            "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
            " src_ino, content, target, carrier, shown) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, 0)",
            (
                *(parent, name, snapshot, ino, late.mode, 2 if S_ISDIR(late.mode) else 1),
                *(late.uid, late.gid, late.size, late.mtime_ns, content, late.target),
                None if content is not None else self._segment,
            ),
        )
        if S_ISDIR(late.mode):
            self._folders[late.path] = ino
        return True

    def _folder(self, path: bytes) -> int | None:
        if path not in self._folders:
            above, _, name = path.rpartition(b"/")
            parent = self._folder(above) if path.count(b"/") < 500 else None
            row = None if parent is None else self._there(parent, name)
            if row is None or not S_ISDIR(row[2]):
                return None
            self._folders[path] = row[1]
        return self._folders[path]

    def _there(self, parent: int, name: bytes) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._raw.execute(
            "SELECT since, ino, mode, uid, gid, size, mtime_ns, content, target FROM entry"
            f" WHERE parent = ? AND name = ? AND {CURRENT}",
            (parent, name),
        ).fetchone()
        return row

    def _content(self, late: Late) -> int | None:
        """The content's key; -1: no disc has these bytes."""
        if late.digest is None:
            return None
        row = self._raw.execute(
            f"SELECT id FROM content WHERE {HAS_DIGEST} AND size = ?2", (late.digest, late.size)
        ).fetchone()
        return -1 if row is None else row[0]

    def _close(self, parent: int, name: bytes, snapshot: int, late: Late, there: tuple[Any, ...]) -> None:
        self._raw.execute(
            f"UPDATE entry SET until = ? WHERE parent = ? AND name = ? AND since <> ? AND {CURRENT}",
            (snapshot, parent, name, snapshot),
        )
        if S_ISDIR(there[2]) and not S_ISDIR(late.mode):
            waiting = [there[1]]
            while waiting:
                folder = waiting.pop()
                rows = self._raw.execute(
                    f"SELECT ino FROM entry WHERE parent = ? AND (mode & 61440) = 16384 AND {CURRENT}", (folder,)
                )
                waiting += [row[0] for row in rows.fetchall()]
                self._raw.execute(f"UPDATE entry SET until = ? WHERE parent = ? AND {CURRENT}", (snapshot, folder))

    def _ino(self, late: Late, there: tuple[Any, ...] | None) -> int:
        if S_ISDIR(late.mode) and there is not None and S_ISDIR(there[2]):
            return int(there[1])
        if late.group in self._groups:
            return self._groups[late.group]
        row = self._raw.execute("UPDATE counter SET value = value + 1 WHERE name = 'ino' RETURNING value - 1")
        ino: int = row.fetchone()[0]
        if late.group != ALONE:
            self._groups[late.group] = ino
        return ino

    def _snapshot(self, source: bytes) -> int:
        if source not in self._snapshots:
            raw = self._raw
            raw.execute(
                "INSERT OR IGNORE INTO source (name, path, created_ns) VALUES (?, ?, ?)",
                (source, b"/" + source, self._now_ns),
            )
            cursor = raw.execute(
                "INSERT INTO snapshot (source, state, started_ns, finished_ns)"
                " SELECT id, 'complete', ?, ? FROM source WHERE name = ?",
                (self._now_ns, self._now_ns, source),
            )
            assert cursor.lastrowid is not None  # noqa: S101  a row was inserted: its source exists
            self._snapshots[source] = cursor.lastrowid
        return self._snapshots[source]
