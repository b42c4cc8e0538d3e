"""Burn attempts and the copies they become; which disc lies in which slot; where to read a content.

The rule the rest relies on: a disc is VERIFIED only by :func:`verified`, which is called after a whole read-back, and
only that makes its segment archived and its files visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, Select, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from odarchive.catalogue import motions, schema
from odarchive.catalogue.publish import publish
from odarchive.errors import NotFound
from odarchive.model import ContentId, DiscId, DiscState, Extent, SegmentId, SegmentState, SlotState

READABLE = (DiscState.VERIFIED, DiscState.SUSPECT, DiscState.MISSING)


@dataclass(frozen=True, slots=True)
class Disc:
    """One burn attempt."""

    id: DiscId
    uuid: str
    segment: SegmentId
    label: str
    state: DiscState
    image_size: int
    digest: bytes
    drive: int | None
    slot: int | None
    """The slot it lies in or belongs to while it is in a drive; None if nobody knows."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What a burn needs to know of a segment."""

    id: SegmentId
    label: str
    state: SegmentState
    capacity: int
    planned_bytes: int
    image_size: int | None
    image_digest: bytes | None
    ecc_size: int | None = None

    @property
    def disc_size(self) -> int | None:
        """Bytes of its discs: the image, and what error correction puts behind it; None until imaged."""
        return None if self.image_size is None else self.ecc_size or self.image_size


@dataclass(frozen=True, slots=True)
class Slot:
    """What is believed of one slot."""

    number: int
    state: SlotState
    disc: DiscId | None
    blank: motions.Blank = field(default_factory=motions.Blank)
    """What a drive has told of its blank, if that is what it holds."""


def segment(connection: Connection, number: SegmentId) -> Segment:
    """One segment. It exists: jobs and discs refer to it by foreign key."""
    return _segment(connection.execute(_segments().where(schema.segment.c.id == number)).one())


