"""What is to be planned, segments and pieces, and what goes onto the disc of a segment.

A name is *current* when the last complete scan of its source saw it: its own scan is complete, and none that is saw it
gone or different.
"""

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from odarchive.catalogue import schema
from odarchive.catalogue.contents import ways
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import CURRENT
from odarchive.model import ContentId, DiscState, Ino, SegmentId, SegmentState, SnapshotState

_e, _p, _s = schema.entry.c, schema.piece.c, schema.segment.c


class Name(NamedTuple):
    """A current entry."""

    parent: Ino
    name: bytes
    ino: Ino
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    content: ContentId | None
    target: bytes | None
    since: int
    scanned_ns: int
    """When its scan ended."""


NAME = (
    "parent, name, ino, mode, uid, gid, size, mtime_ns, content, target, since,"
    " coalesce((SELECT finished_ns FROM snapshot WHERE id = since), 0)"
)
"""Columns of a ``Name``."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a content on a segment, with what the content is."""

    content: ContentId
    start: int
    length: int
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A segment as planned."""

    id: SegmentId
    label: str
    state: SegmentState
    media: str
    capacity: int
    planned_bytes: int
    created_ns: int
    ecc_size: int | None = None
    """Bytes of its discs with error correction behind the image; None: they carry none."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How large the archive's catalogue is."""

    entries: int
    name_bytes: int
    contents: int


def facts(connection: Connection) -> dict[str, str]:
    """Facts about the whole archive: ``uuid``, ``label_prefix``, ..."""
    return {row.key: row.value for row in connection.execute(select(schema.archive))}


def sources(connection: Connection) -> dict[bytes, bytes]:
    """Where each source was last scanned: path by name."""
    c = schema.source.c
    return {row.name: row.path for row in connection.execute(select(c.name, c.path))}


def directories(connection: Connection) -> dict[Ino, Name]:
    """Every current directory by its inode number, the root included."""
    rows = _names(connection, _e.content.is_(None), func.coalesce(_e.mode, 0).op("&")(0o170000) == 0o040000)
    return {name.ino: name for name in rows}


def totals(connection: Connection) -> Totals:
    """For the size of the whole catalogue on a disc."""
    entries, name_bytes = connection.execute(select(func.count(), func.sum(func.length(_e.name)))).one()
    contents = connection.execute(select(func.count()).select_from(schema.content)).scalar_one()
    return Totals(entries, name_bytes or 0, contents)


def any_segment(connection: Connection) -> bool:
    """Whether the archive has a segment."""
    return connection.execute(select(_s.id).limit(1)).first() is not None


def next_segment(connection: Connection) -> int:
    """The number after the highest ever used."""
    highest = connection.execute(select(func.max(_s.id))).scalar() or 0
    burned = connection.execute(select(func.max(schema.disc.c.segment))).scalar() or 0
    return int(max(highest, burned)) + 1


def add_segment(
    connection: Connection,
    planned: Planned,
    pieces: Iterable[tuple[int, int, int]],
    *,
    payload: int = 0,
    copies: int | None = None,
    places: int | None = None,
) -> None:
    """Record a plan for one disc.

    Args:
        connection: a write transaction.
        planned: the segment.
        pieces: (content, start, length) of each, in any order; a million of them are never held as objects.
        payload: their lengths added up.
        copies: how many discs are wanted.
        places: in how many places.
    """
    connection.execute(
        insert(schema.segment).values(
            id=planned.id,
            label=planned.label,
            state=planned.state,
            media=planned.media,
            capacity=planned.capacity,
            planned_bytes=planned.planned_bytes,
            payload_bytes=payload,
            created_ns=planned.created_ns,
            copies=copies,
            places=places,
            ecc_size=planned.ecc_size,
        )
    )
    raw = driver(connection)
    raw.execute("CREATE TEMP TABLE new_piece (content, start, length, PRIMARY KEY (content, start)) WITHOUT ROWID")
    raw.executemany("INSERT INTO temp.new_piece VALUES (?, ?, ?)", pieces)
    raw.execute(
        "INSERT INTO piece (content, segment, start, length) SELECT content, ?, start, length FROM temp.new_piece"
        " ORDER BY content, start",  # ascending rows fill their pages
        (planned.id,),
    )
    raw.execute("DROP TABLE temp.new_piece")


