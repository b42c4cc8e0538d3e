"""Sources and snapshots: claiming a name for a tree, beginning and finishing a scan.

Not for the entries themselves (``entries``). A source has at most one snapshot that is not complete; the next scan of
the source goes on in it, whether it was broken off cleanly (aborted) or its process died (running).
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from odarchive.catalogue import schema
from odarchive.catalogue.publish import publish
from odarchive.errors import OdarchiveError
from odarchive.model import SnapshotId, SnapshotState, SourceId

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
    _check_name(name)
    row = connection.execute(select(table).where(table.c.name == name)).first()
    if row is None:
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


def _check_name(name: bytes) -> None:
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name or len(name) > NAME_MAX:
        raise OdarchiveError(
            f"{printable(name)!r} cannot name a source: it must be one path component of 1 to {NAME_MAX} bytes"
        )
