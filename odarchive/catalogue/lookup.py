"""Questions of people and commands: what is at a path, now or at a snapshot; where its bytes are; how much there is.

Paths are below the mount's root: ``source/folder/file``, bytes, with or without a leading slash. *Now* means the last
complete scan of every source, archived or not. Not for the mount's fast lookups (``namespace``).
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from stat import S_ISDIR, S_ISLNK
from typing import Any

from sqlalchemy import Connection, Row, text

from odarchive.catalogue.entries import COMPLETE, CURRENT, INCOMPLETE
from odarchive.catalogue.sources import printable
from odarchive.errors import NotFound
from odarchive.model import ContentId, DiscState, Ino, SegmentId, SegmentState, SlotState, SnapshotId

_ENTRY = "name, ino, mode, nlink, uid, gid, size, mtime_ns, content, target, carrier, shown, since, until"
_THEN = f"({COMPLETE} AND since <= :snapshot AND (until IS NULL OR until > :snapshot OR until IN {INCOMPLETE}))"


@dataclass(frozen=True, slots=True)
class Listed:
    """One version of a name."""

    name: bytes
    ino: Ino
    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    content: ContentId | None
    target: bytes | None
    carrier: SegmentId | None
    archived: bool
    """This version is in the mount: its bytes are on a verified disc, or it is a directory above such."""
    since: SnapshotId
    until: SnapshotId | None

    @property
    def kind(self) -> str:
        """``file``, ``directory`` or ``symlink``."""
        return "directory" if S_ISDIR(self.mode) else "symlink" if S_ISLNK(self.mode) else "file"


@dataclass(frozen=True, slots=True)
class DiscPlace:
    """A disc that carries a piece. ``slot``: where it lies as far as is known."""

    uuid: str
    label: str
    state: DiscState
    slot: int | None
    slot_state: SlotState | None


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of a content: bytes ``start`` to ``start + length`` on a segment, from ``sector`` on."""

    segment: SegmentId
    label: str
    state: SegmentState
    start: int
    length: int
    sector: int | None
    discs: tuple[DiscPlace, ...]

    @property
    def copies(self) -> int:
        """Verified discs that carry it."""
        return sum(disc.state == DiscState.VERIFIED for disc in self.discs)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a path's bytes are."""

    entry: Listed
    present: bool
    """False: the path is deleted; this is its last version."""
    digest: bytes | None
    places: tuple[Place, ...]
    """Ascending by start, then segment."""
    copies: int
    """Complete verified copies; of an entry without content: of the segment that carries it."""


@dataclass(frozen=True, slots=True)
class Info:
    """Totals. ``files`` and ``bytes`` count names of regular files in the last complete scans."""

    sources: int
    snapshots: int
    files: int
    bytes: int
    archived_files: int
    archived_bytes: int
    contents: int
    content_bytes: int
    unplanned_contents: int
    unplanned_bytes: int
    segments: Mapping[SegmentState, int]
    discs: Mapping[DiscState, int]
    slots: Mapping[SlotState, int]


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """One row of the list of snapshots."""

    id: SnapshotId
    source: bytes
    path: bytes
    state: str
    started_ns: int
    finished_ns: int | None
    files: int
    size: int
    new_bytes: int
    problems: int
    forgotten: bool = False
    """Nobody wants to see it in lists."""


def resolve(connection: Connection, path: bytes, snapshot: SnapshotId | None = None) -> Listed:
    """What is at a path, now or as a snapshot left it.

    Raises:
        NotFound: nothing.
    """
    found = _find(connection, path, _when(snapshot), {"snapshot": snapshot})
    if found is None:
        raise NotFound(f"{_shown(path)} is not in the archive{'' if snapshot is None else f' at snapshot {snapshot}'}")
    return found


def ls(connection: Connection, path: bytes, snapshot: SnapshotId | None = None) -> list[Listed]:
    """The children of a directory in bytes order; a file or symlink alone.

    Raises:
        NotFound: there is no such path.
    """
    found = resolve(connection, path, snapshot)
    if not S_ISDIR(found.mode):
        return [found]
    statement = f"SELECT {_ENTRY} FROM entry WHERE parent = :parent AND {_when(snapshot)} ORDER BY name"
    rows = connection.execute(text(statement), {"parent": found.ino, "snapshot": snapshot})
    return [_listed(row) for row in rows]


def whereis(connection: Connection, path: bytes) -> Whereabouts:
    """Where the bytes of a path are; of a deleted one, those of its last version.

    Raises:
        NotFound: the archive never had it.
    """
    entry = _find(connection, path, CURRENT, {})
    present = entry is not None
    if entry is None:
        entry = _find(connection, path, f"({COMPLETE})", {})
    if entry is None:
        raise NotFound(f"{_shown(path)} is not in the archive")
    if entry.content is None:
        return Whereabouts(entry, present, None, (), _carried(connection, entry.carrier))
    digest = connection.execute(text("SELECT digest FROM content WHERE id = :id"), {"id": entry.content}).scalar_one()
    places = tuple(_places(connection, entry.content))
    return Whereabouts(entry, present, digest, places, copies_of(entry.size, places))