def carry(connection: Connection, keys: Iterable[tuple[int, bytes, int]], segment: int) -> None:
    """Say which segment's disc carries these entries, named by (parent, name, since); 0: the next catalogue."""
    driver(connection).executemany(
        "UPDATE entry SET carrier = ? WHERE parent = ? AND name = ? AND since = ?", ((segment, *key) for key in keys)
    )


def segments(connection: Connection, *states: SegmentState) -> list[Planned]:
    """Segments in these states (all if none is named), by number."""
    query = select(
        _s.id, _s.label, _s.state, _s.media, _s.capacity, _s.planned_bytes, _s.created_ns, _s.ecc_size
    ).order_by(_s.id)
    if states:
        query = query.where(_s.state.in_(states))
    return [planned(row) for row in connection.execute(query)]


def segment(connection: Connection, number: SegmentId) -> Planned | None:
    """One segment; None if there is none of that number."""
    return next((found for found in segments(connection) if found.id == number), None)


def pieces(connection: Connection, number: SegmentId) -> Iterator[Piece]:
    """The pieces of a segment, by content and start."""
    c = schema.content.c
    rows = (
        select(_p.content, _p.start, _p.length, c.digest, c.size)
        .join(schema.content, c.id == _p.content)
        .where(_p.segment == number)
        .order_by(_p.content, _p.start)
    )
    return (Piece(ContentId(r.content), r.start, r.length, r.digest, r.size) for r in connection.execute(rows))


def extents(connection: Connection, number: SegmentId) -> Iterator[tuple[ContentId, int, int]]:
    """Content, start and length of the pieces of a segment, by content and start."""
    rows = select(_p.content, _p.start, _p.length).where(_p.segment == number).order_by(_p.content, _p.start)
    return ((ContentId(row.content), row.start, row.length) for row in connection.execute(rows))


def names_on(connection: Connection, number: SegmentId) -> Iterator[Name]:
    """Current names of the contents that have a piece on the segment, by content."""
    held = "(SELECT DISTINCT content AS id FROM piece WHERE segment = ?1)"
    return names_of(driver(connection), held, number)


def names_of(raw: sqlite3.Connection, contents: str, *values: int) -> Iterator[Name]:
    """Current names of contents, in their order; ``contents``: a query in parentheses whose column ``id`` has them.

    In several questions: in one, and in an order that no index has, SQLite would keep all of them for a while.
    """
    asked = (map(Name._make, raw.execute(way, values)) for way in ways(NAME, contents, CURRENT))
    return heapq.merge(*asked, key=lambda name: name.content or 0)


def carried_by(connection: Connection, number: SegmentId) -> list[Name]:
    """Current entries without content that its disc carries, by directory and name."""
    return list(_names(connection, _e.content.is_(None), _e.carrier == number))


def discs_of(connection: Connection, number: SegmentId) -> list[DiscState]:
    """The states of all burn attempts of a segment."""
    c = schema.disc.c
    return [DiscState(row.state) for row in connection.execute(select(c.state).where(c.segment == number))]


def forget_image(connection: Connection, number: SegmentId) -> None:
    """Back to planned: its image is being built anew."""
    connection.execute(
        update(schema.segment)
        .where(_s.id == number)
        .values(state=SegmentState.PLANNED, image_size=None, image_digest=None)
    )
    connection.execute(update(schema.piece).where(_p.segment == number).values(sector=None, stored_digest=None))


def leave_out(connection: Connection, number: SegmentId, lost: Iterable[ContentId]) -> None:
    """Take contents off a segment; the next plan places them again."""
    for content in lost:
        connection.execute(delete(schema.piece).where(_p.segment == number, _p.content == content))
    rest = select(func.coalesce(func.sum(_p.length), 0)).where(_p.segment == number).scalar_subquery()
    connection.execute(update(schema.segment).where(_s.id == number).values(payload_bytes=rest))


