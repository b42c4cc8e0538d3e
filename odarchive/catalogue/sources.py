"""Sources and snapshots: claiming a name for a tree, beginning and finishing a scan.

A source's name is a path from the mount's root, mostly of one component. Folders that only lead to sources are built in
(``since`` 0); they, and sources inside of others, are left alone by scans of the sources around them.

Not for the entries themselves (``entries``). A source has at most one snapshot that is not complete; the next scan of
the source goes on in it, whether it was broken off cleanly (aborted) or its process died (running).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from stat import S_IFDIR

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from odarchive.catalogue import schema, words
from odarchive.catalogue.database import driver
from odarchive.catalogue.publish import publish
from odarchive.errors import OdarchiveError
from odarchive.model import ROOT_INO, Ino, SnapshotId, SnapshotState, SourceId

NAME_MAX = 255
"""Bytes in one component (Linux)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A tree that is archived: ``name`` at the mount's root, ``path`` it is read from."""

    id: SourceId
    name: bytes
    path: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scan saw: regular files and their sizes added up."""

    files: int
    bytes: int


def claim(connection: Connection, path: bytes, name: bytes | None, default: bytes, now_ns: int) -> Source:
    """The source for a tree, made if need be.

    Args:
        connection: a write transaction.
        path: absolute path of the tree.
        name: the name asked for; None: the one the path already has, else ``default``.
        default: name for a path that has none yet.
        now_ns: time recorded with a new source.

    Raises:
        OdarchiveError: the name is not one component, or another path has it.
    """
    table = schema.source
    if name is None:
        row = connection.execute(select(table).where(table.c.path == path).order_by(table.c.id)).first()
        if row is not None:
            return Source(SourceId(row.id), row.name, row.path)
        name = default
    name = _checked(name)
    row = connection.execute(select(table).where(table.c.name == name)).first()
    if row is None:
        _make_way(connection, name, now_ns)
        values = {"name": name, "path": path, "created_ns": now_ns}
        key = connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one()
        return Source(SourceId(key), name, path)
    if row.path != path:
        raise OdarchiveError(
            f"the name {printable(name)} belongs to {printable(row.path)} already; "
            f"choose another name for {printable(path)} (--as NAME)"
        )
    return Source(SourceId(row.id), row.name, row.path)


def begin(connection: Connection, source: SourceId, now_ns: int) -> SnapshotId:
    """A running snapshot: the one an earlier scan left incomplete, else a new one. The caller holds the scan lock."""
    table = schema.snapshot
    broken = connection.execute(
        select(table.c.id).where(table.c.source == source, table.c.state != SnapshotState.COMPLETE)
    ).scalar()
    if broken is None:
        values = {"source": source, "state": SnapshotState.RUNNING, "started_ns": now_ns}
        return SnapshotId(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())
    connection.execute(delete(schema.problem).where(schema.problem.c.snapshot == broken))
    connection.execute(update(table).where(table.c.id == broken).values(state=SnapshotState.RUNNING, started_ns=now_ns))
    return SnapshotId(broken)


def finish(connection: Connection, snapshot: SnapshotId, seen: Seen, now_ns: int) -> None:
    """From here on the snapshot's rows count: the mount shows what is archived of it and hides what it saw deleted."""
    table = schema.snapshot
    problems = select(func.count()).where(schema.problem.c.snapshot == snapshot).scalar_subquery()
    connection.execute(
        update(table)
        .where(table.c.id == snapshot)
        .values(state=SnapshotState.COMPLETE, finished_ns=now_ns, files=seen.files, bytes=seen.bytes, problems=problems)
    )
    publish(connection, snapshot=snapshot)


def printable(name: bytes) -> str:
    """Bytes of a hostile name as text for a message: never a control character, nothing lost."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def last_files(connection: Connection, source: SourceId) -> int | None:
    """Files in the last complete snapshot of a source; None: there is none."""
    c = schema.snapshot.c
    newest = select(c.files).where(c.source == source, c.state == SnapshotState.COMPLETE).order_by(c.id.desc()).limit(1)
    return connection.execute(newest).scalar()


def surroundings(connection: Connection, source: Source) -> tuple[Ino, frozenset[tuple[int, bytes]]]:
    """The directory that a source's own directory lies in, and (directory, name) of other sources inside of it."""
    parts = source.name.split(b"/")
    parent = ROOT_INO
    for part in parts[:-1]:
        parent = _present(connection, parent, part)[0].ino
    own = _present(connection, parent, parts[-1])
    inner = set()
    for name in connection.execute(select(schema.source.c.name)).scalars():
        below = name.split(b"/")
        if own and len(below) > len(parts) and below[: len(parts)] == parts:
            inner.add((own[0].ino, below[len(parts)]))
    return parent, frozenset(inner)


def _make_way(connection: Connection, name: bytes, now_ns: int) -> None:
    """Make the folders that lead to a new source.

    Raises:
        OdarchiveError: something of another source has the place.
    """
    names = set(connection.execute(select(schema.source.c.name)).scalars())
    parts = name.split(b"/")
    parent = ROOT_INO
    for depth, part in enumerate(parts, 1):
        path = b"/".join(parts[:depth])
        rows = _present(connection, parent, part)
        if path not in names and any(row.since != 0 for row in rows):
            raise OdarchiveError(
                f"{printable(path)} is in the archive already, as a part of another source; choose another name (--as)"
            )
        if depth < len(parts):
            parent = Ino(rows[0].ino) if rows else _folder(connection, parent, part, now_ns)


def _folder(connection: Connection, parent: Ino, name: bytes, now_ns: int) -> Ino:
    counter = schema.counter
    taken = update(counter).where(counter.c.name == "ino").values(value=counter.c.value + 1)
    ino = Ino(connection.execute(taken.returning(counter.c.value)).scalar_one() - 1)
    values = {"parent": parent, "name": name, "since": 0, "ino": ino, "mode": S_IFDIR | 0o755, "nlink": 2, "size": 0}
    values |= {"uid": 0, "gid": 0, "mtime_ns": now_ns, "ctime_ns": now_ns, "src_dev": 0, "src_ino": 0}
    connection.execute(insert(schema.entry).values(values))
    words.add(driver(connection), [(ino, name.decode("utf-8", "replace"))], [])
    return ino


def _present(connection: Connection, parent: Ino, name: bytes) -> Sequence[Row[int, int]]:
    """What is, or soon is, at a place: rows that no complete snapshot has closed."""
    c = schema.entry.c
    snapshot = schema.snapshot.c
    incomplete = select(snapshot.id).where(snapshot.state != SnapshotState.COMPLETE)
    which = (c.parent == parent, c.name == name, c.until.is_(None) | c.until.in_(incomplete))
    return connection.execute(select(c.ino, c.since).where(*which).order_by(c.since)).all()


def _checked(name: bytes) -> bytes:
    """A source's name without slashes at its ends.

    Raises:
        OdarchiveError: it is none.
    """
    stripped = name.strip(b"/")
    for part in stripped.split(b"/"):
        if part in (b"", b".", b"..") or b"\0" in part or len(part) > NAME_MAX:
            raise OdarchiveError(
                f"{printable(name)!r} cannot name a source: it must be one path component of 1 to {NAME_MAX} bytes, or "
                "several with slashes between them"
            )
    return stripped
