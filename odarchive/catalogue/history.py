"""What was when: versions of a path, differences between two points in time.

A snapshot's number is a point in time of the whole archive: numbers ascend over all sources. Not for deciding what is
shown (``shown``) nor for one tree at one time (``lookup``).
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from stat import S_IFMT, S_ISDIR
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import COMPLETE, INCOMPLETE
from odarchive.catalogue.paths import Paths, join
from odarchive.catalogue.sources import printable
from odarchive.errors import NotFound
from odarchive.model import SnapshotId


@dataclass(frozen=True, slots=True)
class PathVersion:
    """One version of a path. ``began_ns``: end of the scan that saw it first; None: built in."""

    since: SnapshotId
    until: SnapshotId | None
    began_ns: int | None
    ended_ns: int | None
    mode: int
    size: int
    mtime_ns: int
    digest: bytes | None
    target: bytes | None
    archived: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a path between two snapshots: ``added``, ``removed``, ``changed``, ``attributes`` or ``moved``.

    ``origin`` is where a moved file was before. ``size`` is the later one, of removed names the last.
    """

    kind: str
    path: bytes
    size: int
    origin: bytes | None = None


class _State(NamedTuple):
    """A name at one of the two points in time."""

    parent: int
    name: bytes
    after: int
    mode: int
    size: int
    content: int | None
    target: bytes | None


def versions(connection: Connection, path: bytes) -> list[PathVersion]:
    """Every version that a path ever had, oldest first; folders of the same path count as one.

    Raises:
        NotFound: there never was one.
    """
    raw = driver(connection)
    folders: list[int] = [0]
    rows: list[tuple[int, int]] = [(0, 0)]
    names = [b"", *(name for name in path.split(b"/") if name not in (b"", b"."))]
    for name in names:
        rows = [
            (parent, row[0])
            for parent in folders
            for row in raw.execute(
                f"SELECT DISTINCT since FROM entry WHERE parent = ? AND name = ? AND {COMPLETE}", (parent, name)
            )
        ]
        if not rows:
            raise NotFound(f"/{printable(path.strip(b'/'))} was never in the archive")
        inos = {
            row[0]
            for parent in {parent for parent, _ in rows}
            for row in raw.execute(
                f"SELECT ino, mode FROM entry WHERE parent = ? AND name = ? AND {COMPLETE}", (parent, name)
            )
            if S_ISDIR(row[1])
        }
        folders = sorted(inos)
    keys = sorted(set(rows), key=itemgetter(1))
    return [_version(connection, parent, names[-1], since) for parent, since in keys]


def _version(connection: Connection, parent: int, name: bytes, since: int) -> PathVersion:
    row: tuple[Any, ...] = tuple(
        connection.execute(
            text(
                f"SELECT since, CASE WHEN until IN {INCOMPLETE} THEN NULL ELSE until END AS until, began.finished_ns,"
                " ended.finished_ns, mode, entry.size, mtime_ns, digest, target, shown FROM entry"
                " LEFT JOIN content ON content.id = entry.content LEFT JOIN snapshot AS began ON began.id = since"
                " LEFT JOIN snapshot AS ended ON ended.id = until AND ended.state = 'complete'"
                " WHERE parent = :parent AND name = :name AND since = :since"
            ),
            {"parent": parent, "name": name, "since": since},
        ).one()
    )
    return PathVersion(*row)


def diff(connection: Connection, earlier: SnapshotId, later: SnapshotId) -> list[Change]:
    """What changed from one snapshot to another, by path. Reads every entry once: half a second per million.

    Raises:
        NotFound: there is no such complete snapshot.
    """
    for number in (earlier, later):
        require(connection, number)
    there = f"(since <= {{0}} AND (until IS NULL OR until > {{0}} OR until IN {INCOMPLETE}))"
    before, after = there.format(":a"), there.format(":b")
    rows = driver(connection).execute(
        f"SELECT parent, name, {after}, mode, size, content, target, mtime_ns, uid, gid FROM entry"
        f" WHERE {COMPLETE} AND {before} <> {after} ORDER BY parent, name",
        {"a": earlier, "b": later},
    )
    paths = Paths(connection)
    return sorted(_moves(_changes(rows, paths)), key=lambda change: (change.path, change.kind))


def require(connection: Connection, number: SnapshotId) -> None:
    """See that there is a complete snapshot of that number.

    Raises:
        NotFound: there is none.
    """
    found = connection.execute(text("SELECT state FROM snapshot WHERE id = :id"), {"id": number}).scalar()
    if found is None:
        raise NotFound(f"there is no snapshot {number}; `odarchive snapshots` lists them")
    if found != "complete":
        raise NotFound(f"snapshot {number} is not complete; scan its source again to complete it")


_Found = tuple[Change, int | None, bool]
"""A change, the content of the name (the old one of what is removed), whether it is a file."""


def _changes(rows: Iterable[tuple[object, ...]], paths: Paths) -> Iterator[_Found]:
    for _, group in groupby(rows, itemgetter(0, 1)):
        states = [_State._make(row[:7]) for row in group]
        old = next((state for state in states if not state.after), None)
        new = next((state for state in states if state.after), None)
        state = new or old
        if state is None:
            continue
        path = join(paths.of(state.parent), state.name)
        if old is None or new is None:
            kind = "added" if old is None else "removed"
        elif (S_IFMT(old.mode), old.content, old.target) != (S_IFMT(new.mode), new.content, new.target):
            kind = "changed"
        else:
            kind = "attributes"
        yield Change(kind, path, state.size), state.content, not S_ISDIR(state.mode)


def _moves(found: Iterator[_Found]) -> Iterator[Change]:
    """A removed and an added file of one content are one that was moved."""
    gone: dict[int, list[Change]] = {}
    rest: list[_Found] = []
    for change, content, is_file in found:
        if change.kind == "removed" and is_file and content is not None:
            gone.setdefault(content, []).append(change)
        else:
            rest.append((change, content, is_file))
    for change, content, _ in rest:
        origins = gone.get(content or 0, []) if change.kind == "added" else []
        yield Change("moved", change.path, change.size, origins.pop(0).path) if origins else change
    for left in gone.values():
        yield from left


def latest(connection: Connection, numbers: Sequence[str]) -> list[SnapshotId]:
    """Snapshot numbers as people give them: a number, or ``last`` and ``last-1``, counted over complete snapshots.

    Raises:
        NotFound: it is neither, or there are not so many.
    """
    rows = connection.execute(text("SELECT id FROM snapshot WHERE state = 'complete' ORDER BY id DESC")).scalars().all()
    found = []
    for word in numbers:
        back = {"last": 0, "now": 0}.get(
            word, int(word[5:]) if word.startswith("last-") and word[5:].isdecimal() else None
        )
        if back is None and not word.isdecimal():
            raise NotFound(f"{word!r} is no snapshot; give a number of `odarchive snapshots`, last, or last-1")
        if back is not None and back >= len(rows):
            raise NotFound(f"there are only {len(rows)} snapshots, so there is no {word}")
        found.append(SnapshotId(int(word) if back is None else rows[back]))
    return found