def segment_by_label(connection: Connection, label: str) -> Segment | None:
    """The segment with this label."""
    row = connection.execute(_segments().where(schema.segment.c.label == label)).one_or_none()
    return None if row is None else _segment(row)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of a burn attempt before its first byte."""

    uuid: str
    label: str
    digest: bytes
    """BLAKE3 of the stamped image, which the read-back must give."""
    drive: int
    profile: str


def intend(connection: Connection, of: Segment, attempt: Attempt, *, now_ns: int) -> DiscId:
    """Record a burn attempt before its first byte; its slot is recorded by :func:`place`."""
    row = insert(schema.disc).values(
        uuid=attempt.uuid,
        segment=of.id,
        label=attempt.label,
        state=DiscState.INTENDED,
        image_size=of.disc_size,
        digest=attempt.digest,
        drive=attempt.drive,
        profile=attempt.profile,
        created_ns=now_ns,
    )
    key = connection.execute(row).inserted_primary_key
    assert key is not None  # noqa: S101  the driver returns the rowid of every single-row insert
    return DiscId(key[0])


def set_state(connection: Connection, disc: DiscId, state: DiscState, *, note: str = "") -> None:
    """Record what is known of an attempt; VERIFIED goes through :func:`verified` alone."""
    connection.execute(update(schema.disc).where(schema.disc.c.id == disc).values(state=state, note=note))


def suspect(connection: Connection, disc: DiscId, note: str) -> None:
    """A read of a copy failed; one that was given up meanwhile stays so."""
    c = schema.disc.c
    proven = c.state.in_([state.value for state in READABLE])
    connection.execute(update(schema.disc).where(c.id == disc, proven).values(state=DiscState.SUSPECT, note=note))


def written(connection: Connection, disc: DiscId, *, now_ns: int) -> None:
    """The burner ended well. Nothing is believed yet."""
    values = {"state": DiscState.WRITTEN, "burned_ns": now_ns}
    connection.execute(update(schema.disc).where(schema.disc.c.id == disc).values(values))


def verified(connection: Connection, disc: DiscId, *, copies: int, now_ns: int) -> bool:
    """The whole disc was read back and is right: it is a copy now.

    Its segment counts as archived when it has as many of them as are wanted (``copies``, unless its plan says), and
    its files become visible.

    Returns:
        Whether the segment is archived now.
    """
    table = schema.disc
    values = {"state": DiscState.VERIFIED, "verified_ns": now_ns, "note": ""}
    connection.execute(update(table).where(table.c.id == disc).values(values))
    number = SegmentId(connection.scalars(select(table.c.segment).where(table.c.id == disc)).one())
    enough = len(copies_of(connection, number)) >= wanted(connection, number, copies)
    if enough:
        connection.execute(
            update(schema.segment).where(schema.segment.c.id == number).values(state=SegmentState.ARCHIVED, seal=None)
        )
    publish(connection, number)
    return enough


def by_uuid(connection: Connection, uuid: str) -> Disc | None:
    """The attempt that wrote this id on its medium, if it is ours."""
    row = connection.execute(_discs().where(schema.disc.c.uuid == uuid)).one_or_none()
    return None if row is None else _disc(row)


def get(connection: Connection, disc: DiscId) -> Disc:
    """One attempt by key."""
    return _disc(connection.execute(_discs().where(schema.disc.c.id == disc)).one())


def unsettled(connection: Connection) -> list[Disc]:
    """Attempts of which it is not known how they ended, oldest first."""
    states = [DiscState.INTENDED.value, DiscState.WRITTEN.value]
    query = _discs().where(schema.disc.c.state.in_(states)).order_by(schema.disc.c.id)
    return [_disc(row) for row in connection.execute(query)]


def wanted(connection: Connection, number: SegmentId, copies: int) -> int:
    """How many verified discs a segment is to have: what its plan says, else ``copies``."""
    said = connection.scalar(select(schema.segment.c.copies).where(schema.segment.c.id == number))
    return int(said or copies)


def copies_of(connection: Connection, number: SegmentId) -> list[Disc]:
    """Verified discs of a segment, oldest first."""
    query = _discs().where(schema.disc.c.segment == number, schema.disc.c.state == DiscState.VERIFIED)
    return [_disc(row) for row in connection.execute(query.order_by(schema.disc.c.id))]


def free_label(connection: Connection, of: Segment) -> str:
    """The label of the next copy: LABEL, LABEL_2, ..., the first that no disc has which is or was a copy."""
    table = schema.disc
    states = [state.value for state in READABLE]
    rows = connection.scalars(select(table.c.label).where(table.c.segment == of.id, table.c.state.in_(states)))
    taken = set(rows)
    names = (of.label if number == 1 else f"{of.label}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def missing(connection: Connection) -> list[Disc]:
    """Discs that carry data (or may: attempts whose end is not known) of which nobody knows where they are."""
    states = [state.value for state in (*READABLE, DiscState.INTENDED, DiscState.WRITTEN)]
    in_drive = schema.whereabouts.c.place.like("the robot's drive %")  # it was, when that was written
    outside = select(schema.whereabouts.c.disc).where(~in_drive)
    query = _discs().where(
        schema.disc.c.state.in_(states), schema.slot.c.number.is_(None), schema.disc.c.id.not_in(outside)
    )
    return [_disc(row) for row in connection.execute(query.order_by(schema.disc.c.id))]


def known_of(connection: Connection, number: SegmentId) -> list[Disc]:
    """Discs of a segment that are or were copies, oldest first."""
    states = [state.value for state in READABLE]
    query = _discs().where(schema.disc.c.segment == number, schema.disc.c.state.in_(states))
    return [_disc(row) for row in connection.execute(query.order_by(schema.disc.c.id))]


def readable_of(connection: Connection, number: SegmentId) -> list[Disc]:
    """Discs worth reading from: verified ones first, then those a read failed on (other sectors may be well)."""
    states = [DiscState.VERIFIED.value, DiscState.SUSPECT.value]
    query = _discs().where(schema.disc.c.segment == number, schema.disc.c.state.in_(states))
    found = [_disc(row) for row in connection.execute(query.order_by(schema.disc.c.id))]
    return sorted(found, key=lambda disc: disc.state is DiscState.SUSPECT)


def slots(connection: Connection) -> dict[int, Slot]:
    """What is believed of every slot ever seen."""
    c = schema.slot.c
    rows = connection.execute(select(c.number, c.state, c.disc, c.maker, c.capacity))
    return {
        row[0]: Slot(
            row[0], SlotState(row[1]), None if row[2] is None else DiscId(row[2]), motions.Blank(row[3], row[4])
        )
        for row in rows
    }


def place(
    connection: Connection, number: int, state: SlotState, disc: DiscId | None, evidence: str, *, now_ns: int
) -> None:
    """Record what lies in a slot (or belongs there while it is in a drive), on the evidence of its label."""
    motions.put_slot(connection, number, state, disc, evidence, now_ns=now_ns)


def accuse_blank(connection: Connection, number: int, evidence: str, *, now_ns: int) -> bool:
    """A slot's blank cannot be written; False, and nothing is recorded, if the slot is not believed to hold one."""
    belief = slots(connection).get(number)
    if belief is None or belief.state is not SlotState.BLANK or belief.disc is not None:
        return False
    motions.put_slot(connection, number, SlotState.UNREADABLE, None, evidence, now_ns=now_ns)
    return True


