"""Sets of segments that get parity discs: which segments belong together, and what a set still waits for.

A set takes data segments until it has as many as it is for; then, or when a person closes it, its parity discs are made
and burned. Until these are verified the images of its data segments stay in staging. Not for the code itself
(``odarchive.parity``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, insert, select, update

from odarchive.catalogue import discs, schema
from odarchive.catalogue.discs import Segment
from odarchive.errors import NotFound
from odarchive.model import DiscState, SegmentId, SegmentState

DATA, PARITY = "data", "parity"
_s, _m = schema.parity_set.c, schema.parity_member.c


@dataclass(frozen=True, slots=True)
class ParitySet:
    """A set: ``size`` data discs are the most, ``data`` the ones it has."""

    id: int
    uuid: str
    size: int
    created_ns: int
    closed: bool
    """It takes no more data discs: it is full, or a person closed it."""
    data: tuple[Segment, ...]
    parity: tuple[Segment, ...]

    @property
    def made(self) -> bool:
        """Whether all its parity discs are verified."""
        return all(segment.state is SegmentState.ARCHIVED for segment in self.parity)


@dataclass(frozen=True, slots=True)
class NewSet:
    """What a set is begun with. ``capacity`` in bytes."""

    uuid: str
    data: int
    parity: int
    capacity: int
    created_ns: int


def open_set(connection: Connection, data: int, parity: int, capacity: int) -> tuple[int, int] | None:
    """A set of this shape that takes more: its number, and how many more."""
    there = func.count(_m.segment)
    query = (
        select(_s.id, there)
        .outerjoin_from(schema.parity_set, schema.parity_member, (_m.parity_set == _s.id) & (_m.kind == DATA))
        .where(_s.data == data, _s.parity == parity, _s.capacity == capacity, _s.closed_ns.is_(None))
        .group_by(_s.id)
        .having(there < data)
        .order_by(_s.id)
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else (row[0], data - row[1])


def room(connection: Connection, data: int, parity: int, capacity: int, without: Collection[SegmentId]) -> int:
    """How many discs the sets of this shape would take, if they had not the segments ``without``."""
    shape = (_s.data == data, _s.parity == parity, _s.capacity == capacity, _s.closed_ns.is_(None))
    query = (
        select(_s.id, _m.segment)
        .outerjoin_from(schema.parity_set, schema.parity_member, (_m.parity_set == _s.id) & (_m.kind == DATA))
        .where(*shape)
    )
    rows = connection.execute(query).all()
    return data * len({row[0] for row in rows}) - sum(row[1] is not None and row[1] not in without for row in rows)


def begin(connection: Connection, new: NewSet) -> int:
    """A new set without discs; returns its number."""
    row = insert(schema.parity_set).values(
        uuid=new.uuid, data=new.data, parity=new.parity, capacity=new.capacity, created_ns=new.created_ns
    )
    key = connection.execute(row).inserted_primary_key
    assert key is not None  # noqa: S101  the driver returns the rowid of every single-row insert
    return int(key[0])


def add(connection: Connection, number: int, segments: Sequence[SegmentId], kind: str) -> None:
    """Put segments into a set."""
    rows = [{"segment": segment, "parity_set": number, "kind": kind} for segment in segments]
    if rows:
        connection.execute(insert(schema.parity_member), rows)


def close(connection: Connection, number: int, *, now_ns: int) -> None:
    """A set takes no more data discs; its parity discs can be made as soon as those it has are burned.

    Raises:
        NotFound: there is no such set.
    """
    if connection.execute(update(schema.parity_set).where(_s.id == number).values(closed_ns=now_ns)).rowcount != 1:
        raise NotFound(f"there is no parity set {number}; `odarchive parity-set list` lists them")


def every(connection: Connection) -> list[ParitySet]:
    """All sets, oldest first."""
    return _sets(connection, select(_s.id, _s.uuid, _s.data, _s.created_ns, _s.closed_ns).order_by(_s.id))


def of(connection: Connection, segment: SegmentId, kind: str) -> ParitySet | None:
    """The set a segment belongs to as one of its data or parity discs."""
    number = select(_m.parity_set).where(_m.segment == segment, _m.kind == kind).scalar_subquery()
    query = select(_s.id, _s.uuid, _s.data, _s.created_ns, _s.closed_ns).where(_s.id == number)
    return next(iter(_sets(connection, query)), None)


def _sets(connection: Connection, query: Select[int, str, int, int, int | None]) -> list[ParitySet]:
    found = []
    for row in connection.execute(query).all():
        data, parity = (_segments(connection, row[0], kind) for kind in (DATA, PARITY))
        closed = row[4] is not None or len(data) >= row[2]
        found.append(ParitySet(row[0], row[1], row[2], row[3], closed, data, parity))
    return found


def keeps_image(connection: Connection, segment: SegmentId) -> bool:
    """Whether an image stays in staging although its disc is verified: parity is still to be made from it."""
    found = of(connection, segment, DATA)
    return found is not None and not found.made


def makers(connection: Connection, segment: SegmentId) -> dict[str, tuple[int, int]]:
    """Who made the discs that a new disc of a segment should not fail together with, as far as that is known.

    For each maker: how many discs of the segment itself can be read or are being burned, and how many of the parity
    set it belongs to (its own among them).
    """
    disc = schema.disc.c
    own = select(_m.parity_set).where(_m.segment == segment).scalar_subquery()
    beside = select(_m.segment).where(_m.parity_set == own)
    query = select(disc.profile, disc.segment).where(
        disc.state.in_([*discs.READABLE, DiscState.INTENDED, DiscState.WRITTEN]),
        (disc.segment == segment) | disc.segment.in_(beside),
    )
    found: dict[str, tuple[int, int]] = {}
    for row in connection.execute(query):
        if maker := row[0].partition(" ")[2]:  # `robot.ports.Medium.kind`
            copies, members = found.get(maker, (0, 0))
            found[maker] = (copies + (row[1] == segment), members + 1)
    return found


def not_yet(connection: Connection) -> set[SegmentId]:
    """Parity segments that cannot be made yet, because their set takes more data discs."""
    return {segment.id for one in every(connection) if not one.closed or not one.data for segment in one.parity}


def parity_segments(connection: Connection) -> set[SegmentId]:
    """All segments that are parity."""
    return {SegmentId(one) for one in connection.scalars(select(_m.segment).where(_m.kind == PARITY))}


def _segments(connection: Connection, number: int, kind: str) -> tuple[Segment, ...]:
    query: Select[int] = select(_m.segment).where(_m.parity_set == number, _m.kind == kind).order_by(_m.segment)
    return tuple(discs.segment(connection, SegmentId(one)) for one in connection.scalars(query))
