"""Verifications: jobs that ask for them, what each found, and what is known of every disc's health over time.

A disc that was read back right is VERIFIED (again); one with an unreadable or wrong byte, or that needs too many second
tries, is SUSPECT, and says what to do. Not for burning: what a burn proves is ``discs.verified``.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, Select, func, insert, literal, not_, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from odarchive.catalogue import discs, machine, schema, seals
from odarchive.errors import NotFound
from odarchive.model import SECTOR, ContentId, DiscId, DiscState, JobId, JobKind, JobState, SegmentId, SegmentState
from odarchive.seal.sizes import sealed_size

RETRY_LIMIT = 0.01
"""Share of sectors that came only at the second try, from which on a disc is copied while it still can be."""
SLOW = 0.5
"""Share of the best speed in the same drive, below which a person is told."""
AVOID_BURNER_NS = 600 * 10**9
"""How long a verification waits for another drive than the one that burned the disc."""

_OPEN = (JobState.QUEUED.value, JobState.RUNNING.value, JobState.WAITING.value)
_WORTH = (DiscState.VERIFIED.value, DiscState.SUSPECT.value)


class Outcome(StrEnum):
    """What a verification found."""

    RIGHT = "right"
    WEAK = "weak"
    """All bytes are right, but too many came at the second try only."""
    DAMAGED = "damaged"
    """Bytes are unreadable or wrong."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One verification. ``sample``: percent asked for, None: everything; sectors have 2,048 bytes."""

    disc: DiscId
    at_ns: int
    drive: int | None
    sample: int | None
    outcome: Outcome
    bytes_read: int
    elapsed_ns: int
    retries: int
    """Sectors that came at the second try only."""
    unreadable: int
    """Sectors that did not come."""
    damaged: int
    """Contents with an unreadable or wrong byte."""
    note: str = ""

    @property
    def speed(self) -> float:
        """Bytes per second."""
        return self.bytes_read * 1e9 / max(self.elapsed_ns, 1)