def place_again(connection: Connection, number: int, disc: DiscId, *, now_ns: int) -> None:
    """A disc whose slot was not known was put into one."""
    state = get(connection, disc).state
    kind = SlotState.SPOILED if state is DiscState.SPOILED else SlotState.DISC
    motions.put_slot(connection, number, kind, disc, "put here from a drive", now_ns=now_ns)


def put_outside(connection: Connection, disc: DiscId, place: str, *, now_ns: int) -> None:
    """A person says that a disc is outside of the robot, and where. No slot holds it then."""
    values = {"place": place, "since_ns": now_ns}
    row = upsert(schema.whereabouts).values(disc=disc, **values)
    slot = update(schema.slot).where(schema.slot.c.disc == disc)
    connection.execute(slot.values(state=SlotState.UNKNOWN, disc=None, evidence=f"its disc is said to be: {place}"))
    connection.execute(row.on_conflict_do_update(index_elements=["disc"], set_=values))


def outside(connection: Connection) -> dict[DiscId, str]:
    """Where the discs are that are outside of the robot, in people's words."""
    table = schema.whereabouts
    return {DiscId(row[0]): row[1] for row in connection.execute(select(table.c.disc, table.c.place))}


def outside_labels(connection: Connection) -> dict[str, str]:
    """The same by label."""
    known = labels(connection)
    return {known[disc]: place for disc, place in outside(connection).items()}


def everyone(connection: Connection) -> list[Disc]:
    """All attempts, oldest first."""
    return [_disc(row) for row in connection.execute(_discs().order_by(schema.disc.c.id))]


def find(connection: Connection, name: str) -> Disc:
    """The disc a person names: by label, by id on the disc or its beginning, by what the code on its label says.

    Raises:
        NotFound: no disc, or more than one, goes by that name.
    """
    digits = name.removeprefix("ODA:").replace("-", "").lower()
    known = [
        disc
        for disc in everyone(connection)
        if name == disc.label or (digits and disc.uuid.replace("-", "").startswith(digits))
    ]
    counting = [disc for disc in known if disc.state in READABLE] or known
    if len(counting) != 1:
        raise NotFound(f"{len(counting)} discs are called {name!r}; `odarchive disc list` lists them with their ids")
    return counting[0]


def extents(connection: Connection, content: ContentId) -> list[Extent]:
    """Where a content lies, by offset; empty if no disc was ever verified that carries it.

    What lies on missing discs alone is there as well if a parity set can make it again.
    """
    c, s = schema.piece.c, schema.disc.c
    kept = select(schema.parity_member.c.segment)
    there = s.state.in_([DiscState.VERIFIED.value, DiscState.SUSPECT.value])
    good = select(s.segment).where(there | ((s.state == DiscState.MISSING.value) & s.segment.in_(kept)))
    query = (
        select(c.segment, c.start, c.length, c.sector)
        .where(c.content == content, c.sector.is_not(None), c.segment.in_(good))
        .order_by(c.start)
    )
    return [Extent(SegmentId(row[0]), row[1], row[2], row[3]) for row in connection.execute(query)]


