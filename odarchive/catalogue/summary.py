"""Lists for people: sources with their last scan, segments with their copies. Totals are in ``lookup``."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from odarchive.catalogue import paritysets, schema
from odarchive.errors import NotFound
from odarchive.model import DiscState, SegmentId, SegmentState, SnapshotState

_SHORT_NS = 60 * 10**9
"""Burns that take less tell nothing of those that fill discs."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source and its last complete scan. Sizes in bytes."""

    name: bytes
    path: bytes
    scanned_ns: int | None
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """One segment and its verified discs."""

    id: SegmentId
    label: str
    state: SegmentState
    media: str
    payload_bytes: int
    image_size: int | None
    copies: int
    wanted: int | None
    """How many its plan asks for; None: as many as archive.toml says."""
    places: int
    """In how many places its verified discs lie; the robot is one."""
    places_wanted: int


def sources(connection: Connection) -> list[SourceLine]:
    """Every source by name."""
    source, snapshot = schema.source.c, schema.snapshot.c
    newest = (
        select(snapshot.source, func.max(snapshot.id).label("id"))
        .where(snapshot.state == SnapshotState.COMPLETE)
        .group_by(snapshot.source)
        .subquery()
    )
    query = (
        select(source.name, source.path, snapshot.finished_ns, snapshot.files, snapshot.bytes)
        .select_from(schema.source)
        .outerjoin(newest, newest.c.source == source.id)
        .outerjoin(schema.snapshot, snapshot.id == newest.c.id)
        .order_by(source.name)
    )
    return [SourceLine(row[0], row[1], row[2], row[3] or 0, row[4] or 0) for row in connection.execute(query)]


def segments(connection: Connection) -> list[SegmentLine]:
    """Every segment in order."""
    segment, disc = schema.segment.c, schema.disc.c
    place = schema.whereabouts.c.place
    outside = case((place.is_(None) | place.like("the robot's %"), ""), else_=place)
    copies = (
        select(disc.segment, func.count().label("count"), func.count(outside.distinct()).label("places"))
        .outerjoin_from(schema.disc, schema.whereabouts, schema.whereabouts.c.disc == disc.id)
        .where(disc.state == DiscState.VERIFIED)
        .group_by(disc.segment)
        .subquery()
    )
    query = (
        select(
            segment.id,
            segment.label,
            segment.state,
            segment.media,
            segment.payload_bytes,
            segment.image_size,
            func.coalesce(copies.c.count, 0),
            segment.copies,
            func.coalesce(copies.c.places, 0),
            func.coalesce(segment.places, 1),
        )
        .select_from(schema.segment)
        .outerjoin(copies, copies.c.segment == segment.id)
        .order_by(segment.id)
    )
    return [
        SegmentLine(
            SegmentId(row[0]), row[1], SegmentState(row[2]), row[3], row[4], row[5], row[6], row[7], row[8], row[9]
        )
        for row in connection.execute(query)
    ]


def segments_to_build(connection: Connection, wanted: Sequence[SegmentId] | None) -> list[SegmentLine]:
    """The segments asked for by number; None means all that are not archived.

    Raises:
        NotFound: a number is no segment.
    """
    there = {line.id: line for line in segments(connection)}
    if wanted is None:
        made = paritysets.parity_segments(connection)  # by the librarian, from the images of their set
        return [line for line in there.values() if line.state is not SegmentState.ARCHIVED and line.id not in made]
    for number in wanted:
        if number not in there:
            raise NotFound(f"there is no segment {number}; `odarchive info` lists them")
    return [there[number] for number in wanted]


def discs_used(connection: Connection) -> dict[SegmentId, int]:
    """Media that burns of each segment took, spoiled ones included."""
    disc = schema.disc.c
    unused = (DiscState.INTENDED, DiscState.ABANDONED)
    query = select(disc.segment, func.count()).where(disc.state.not_in(unused)).group_by(disc.segment)
    return {SegmentId(row[0]): row[1] for row in connection.execute(query)}


def burn_rates(connection: Connection) -> dict[str, float]:
    """Bytes a second of the burns so far by kind of medium, the image's making included; without very short ones."""
    segment, disc = schema.segment.c, schema.disc.c
    seconds = func.sum(disc.burned_ns - disc.created_ns) / 1e9
    query = (
        select(segment.media, func.sum(disc.image_size) / seconds)
        .join_from(schema.disc, schema.segment, segment.id == disc.segment)
        .where(disc.burned_ns - disc.created_ns > _SHORT_NS)
        .group_by(segment.media)
    )
    return {row[0]: float(row[1]) for row in connection.execute(query)}
