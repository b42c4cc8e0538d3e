"""What a restore has to write and where its bytes lie: names with all attributes, contents, extents, discs.

Read in one view, so that a scan in between changes nothing. Not for looking around (``lookup``) nor for the mount.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from stat import S_ISDIR
from typing import Any

from sqlalchemy import Connection

from odarchive.catalogue import discs, lookup
from odarchive.catalogue.contents import named_by
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import COMPLETE, CURRENT, INCOMPLETE
from odarchive.catalogue.runs import DIRECTORY, by_number
from odarchive.catalogue.shown import covered
from odarchive.catalogue.standing import unpacked
from odarchive.errors import NotFound
from odarchive.model import ContentId, DiscState, Extent, Ino, SegmentId, SnapshotId

_COLUMNS = "name, ino, mode, nlink, uid, gid, size, mtime_ns, content, target, xattrs"
_PLACE = f"SELECT parent, name FROM entry WHERE ino = ? AND {DIRECTORY} LIMIT 1"
_XATTRS = by_number("xattrs", "?1", "since = ?2")
_THEN = f"({COMPLETE} AND since <= ? AND (until IS NULL OR until > ? OR until IN {INCOMPLETE}))"


@dataclass(frozen=True, slots=True)
class Item:
    """A name to restore, with its path from the root of the archive."""

    path: bytes
    ino: Ino
    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    content: ContentId | None
    target: bytes | None
    xattrs: bytes | None = None

    def attributes(self) -> Iterator[tuple[bytes, bytes]]:
        """Extended attributes, ACLs included, as (name, value)."""
        return unpacked(self.xattrs or b"")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The bytes of a content: digest, size, and where they are on verified discs (empty: nowhere yet)."""

    content: ContentId
    digest: bytes
    size: int
    extents: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Carrier:
    """A segment that has to be read, and its discs worth trying: (label, slot or None, state)."""

    segment: SegmentId
    label: str
    discs: tuple[tuple[str, int | None, DiscState], ...]


def items(connection: Connection, paths: Sequence[bytes], snapshot: SnapshotId | None = None) -> list[Item]:
    """Everything at and below some paths, parents first, with the directories above them; each name once.

    Raises:
        NotFound: the archive has no such path, or no such snapshot.
    """
    if snapshot is not None and all(line.id != snapshot for line in lookup.snapshots(connection)):
        raise NotFound(f"there is no snapshot {snapshot}; `odarchive snapshots` lists them")
    found: dict[bytes, Item] = {}
    raw = driver(connection)
    for path in paths:
        at = b""
        above: list[Item] = []
        for name in [part for part in path.split(b"/") if part not in (b"", b".")]:
            at = at + b"/" + name if at else name
            above.append(_item(raw, lookup.resolve(connection, at, snapshot), at))
        found |= {item.path: item for item in above}
        if not above or S_ISDIR(above[-1].mode):
            root = lookup.resolve(connection, at, snapshot).ino
            found |= {item.path: item for item in _below(raw, root, at, snapshot)}
    return list(found.values())


def wanted(connection: Connection, contents: Iterable[ContentId]) -> dict[ContentId, Wanted]:
    """Digest, size and extents of contents; extents are empty unless every byte is on a disc."""
    answer = {}
    for content in contents:
        facts = discs.content(connection, content)
        if facts is None:
            continue
        extents = discs.extents(connection, content)
        whole = covered(facts[1], ((extent.start, extent.length) for extent in extents))
        answer[content] = Wanted(content, *facts, tuple(extents) if whole else ())
    return answer


def carriers(connection: Connection, segments: Iterable[SegmentId]) -> dict[SegmentId, Carrier]:
    """The discs of segments."""
    return {
        number: Carrier(
            number,
            discs.segment(connection, number).label,
            tuple((disc.label, disc.slot, disc.state) for disc in discs.readable_of(connection, number)),
        )
        for number in segments
    }


def names_of(connection: Connection, contents: Iterable[ContentId], limit: int = 3) -> Mapping[ContentId, list[bytes]]:
    """Paths of contents (at most ``limit`` each, newest versions first), for messages."""
    raw = driver(connection)
    return {content: list(_paths(raw, content, limit)) for content in contents}


def _paths(raw: sqlite3.Connection, content: ContentId, limit: int) -> Iterator[bytes]:
    named = named_by("parent, name, since, until", "(SELECT ?1 AS id)")
    rows = raw.execute(
        f"SELECT parent, name FROM ({named}) ORDER BY until IS NULL DESC, since DESC LIMIT ?2", (content, limit)
    )
    for parent, name in rows.fetchall():
        path = [name]
        at: int | None = parent
        while at and at != 1 and len(path) < 4096:
            row = raw.execute(_PLACE, (at,)).fetchone()
            if row is None:
                break
            at = row[0]
            path.append(row[1])
        yield b"/".join(reversed(path))


def _below(raw: sqlite3.Connection, root: Ino, path: bytes, snapshot: SnapshotId | None) -> Iterator[Item]:
    when, values = (CURRENT, ()) if snapshot is None else (_THEN, (snapshot, snapshot))
    statement = f"SELECT {_COLUMNS} FROM entry WHERE parent = ? AND {when} ORDER BY name"
    waiting = [(root, path)]
    while waiting:
        ino, at = waiting.pop()
        folders = []
        for row in raw.execute(statement, (ino, *values)).fetchall():
            below = at + b"/" + row[0] if at else row[0]
            columns: tuple[Any, ...] = (below, *row[1:10], _data(raw, row[10]))
            item = Item(*columns)
            yield item
            if S_ISDIR(item.mode):
                folders.append((item.ino, below))
        waiting += reversed(folders)


def _item(raw: sqlite3.Connection, listed: lookup.Listed, path: bytes) -> Item:
    row = raw.execute(_XATTRS, (listed.ino, listed.since)).fetchone()
    return Item(
        path=path,
        ino=listed.ino,
        mode=listed.mode,
        nlink=listed.nlink,
        uid=listed.uid,
        gid=listed.gid,
        size=listed.size,
        mtime_ns=listed.mtime_ns,
        content=listed.content,
        target=listed.target,
        xattrs=_data(raw, row[0] if row else None),
    )


def _data(raw: sqlite3.Connection, key: bytes | None) -> bytes | None:
    if key is None:
        return None
    row = raw.execute("SELECT data FROM xattrs WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]