def drop_if_empty(connection: Connection, number: SegmentId) -> None:
    """Remove a segment that nothing refers to any more."""
    used = (
        select(_p.segment).where(_p.segment == number),
        select(_e.ino).where(_e.carrier == number),
        select(schema.disc.c.id).where(schema.disc.c.segment == number),
        select(schema.job.c.id).where(schema.job.c.segment == number),
    )
    if not any(connection.execute(query.limit(1)).first() for query in used):
        connection.execute(delete(schema.parity_member).where(schema.parity_member.c.segment == number))
        connection.execute(delete(schema.segment).where(_s.id == number))


def imaged(
    connection: Connection,
    number: SegmentId,
    *,
    size: int,
    digest: bytes,
    sectors: Iterable[tuple[ContentId, int, int]],
) -> None:
    """Record an image: its size and digest, and of each piece content, start and first sector."""
    connection.execute(
        update(schema.segment)
        .where(_s.id == number)
        .values(state=SegmentState.IMAGED, image_size=size, image_digest=digest)
    )
    driver(connection).executemany(
        "UPDATE piece SET sector = ? WHERE content = ? AND segment = ? AND start = ?",
        ((sector, content, number, start) for content, start, sector in sectors),
    )


def image_of(connection: Connection, number: SegmentId) -> tuple[int | None, dict[tuple[ContentId, int], int | None]]:
    """The recorded image of a segment: its size, and the first sector of each piece by (content, start)."""
    size = connection.execute(select(_s.image_size).where(_s.id == number)).scalar()
    rows = connection.execute(select(_p.content, _p.start, _p.sector).where(_p.segment == number))
    return size, {(ContentId(row.content), row.start): row.sector for row in rows}


def whole_catalogue(connection: Connection) -> Iterator[bytes]:
    """Everything that names, bytes and discs are known by, one JSON line per row, for a disc to carry.

    Bytes of names that are no UTF-8 appear as U+DC80 to U+DCFF, digests in hexadecimal.
    """
    columns = {
        schema.archive: None,
        schema.source: None,
        schema.snapshot: None,
        schema.segment: {"seal"},
        schema.disc: None,
        schema.content: None,
        schema.entry: {"shown", "ctime_ns", "src_dev", "src_ino", "apart"},
        schema.piece: None,
        schema.parity_set: None,
        schema.parity_member: None,
    }
    yield json.dumps({"format": "odarchive catalogue", "version": 1}).encode() + b"\n"
    for table, without in columns.items():
        wanted = [column for column in table.c if column.name not in (without or ())]
        for row in connection.execute(select(*wanted).order_by(*table.primary_key).execution_options(yield_per=1000)):
            values = {column.name: _plain(column.name, value) for column, value in zip(wanted, row, strict=True)}
            line = {"table": table.name, **{key: value for key, value in values.items() if value is not None}}
            yield json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _plain(column: str, value: Any) -> Any:  # noqa: ANN401  whatever a column holds
    if not isinstance(value, bytes):
        return value
    return value.hex() if "digest" in column else value.decode("utf-8", "surrogateescape")


def planned(row: Any) -> Planned:  # noqa: ANN401  a row of a query
    """A segment, from a row with its columns."""
    return Planned(
        SegmentId(row.id),
        row.label,
        SegmentState(row.state),
        row.media,
        row.capacity,
        row.planned_bytes,
        row.created_ns,
        row.ecc_size,
    )


def _names(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Name]:
    snapshot = schema.snapshot.c
    incomplete = select(snapshot.id).where(snapshot.state != SnapshotState.COMPLETE)
    rows = (
        select(
            _e.parent,
            _e.name,
            _e.ino,
            _e.mode,
            _e.uid,
            _e.gid,
            _e.size,
            _e.mtime_ns,
            _e.content,
            _e.target,
            _e.since,
            func.coalesce(snapshot.finished_ns, 0),
        )
        .outerjoin_from(schema.entry, schema.snapshot, snapshot.id == _e.since)
        .where(_e.since.not_in(incomplete), or_(_e.until.is_(None), _e.until.in_(incomplete)), *conditions)
    )
    for row in connection.execute(rows.order_by(_e.parent, _e.name)):
        values: tuple[Any, ...] = tuple(row)
        yield Name(*values)
