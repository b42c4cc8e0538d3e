"""Plans that nobody began to carry out: they may be made anew, together with what is new."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from odarchive.catalogue import schema
from odarchive.catalogue.database import driver
from odarchive.catalogue.paritysets import DATA
from odarchive.catalogue.plans import Planned, planned
from odarchive.model import SegmentId, SegmentState

_e, _p, _s, _m = schema.entry.c, schema.piece.c, schema.segment.c, schema.parity_member.c


def stamp(connection: Connection) -> tuple[int, ...]:
    """Differs when anything has changed that a plan is made from; reads every entry once."""
    row = driver(connection).execute(
        "SELECT (SELECT count(*) FROM entry), (SELECT coalesce(sum(until), 0) FROM entry),"
        " (SELECT coalesce(sum(carrier), 0) FROM entry WHERE content IS NULL),"
        " (SELECT count(*) FROM content), (SELECT coalesce(max(id), 0) FROM content),"
        " (SELECT count(*) FROM snapshot), (SELECT coalesce(sum(finished_ns / 1000000), 0) FROM snapshot),"
        " (SELECT count(*) FROM snapshot WHERE state = 'complete'),"
        " (SELECT count(*) FROM piece), (SELECT count(*) FROM foreign_place), (SELECT count(*) FROM segment),"
        " (SELECT coalesce(max(id), 0) FROM segment), (SELECT count(image_size) FROM segment),"
        " (SELECT count(*) FROM disc), (SELECT coalesce(max(id), 0) FROM job)"
    )
    return tuple(row.fetchone())


def payload(connection: Connection, numbers: Sequence[SegmentId]) -> int:
    """Bytes of contents on these segments."""
    total = select(func.coalesce(func.sum(_p.length), 0)).where(_p.segment.in_(numbers))
    return int(connection.execute(total).scalar_one())


def reopenable(
    connection: Connection, *, copies: int | None, places: int | None, parity: tuple[int, int] | None
) -> list[Planned]:
    """Segments that are nothing but plans, without image, disc or job, and with these wishes; by number.

    ``parity``: data and parity discs of a set. A plan without leaves alone what is in a set, and one with it takes from
    sets of this shape which nobody closed: the parity discs planned for a set are for the data discs it has.
    """
    rows = connection.execute(
        select(_s.id, _s.label, _s.state, _s.media, _s.capacity, _s.planned_bytes, _s.created_ns, _s.ecc_size)
        .where(
            _s.state == SegmentState.PLANNED,
            _s.copies.is_not_distinct_from(copies),
            _s.places.is_not_distinct_from(places),
            _s.image_size.is_(None),
            _in_sets(parity),
            _s.id.not_in(select(schema.disc.c.segment)),
            _s.id.not_in(select(schema.job.c.segment).where(schema.job.c.segment.is_not(None))),
        )
        .order_by(_s.id)
    )
    return [planned(row) for row in rows]


def _in_sets(parity: tuple[int, int] | None) -> ColumnElement[bool]:
    if parity is None:
        return _s.id.not_in(select(_m.segment))
    sets = schema.parity_set.c
    shape = (sets.data == parity[0], sets.parity == parity[1], sets.closed_ns.is_(None))
    joined = schema.parity_member.join(schema.parity_set, _m.parity_set == sets.id)
    return _s.id.in_(select(_m.segment).select_from(joined).where(_m.kind == DATA, *shape))


def reopen(connection: Connection, numbers: Sequence[SegmentId]) -> None:
    """Take back these plans: what they hold is on no segment again."""
    connection.execute(delete(schema.piece).where(_p.segment.in_(numbers)))
    connection.execute(update(schema.entry).where(_e.carrier.in_(numbers), _e.content.is_(None)).values(carrier=None))
    connection.execute(delete(schema.parity_member).where(schema.parity_member.c.segment.in_(numbers)))
    connection.execute(delete(schema.segment).where(_s.id.in_(numbers)))
