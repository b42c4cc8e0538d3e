"""Verifying a disc by order: read it, compare, record what was found, and let readers through on the way.

Who waits for this very disc is served between two windows; who waits for another while no drive is free makes the
verification step back into the queue, at most ``MOST_RETREATS`` times.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from odarchive.catalogue import discs, fixity, jobs, renewal, wanted
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Disc
from odarchive.catalogue.fixity import Outcome, Reading
from odarchive.catalogue.rebuilding import UNKNOWN_DIGEST
from odarchive.librarian.bay import Bay
from odarchive.librarian.scrutiny import Findings, read_all, read_some, sample
from odarchive.librarian.workroom import Workroom
from odarchive.model import SECTOR, ContentId, DiscId, JobId, JobState, SegmentId

MOST_RETREATS = 3
NAMED = 5
"""Damaged files that the job tells by name; `odarchive health` has them all counted."""


class Retreat(Exception):
    """Somebody else needs the drive."""


class _TakenError(Exception):
    """Another drive has fetched the disc since the verification was chosen."""


@dataclass(frozen=True, slots=True)
class Order:
    """A verification to do."""

    job: JobId
    disc: DiscId
    sample: int | None


@dataclass(frozen=True, slots=True)
class Readers:
    """What the scheduler lets a verification ask and do for readers."""

    want: Callable[[SegmentId], bool]
    """Whether somebody wants something of a segment."""
    serve: Callable[[Bay, SegmentId], Awaitable[None]]
    others_wait: Callable[[Bay], bool]
    stuck: Callable[[int], str]
    """The drive out of service that holds the disc of a slot, in words; empty if there is none."""


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """How a reading came about: times in nanoseconds, ``asked`` in bytes."""

    order: Order
    drive: int
    began: int
    ended: int
    asked: int
    limit: float


async def verify_job(room: Workroom, bay: Bay, order: Order, readers: Readers) -> None:
    """Do one verification; returns when the job has a state that says how it ended.

    Raises:
        RobotError: the machine failed; the job stays open.
    """
    disc = await room.read(discs.get, order.disc)
    if not await _brought(room, bay, disc, order, readers):
        return
    retreats = (await room.read(jobs.get, order.job)).attempts

    async def pause() -> None:
        while readers.want(disc.segment):
            await readers.serve(bay, disc.segment)
            bay.doing(f"verifying {disc.label}", disc.image_size)
        if retreats < MOST_RETREATS and readers.others_wait(bay):
            raise Retreat

    bay.doing(f"verifying {disc.label}", disc.image_size)
    placed = await room.read(fixity.placed, disc.segment)
    began = room.now_ns()
    try:
        if order.sample is None:
            findings = await read_all(bay.drive, disc.image_size // SECTOR, placed, pause, bay.advance)
            asked = disc.image_size
        else:
            chosen = sample(placed, order.sample, int(order.job))
            findings = await read_some(bay.drive, chosen, pause, bay.advance)
            asked = sum(piece.length for piece in chosen)
    except Retreat:
        await room.write(_step_back, order.job, room.now_ns())
        return
    reading, told = await room.read(
        _judged,
        disc,
        placed,
        findings,
        _Circumstances(order, int(bay.number), began, room.now_ns(), asked, room.config.renew_at),
    )
    unknown = disc.digest == UNKNOWN_DIGEST and not reading.damaged
    state = JobState.DONE if reading.outcome is Outcome.RIGHT else JobState.FAILED

    def ended(connection: Connection) -> None:
        fixity.record(connection, reading, findings.digest if unknown else None)
        step = f"{disc.label} is {reading.outcome.value}, {reading.speed / 1e6:.1f} MB/s"
        if reading.outcome is not Outcome.RIGHT:
            renewal.schedule(connection, disc.id, room.config.copies, now_ns=reading.at_ns)
        jobs.set_state(connection, order.job, state, now_ns=reading.at_ns, step=step, why=told)

    await room.write(ended)
    if bay.found is not None:
        bay.found = replace(bay.found, disc=await room.read(discs.get, disc.id))


async def _brought(room: Workroom, bay: Bay, disc: Disc, order: Order, readers: Readers) -> bool:
    """Have the disc in the bay; if not, its job says what comes first."""
    state = JobState.WAITING
    try:
        why = await _loaded(room, bay, disc, readers)
    except _TakenError as error:  # nothing for a person to do: it is its turn when the disc is home again
        state, why = JobState.QUEUED, str(error)
    if why:
        await room.write(jobs.set_state, order.job, state, now_ns=room.now_ns(), why=why)
    return not why


async def _loaded(room: Workroom, bay: Bay, disc: Disc, readers: Readers) -> str:
    """Have the disc in the bay, read from the medium; returns what a person must do first, or an empty string.

    Raises:
        _TakenError: another drive was quicker.
        RobotError: the machine failed.
    """
    if bay.disc == disc.id:
        await bay.cycle()
        return ""
    if disc.slot is None:
        return f"disc {disc.label} is not in a slot of the robot; put it in, then `odarchive verify {disc.label}`"
    if disc.slot in room.claims - {bay.home}:
        if stuck := readers.stuck(disc.slot):
            return f"disc {disc.label} is in {stuck}"
        raise _TakenError(f"another drive has disc {disc.label}")
    found = await bay.load(disc.slot)
    if found.disc is None or found.disc.id != disc.id:
        return f"slot {disc.slot} should hold disc {disc.label} but the drive finds {found.describe()}"
    return ""


def _step_back(connection: Connection, job: JobId, now_ns: int) -> None:
    jobs.count_attempt(connection, job)
    jobs.set_state(connection, job, JobState.QUEUED, now_ns=now_ns, why="readers needed the drive")


def _judged(
    connection: Connection,
    disc: Disc,
    placed: list[fixity.Placed],
    findings: Findings,
    circumstances: "_Circumstances",
) -> tuple[Reading, str]:
    """The reading as it is recorded, and what a person is told."""
    order, began, ended, asked = circumstances.order, circumstances.began, circumstances.ended, circumstances.asked
    damaged = findings.damaged(placed)
    elsewhere = (
        order.sample is None
        and not damaged
        and findings.digest not in (None, disc.digest)
        and disc.digest != UNKNOWN_DIGEST
    )
    outcome = fixity.judge(asked, findings.retries, findings.unread(), len(damaged), circumstances.limit)
    if elsewhere:
        outcome = Outcome.DAMAGED
    reading = Reading(
        disc=disc.id,
        at_ns=ended,
        drive=circumstances.drive,
        sample=order.sample,
        outcome=outcome,
        bytes_read=findings.bytes_read,
        elapsed_ns=max(ended - began, 1),
        retries=findings.retries,
        unreadable=findings.unread(),
        damaged=len(damaged),
        note=_note(findings, damaged, elsewhere=elsewhere) if outcome is not Outcome.RIGHT else "",
    )
    if not reading.note:
        return reading, ""
    return reading, "; ".join([f"disc {disc.label}: {reading.note}", *_names(connection, damaged)])


def _note(findings: Findings, damaged: set[ContentId], *, elsewhere: bool) -> str:
    parts = []
    if findings.unreadable:
        parts.append(f"{findings.unread()} sectors unreadable, the first is {findings.unreadable[0][0]}")
    if findings.given_up_at is not None:
        parts.append(f"given up at sector {findings.given_up_at}")
    if damaged:
        parts.append(f"{len(damaged)} files damaged")
    if elsewhere:
        parts.append("all files are right, but directories or other own sectors are not")
    if not parts:
        parts.append(f"{findings.retries} sectors came at the second try only")
    return ", ".join(parts)


def _names(connection: Connection, damaged: set[ContentId]) -> list[str]:
    some = sorted(damaged)[:NAMED]
    names = wanted.names_of(connection, some, limit=1)
    told = [repr(found[0].decode("utf-8", "backslashreplace")) for found in names.values() if found]
    rest = len(damaged) - len(told)
    return [*told, *([f"and {rest} more"] if rest > 0 and told else [])]