@dataclass(frozen=True, slots=True)
class Health:
    """A disc and when it was last looked at."""

    id: DiscId
    uuid: str
    label: str
    segment: SegmentId
    state: DiscState
    slot: int | None
    profile: str
    burned_ns: int | None
    verified_ns: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A range of a content on a segment, with what the content is; of an encrypted disc, the age file in its place."""

    content: ContentId
    length: int
    sector: int
    digest: bytes
    size: int


def placed(connection: Connection, segment: SegmentId) -> list[Placed]:
    """Everything on a segment, by sector."""
    p, c = schema.piece.c, schema.content.c
    count = len(seals.recipients(connection))
    rows = connection.execute(
        select(p.content, p.length, p.sector, c.digest, c.size, p.stored_digest)
        .join(schema.content, c.id == p.content)
        .where(p.segment == segment, p.sector.is_not(None))
        .order_by(p.sector)
    )
    found = []
    for content, length, sector, digest, size, stored in rows:
        on_disc = length if stored is None else sealed_size(length, count)
        whole = size if stored is None else on_disc
        found.append(Placed(ContentId(content), on_disc, sector or 0, digest if stored is None else stored, whole))
    return found


def judge(bytes_asked: int, retries: int, unreadable: int, damaged: int, limit: float = RETRY_LIMIT) -> Outcome:
    """The outcome by the thresholds; ``limit``: the share of second tries that is still well, 0: any is."""
    if unreadable or damaged:
        return Outcome.DAMAGED
    return Outcome.WEAK if limit and retries * SECTOR > bytes_asked * limit else Outcome.RIGHT


def enqueue(connection: Connection, wanted: Iterable[DiscId], sample: int | None, *, now_ns: int) -> list[JobId]:
    """The open verification of each disc, made if there is none."""
    table = schema.job
    found = []
    for disc in wanted:
        there = connection.scalar(
            select(table.c.id).where(table.c.kind == JobKind.VERIFY, table.c.disc == disc, table.c.state.in_(_OPEN))
        )
        if there is None:
            row = insert(table).values(
                kind=JobKind.VERIFY,
                state=JobState.QUEUED,
                disc=disc,
                sample=sample,
                created_ns=now_ns,
                updated_ns=now_ns,
            )
            key = connection.execute(row).inserted_primary_key
            assert key is not None  # noqa: S101  the driver returns the rowid of every single-row insert
            there = key[0]
        found.append(JobId(there))
    return found


def waits(connection: Connection) -> bool:
    """Whether :func:`claim` might find something."""
    table = schema.job
    query = select(table.c.id).where(table.c.kind == JobKind.VERIFY, table.c.state == JobState.QUEUED).limit(1)
    return connection.scalar(query) is not None and not machine.paused(connection)


def claim(
    connection: Connection, drive: int, busy: Collection[DiscId], taken: Collection[int], *, alone: bool, now_ns: int
) -> tuple[JobId, DiscId, int | None] | None:
    """The oldest queued verification that this drive should do, now running: (job, disc, sample).

    The drive that burned a disc reads it best, so another one judges it, if there is one and it is free in time.
    ``busy``: discs that are in other drives; ``taken``: slots whose discs are on their way to or from other drives.
    """
    table, slot = schema.job, schema.slot
    moving = select(slot.c.disc).where(slot.c.number.in_(taken), slot.c.disc.is_not(None))
    there = table.c.disc.not_in(busy) & table.c.disc.not_in(moving)
    query = _queued().where(there, or_(literal(alone), _not_the_burner(drive, now_ns)))
    row = connection.execute(query.order_by(table.c.id).limit(1)).one_or_none()
    if row is None or row[1] is None:
        return None
    connection.execute(update(table).where(table.c.id == row[0]).values(state=JobState.RUNNING, updated_ns=now_ns))
    return JobId(row[0]), DiscId(row[1]), row[2]


def wanted_elsewhere(connection: Connection, drive: int, disc: DiscId, *, now_ns: int) -> bool:
    """Whether a disc in this drive is to be judged by another one, so that this one should take it home."""
    query = _queued().where(schema.job.c.disc == disc, not_(_not_the_burner(drive, now_ns))).limit(1)
    return connection.execute(query).one_or_none() is not None


def _queued() -> Select[int, int | None, int | None]:
    table = schema.job
    return (
        select(table.c.id, table.c.disc, table.c.sample)
        .join(schema.disc, schema.disc.c.id == table.c.disc)
        .where(table.c.kind == JobKind.VERIFY, table.c.state == JobState.QUEUED)
    )


def _not_the_burner(drive: int, now_ns: int) -> ColumnElement[bool]:
    burner, asked = schema.disc.c.drive, schema.job.c.created_ns
    return or_(func.coalesce(burner, -1) != drive, asked < now_ns - AVOID_BURNER_NS)


def record(connection: Connection, reading: Reading, digest: bytes | None) -> None:
    """Write a verification down and draw the consequence for the disc; ``digest``: of the whole image, if taken."""
    connection.execute(
        insert(schema.fixity).values(
            disc=reading.disc,
            at_ns=reading.at_ns,
            drive=reading.drive,
            sample=reading.sample,
            outcome=reading.outcome,
            bytes=reading.bytes_read,
            elapsed_ns=reading.elapsed_ns,
            retries=reading.retries,
            unreadable=reading.unreadable,
            damaged=reading.damaged,
            note=reading.note,
        )
    )
    table = schema.disc
    values: dict[str, object] = {}
    if reading.outcome is not Outcome.RIGHT:
        values = {"state": DiscState.SUSPECT, "note": reading.note}
    elif reading.sample is None:
        values = {"state": DiscState.VERIFIED, "note": "", "verified_ns": reading.at_ns}
        if digest is not None:
            values["digest"] = digest
    if values:
        connection.execute(update(table).where(table.c.id == reading.disc).values(values))
    discs.event(
        connection,
        f"fixity-{reading.outcome}",
        reading.note or "read back right",
        now_ns=reading.at_ns,
        disc=reading.disc,
    )


def wants_copy(connection: Connection, label: str) -> SegmentId:
    """An image of a disc's segment lies in staging again: its segment counts as imaged, so that it can be burned.

    Raises:
        NotFound: no segment has this label.
    """
    table = schema.segment
    number = connection.scalar(select(table.c.id).where(table.c.label == label, table.c.image_size.is_not(None)))
    if number is None:
        raise NotFound(f"no segment of the archive is called {label}")
    connection.execute(update(table).where(table.c.id == number).values(state=SegmentState.IMAGED))
    return SegmentId(number)


def trend(connection: Connection, disc: DiscId) -> list[Reading]:
    """Every verification of a disc, oldest first."""
    c = schema.fixity.c
    rows = connection.execute(
        select(
            c.disc,
            c.at_ns,
            c.drive,
            c.sample,
            c.outcome,
            c.bytes,
            c.elapsed_ns,
            c.retries,
            c.unreadable,
            c.damaged,
            c.note,
        )
        .where(c.disc == disc)
        .order_by(c.id)
    )
    return [Reading(DiscId(r[0]), r[1], r[2], r[3], Outcome(r[4]), r[5], r[6], r[7], r[8], r[9], r[10]) for r in rows]


def slowed(readings: Sequence[Reading]) -> float | None:
    """How fast the last reading was against the best one in the same drive; None: nothing to compare."""
    if not readings:
        return None
    last = readings[-1]
    best = max((reading.speed for reading in readings[:-1] if reading.drive == last.drive), default=0.0)
    return last.speed / best if best else None


def advice(health: Health, readings: Sequence[Reading]) -> str:
    """What a person should do about a disc; empty: nothing."""
    if health.state is DiscState.SUSPECT:
        if readings and readings[-1].outcome is Outcome.WEAK:
            return f"copy it while it can be read: `odarchive repair {health.label}`"
        first = "clean it" if health.slot is not None else "put it into the robot"
        return f"{first} and `odarchive verify {health.label}`; if that is no use: `odarchive repair {health.label}`"
    if health.state is DiscState.MISSING:
        return "look for it; until it is found it counts as no copy"
    share = slowed(readings)
    if share is not None and share < SLOW:
        return f"it reads at {share:.0%} of its earlier speed in this drive; clean it and verify it again"
    return ""


def health(connection: Connection, *, names: Sequence[str] = ()) -> list[Health]:
    """Discs that are or were copies: all, or those named by label or uuid.

    Raises:
        NotFound: no disc has one of the names.
    """
    found = [_health(row) for row in connection.execute(_select().order_by(schema.disc.c.id))]
    if not names:
        return [one for one in found if one.state in (*_WORTH, DiscState.MISSING)]
    for name in names:
        if all(name not in (one.label, one.uuid) for one in found):
            raise NotFound(f"there is no disc {name}; `odarchive health` shows them")
    return [one for one in found if one.label in names or one.uuid in names]


def due(connection: Connection, before_ns: int) -> list[DiscId]:
    """Discs not read completely since a time, the longest unseen first."""
    table = schema.disc
    query = (
        select(table.c.id)
        .where(table.c.state.in_(_WORTH), func.coalesce(table.c.verified_ns, 0) < before_ns)
        .order_by(table.c.verified_ns, table.c.id)
    )
    return [DiscId(row[0]) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Standing:
    """A source as it is kept. Counts of present files with bytes, by the verified copies their bytes have at least."""

    source: bytes
    files: int
    by_copies: dict[int, int]
    checked: int
    """Verified copies of its discs that were read back completely since the time asked for."""
    discs: int
    """Verified copies of its discs."""

    @property
    def copies(self) -> int:
        """Copies that every file has."""
        return min(self.by_copies, default=0)

    @property
    def storage_level(self) -> int:
        """NDSA Levels of Digital Preservation 2.0, storage, as far as a catalogue can tell (places are not known)."""
        return 1 if self.copies >= 2 else 0

    @property
    def integrity_level(self) -> int:
        """The same, integrity: 2: digests are kept and every copy was read back; 3: and all of them in time."""
        return 0 if not self.discs else 3 if self.checked == self.discs else 2


def standings(connection: Connection, since_ns: int) -> list[Standing]:
    """Every source by name."""
    return [_standing(connection, number, name, since_ns) for number, name in _sources(connection)]


def _sources(connection: Connection) -> list[tuple[int, bytes]]:
    c = schema.source.c
    return [(row[0], row[1]) for row in connection.execute(select(c.id, c.name).order_by(c.name))]


def _standing(connection: Connection, source: int, name: bytes, since_ns: int) -> Standing:
    e, s, p, d = schema.entry.c, schema.snapshot.c, schema.piece.c, schema.disc.c
    present = (
        select(e.content, func.count().label("names"))
        .join(schema.snapshot, s.id == e.since)
        .where(s.source == source, s.state == "complete", e.until.is_(None), e.content.is_not(None))
        .group_by(e.content)
        .subquery()
    )
    copies = (
        select(d.segment, func.count().label("count"))
        .where(d.state == DiscState.VERIFIED)
        .group_by(d.segment)
        .subquery()
    )
    placed = (
        select(
            p.content,
            func.sum(p.length).label("bytes"),
            func.min(func.coalesce(copies.c.count, 0)).label("least"),
        )
        .outerjoin_from(schema.piece, copies, copies.c.segment == p.segment)
        .group_by(p.content)
        .subquery()
    )
    size = schema.content.c.size
    least = func.coalesce(func.iif(placed.c.bytes >= size, placed.c.least, 0), 0)
    rows = connection.execute(
        select(least, func.sum(present.c.names))
        .join_from(present, schema.content, schema.content.c.id == present.c.content)
        .outerjoin(placed, placed.c.content == present.c.content)
        .group_by(least)
    ).all()
    segments = select(p.segment).where(p.content.in_(select(present.c.content)))
    good = connection.execute(
        select(func.count(), func.coalesce(func.sum(func.iif(d.verified_ns >= since_ns, 1, 0)), 0)).where(
            d.state == DiscState.VERIFIED, d.segment.in_(segments)
        )
    ).one()
    by_copies = {int(row[0]): int(row[1]) for row in rows}
    return Standing(name, sum(by_copies.values()), by_copies, int(good[1]), int(good[0]))


def _select() -> Select[int, str, str, int, str, int | None, str, int | None, int | None, str]:
    c = schema.disc.c
    return select(
        c.id, c.uuid, c.label, c.segment, c.state, schema.slot.c.number, c.profile, c.burned_ns, c.verified_ns, c.note
    ).join_from(schema.disc, schema.slot, schema.slot.c.disc == c.id, isouter=True)


def _health(row: Row[int, str, str, int, str, int | None, str, int | None, int | None, str]) -> Health:
    return Health(
        DiscId(row[0]), row[1], row[2], SegmentId(row[3]), DiscState(row[4]), row[5], row[6], row[7], row[8], row[9]
    )