def copies_of(size: int, places: Sequence[Place]) -> int:
    """How many verified copies every byte of a content has at least."""
    edges = sorted({0, size} | {edge for place in places for edge in (place.start, place.start + place.length)})
    counts = [
        sum(place.copies for place in places if place.start <= low and place.start + place.length >= high)
        for low, high in pairwise(edges)
    ]
    return min(counts, default=0)


def info(connection: Connection) -> Info:
    """Totals of the archive; counts every row, about a second per million."""
    one = connection.execute(
        text(
            f"SELECT count(*), coalesce(sum(size), 0), coalesce(sum(shown), 0), coalesce(sum(shown * size), 0)"
            f" FROM entry WHERE (mode & 61440) = 32768 AND {CURRENT}"  # S_IFMT, S_IFREG
        )
    ).one()
    contents = connection.execute(text("SELECT count(*), coalesce(sum(size), 0) FROM content")).one()
    unplanned = connection.execute(
        text(
            "SELECT count(*), coalesce(sum(size), 0) FROM content"
            " WHERE NOT EXISTS (SELECT 1 FROM piece WHERE piece.content = content.id)"
        )
    ).one()
    return Info(
        sources=_count(connection, "source"),
        snapshots=_count(connection, "snapshot WHERE state = 'complete'"),
        files=one[0],
        bytes=one[1],
        archived_files=one[2],
        archived_bytes=one[3],
        contents=contents[0],
        content_bytes=contents[1],
        unplanned_contents=unplanned[0],
        unplanned_bytes=unplanned[1],
        segments={SegmentState(state): count for state, count in _states(connection, "segment")},
        discs={DiscState(state): count for state, count in _states(connection, "disc")},
        slots={SlotState(state): count for state, count in _states(connection, "slot")},
    )


def snapshots(connection: Connection) -> list[SnapshotInfo]:
    """Every scan, oldest first."""
    rows = connection.execute(
        text(
            "SELECT snapshot.id, name, path, state, started_ns, finished_ns, files, bytes, new_bytes, problems,"
            " forgotten_ns IS NOT NULL"
            " FROM snapshot JOIN source ON source.id = snapshot.source ORDER BY snapshot.id"
        )
    )
    values: Iterator[tuple[Any, ...]] = (tuple(row) for row in rows)
    return [SnapshotInfo(*line) for line in values]


def problems(connection: Connection, snapshot: SnapshotId) -> list[tuple[bytes, str]]:
    """What a scan could not archive: path in the source and reason."""
    rows = connection.execute(
        text("SELECT path, reason FROM problem WHERE snapshot = :id ORDER BY id"), {"id": snapshot}
    )
    return [(row.path, row.reason) for row in rows]


def _when(snapshot: SnapshotId | None) -> str:
    return CURRENT if snapshot is None else _THEN


def _find(connection: Connection, path: bytes, when: str, values: Mapping[str, object]) -> Listed | None:
    """Walk down from the root; of several versions that fit, the newest of each name."""
    row = connection.execute(text(f"SELECT {_ENTRY} FROM entry WHERE parent = 0")).one()
    statement = text(
        f"SELECT {_ENTRY} FROM entry WHERE parent = :parent AND name = :name AND {when} ORDER BY since DESC LIMIT 1"
    )
    for name in path.split(b"/"):
        if name in (b"", b"."):
            continue
        if not S_ISDIR(row.mode):
            return None
        found = connection.execute(statement, {**values, "parent": row.ino, "name": name}).first()
        if found is None:
            return None
        row = found
    return _listed(row)


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        name=row.name,
        ino=row.ino,
        mode=row.mode,
        nlink=row.nlink,
        uid=row.uid,
        gid=row.gid,
        size=row.size,
        mtime_ns=row.mtime_ns,
        content=row.content,
        target=row.target,
        carrier=row.carrier,
        archived=bool(row.shown),
        since=row.since,
        until=row.until,
    )


def _places(connection: Connection, content: ContentId) -> Iterator[Place]:
    rows = connection.execute(
        text(
            "SELECT piece.segment, segment.label, segment.state, piece.start, piece.length, piece.sector,"
            " disc.uuid, disc.label, disc.state, slot.number, slot.state"
            " FROM piece JOIN segment ON segment.id = piece.segment LEFT JOIN disc ON disc.segment = segment.id"
            " LEFT JOIN slot ON slot.disc = disc.id WHERE piece.content = :content"
            " ORDER BY piece.start, piece.segment, disc.id"
        ),
        {"content": content},
    )
    for (number, label, state, start, length, sector), group in groupby(rows, itemgetter(slice(0, 6))):
        discs = tuple(
            DiscPlace(row[6], row[7], DiscState(row[8]), row[9], None if row[10] is None else SlotState(row[10]))
            for row in group
            if row[6] is not None
        )
        yield Place(number, label, SegmentState(state), start, length, sector, discs)


def _carried(connection: Connection, carrier: SegmentId | None) -> int:
    statement = text("SELECT count(*) FROM disc WHERE segment = :segment AND state = 'verified'")
    return int(connection.execute(statement, {"segment": carrier}).scalar_one())


def _count(connection: Connection, what: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {what}")).scalar_one())


def _states(connection: Connection, table: str) -> Iterator[tuple[str, int]]:
    for row in connection.execute(text(f"SELECT state, count(*) AS n FROM {table} GROUP BY state")):
        yield row.state, row.n


def _shown(path: bytes) -> str:
    return f"/{printable(path.strip(b'/'))}"