def following(
    connection: Connection, number: SegmentId, sector: int, limit: int
) -> Sequence[tuple[ContentId, bytes, int, Extent]]:
    """The next whole contents on a segment after a sector, in sector order: (content, digest, size, extent)."""
    c, k = schema.piece.c, schema.content.c
    query = (
        select(k.id, k.digest, k.size, c.start, c.length, c.sector)
        .join_from(schema.piece, schema.content, k.id == c.content)
        .where(c.segment == number, c.sector > sector, c.length == k.size)
        .order_by(c.sector)
        .limit(limit)
    )
    return [
        (ContentId(row[0]), row[1], row[2], Extent(number, row[3], row[4], row[5])) for row in connection.execute(query)
    ]


def content(connection: Connection, number: ContentId) -> tuple[bytes, int] | None:
    """Digest and size of a content."""
    c = schema.content.c
    row = connection.execute(select(c.digest, c.size).where(c.id == number)).one_or_none()
    return None if row is None else (row[0], row[1])


def event(
    connection: Connection, kind: str, message: str, *, now_ns: int, disc: DiscId | None = None, job: int | None = None
) -> None:
    """Write one line into the archive's diary."""
    connection.execute(insert(schema.event).values(at_ns=now_ns, kind=kind, message=message, disc=disc, job=job))


def events(connection: Connection, disc: DiscId) -> Sequence[tuple[int, str, str]]:
    """What happened to a disc, oldest first: (when in ns since the epoch, kind, message)."""
    table = schema.event
    query = select(table.c.at_ns, table.c.kind, table.c.message).where(table.c.disc == disc).order_by(table.c.id)
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def labels(connection: Connection) -> dict[DiscId, str]:
    """The labels of all attempts."""
    return {DiscId(row[0]): row[1] for row in connection.execute(select(schema.disc.c.id, schema.disc.c.label))}


def tally(connection: Connection) -> dict[str, int]:
    """How many discs there are in each state."""
    query = select(schema.disc.c.state, func.count()).group_by(schema.disc.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


_DiscRow = Row[int, str, int, str, str, int, bytes, int | None, int | None]


def _discs() -> Select[int, str, int, str, str, int, bytes, int | None, int | None]:
    c = schema.disc.c
    return select(
        c.id, c.uuid, c.segment, c.label, c.state, c.image_size, c.digest, c.drive, schema.slot.c.number
    ).join_from(schema.disc, schema.slot, schema.slot.c.disc == c.id, isouter=True)


def _disc(row: _DiscRow) -> Disc:
    return Disc(DiscId(row[0]), row[1], SegmentId(row[2]), row[3], DiscState(row[4]), row[5], row[6], row[7], row[8])


_SegmentRow = Row[int, str, str, int, int, int | None, bytes | None, int | None]


def _segments() -> Select[int, str, str, int, int, int | None, bytes | None, int | None]:
    c = schema.segment.c
    return select(c.id, c.label, c.state, c.capacity, c.planned_bytes, c.image_size, c.image_digest, c.ecc_size)


def _segment(row: _SegmentRow) -> Segment:
    return Segment(SegmentId(row[0]), row[1], SegmentState(row[2]), row[3], row[4], row[5], row[6], row[7])


BATCH, BAD = 20, 3
"""Of the newest ``BATCH`` discs of one kind and maker ``BAD`` spoiled ones make a bad batch: 1 to 3 % are usual."""


def batch_warning(connection: Connection, number: DiscId) -> str | None:
    """What to tell a person when discs of a spoiled disc's maker fail too often; at each ``BAD`` of them once."""
    c = schema.disc.c
    profile = connection.scalar(select(c.profile).where(c.id == number)) or ""
    if " " not in profile:
        return None  # the maker is not known
    ended = [DiscState.INTENDED.value, DiscState.WRITTEN.value, DiscState.ABANDONED.value]
    newest = select(c.state).where(c.profile == profile, c.state.not_in(ended)).order_by(c.id.desc()).limit(BATCH)
    states = list(connection.scalars(newest))
    spoiled = states.count(DiscState.SPOILED.value)
    if spoiled < BAD or spoiled % BAD:
        return None
    return (
        f"{spoiled} of the last {len(states)} discs of the kind {profile} were spoiled: "
        "take blanks of another batch or maker, or clean the drive's lens"
    )
