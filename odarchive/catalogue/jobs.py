"""The queue: what the librarian has to do, durable, and why each waiting job waits.

A job is claimed by the one librarian of the archive (its lock file says so), so no leases are needed here. Every
function takes the Connection of the caller's transaction.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from odarchive.catalogue import machine, paritysets, schema
from odarchive.errors import NotFound, OdarchiveError
from odarchive.model import ContentId, DiscId, Job, JobId, JobKind, JobState, SegmentId, SegmentState

_OPEN = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


def enqueue_burns(connection: Connection, segments: Sequence[SegmentId] | None, *, now_ns: int) -> list[JobId]:
    """Queue one burn job for each segment that is not archived and has none open; None means all such segments.

    Returns:
        The open job of every segment asked for, new or old, in order.

    Raises:
        NotFound: a segment does not exist.
        OdarchiveError: a segment asked for by number is archived already.
    """
    table = schema.segment
    wanted = select(table.c.id, table.c.state).order_by(table.c.id)
    if segments is not None:
        wanted = wanted.where(table.c.id.in_(segments))
    rows = connection.execute(wanted).all()
    if segments is not None:
        _all_there(segments, rows)
    found: list[JobId] = []
    later = paritysets.not_yet(connection) if segments is None else set()
    for segment, state in rows:
        if segment in later:
            continue
        if state != SegmentState.ARCHIVED:
            found.append(_burn_job(connection, SegmentId(segment), now_ns))
        elif segments is not None:
            raise OdarchiveError(f"segment {segment} is archived already; nothing to burn")
    return found


def enqueue_copy(connection: Connection, segment: SegmentId, *, now_ns: int) -> JobId:
    """The open burn job of a segment that needs another disc, archived or not, made if there is none."""
    return _burn_job(connection, segment, now_ns)


def _all_there(segments: Sequence[SegmentId], rows: Sequence[Row[int, str]]) -> None:
    missing = sorted(set(segments) - {SegmentId(row[0]) for row in rows})
    if missing:
        raise NotFound(f"there is no segment {missing[0]}; `odarchive info` lists them")


def _burn_job(connection: Connection, segment: SegmentId, now_ns: int) -> JobId:
    table = schema.job
    waiting = connection.scalar(
        select(table.c.id).where(
            table.c.kind == JobKind.BURN, table.c.segment == segment, table.c.state.in_([s.value for s in _OPEN])
        )
    )
    if waiting is not None:
        return JobId(waiting)
    return _add(connection, JobKind.BURN, now_ns, segment=segment)


def enqueue_recall(connection: Connection, content: ContentId, *, now_ns: int) -> JobId:
    """The open recall job of a content, made if there is none."""
    table = schema.job
    waiting = connection.scalar(
        select(table.c.id).where(
            table.c.kind == JobKind.RECALL, table.c.content == content, table.c.state.in_([s.value for s in _OPEN])
        )
    )
    return JobId(waiting) if waiting is not None else _add(connection, JobKind.RECALL, now_ns, content=content)


def _add(
    connection: Connection,
    kind: JobKind,
    now_ns: int,
    *,
    segment: SegmentId | None = None,
    content: ContentId | None = None,
) -> JobId:
    row = insert(schema.job).values(
        kind=kind, state=JobState.QUEUED, segment=segment, content=content, created_ns=now_ns, updated_ns=now_ns
    )
    key = connection.execute(row).inserted_primary_key
    assert key is not None  # noqa: S101  the driver returns the rowid of every single-row insert
    return JobId(key[0])


def jobs(connection: Connection, *, only_open: bool = False, kind: JobKind | None = None) -> list[Job]:
    """Jobs in the order they were queued."""
    query = _select().order_by(schema.job.c.id)
    if only_open:
        query = query.where(schema.job.c.state.in_([s.value for s in _OPEN]))
    if kind is not None:
        query = query.where(schema.job.c.kind == kind)
    return [_job(row) for row in connection.execute(query)]


def get(connection: Connection, job: JobId) -> Job:
    """One job.

    Raises:
        NotFound: there is no such job.
    """
    row = connection.execute(_select().where(schema.job.c.id == job)).one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job}; `odarchive job list` lists them")
    return _job(row)


def set_state(
    connection: Connection, job: JobId, state: JobState, *, now_ns: int, step: str = "", why: str = ""
) -> None:
    """Move a job on. ``why`` is one line for a person: why it waits or failed and what would help."""
    values = {"state": state, "step": step, "why": why, "updated_ns": now_ns, "done_bytes": 0, "total_bytes": 0}
    connection.execute(update(schema.job).where(schema.job.c.id == job).values(values))


def count_attempt(connection: Connection, job: JobId) -> int:
    """Add one to the attempts of a job and return them."""
    table = schema.job
    connection.execute(update(table).where(table.c.id == job).values(attempts=table.c.attempts + 1))
    return int(connection.scalar(select(table.c.attempts).where(table.c.id == job)) or 0)


def set_progress(connection: Connection, job: JobId, step: str, done: int, total: int, *, now_ns: int) -> None:
    """Tell how far the present step is, in bytes."""
    values = {"step": step, "done_bytes": done, "total_bytes": total, "updated_ns": now_ns}
    connection.execute(update(schema.job).where(schema.job.c.id == job).values(values))


def requeue(connection: Connection, state: JobState, *, now_ns: int) -> int:
    """Queue all jobs of a state again; returns how many. RUNNING at start: an earlier life was doing them."""
    table = schema.job
    values = {"state": JobState.QUEUED, "updated_ns": now_ns, "step": ""}
    return connection.execute(update(table).where(table.c.state == state).values(values)).rowcount


def next_burn(connection: Connection) -> SegmentId | None:
    """The segment of the burn that :func:`claim_burn` would find; None: there is none, or the queue is stopped."""
    table = schema.job
    query = select(table.c.segment).where(table.c.kind == JobKind.BURN, table.c.state == JobState.QUEUED)
    found = connection.scalar(query.order_by(table.c.id).limit(1))
    return None if found is None or machine.paused(connection) else SegmentId(found)


def any_waits(connection: Connection) -> bool:
    """Whether a job waits for something."""
    query = select(schema.job.c.id).where(schema.job.c.state == JobState.WAITING).limit(1)
    return connection.scalar(query) is not None


def claim_burn(connection: Connection, *, now_ns: int) -> Job | None:
    """The oldest queued burn job, now running; None if there is none."""
    table = schema.job
    number = connection.scalar(
        select(func.min(table.c.id)).where(table.c.kind == JobKind.BURN, table.c.state == JobState.QUEUED)
    )
    if number is None:
        return None
    set_state(connection, JobId(number), JobState.RUNNING, now_ns=now_ns)
    return get(connection, JobId(number))


def cancel(connection: Connection, job: JobId, *, now_ns: int) -> Job:
    """Take a burn off the queue.

    Raises:
        NotFound: there is no such job.
        OdarchiveError: it runs, has ended, or is a recall (readers end those by going away).
    """
    found = get(connection, job)
    if found.kind is not JobKind.BURN or found.state not in (JobState.QUEUED, JobState.WAITING):
        raise OdarchiveError(f"job {job} is {found.state.value}; only burns that have not begun can be cancelled")
    set_state(connection, job, JobState.CANCELLED, now_ns=now_ns, why="cancelled by a person")
    return get(connection, job)


def retry(connection: Connection, job: JobId, *, now_ns: int) -> Job:
    """Queue a burn again that failed, was cancelled or waits.

    Raises:
        NotFound: there is no such job.
        OdarchiveError: it is done, under way, or a recall; or its segment has another open job.
    """
    found = get(connection, job)
    if found.kind is not JobKind.BURN or found.state not in (JobState.FAILED, JobState.CANCELLED, JobState.WAITING):
        raise OdarchiveError(
            f"job {job} is a {found.kind.value} and {found.state.value}; there is nothing to try again"
        )
    others = [
        other.id for other in jobs(connection, only_open=True, kind=JobKind.BURN) if other.segment == found.segment
    ]
    if others and others != [job]:
        raise OdarchiveError(f"job {others[0]} burns the same segment already")
    set_state(connection, job, JobState.QUEUED, now_ns=now_ns)
    return get(connection, job)


def events(connection: Connection, job: JobId) -> Sequence[tuple[int, str, str]]:
    """What happened in a job, oldest first: (when in ns since the epoch, kind, message)."""
    table = schema.event
    query = select(table.c.at_ns, table.c.kind, table.c.message).where(table.c.job == job).order_by(table.c.id)
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def recalls_by_segment(connection: Connection) -> dict[SegmentId, int]:
    """How many of the recalls that are still known asked for each segment."""
    job, piece = schema.job.c, schema.piece.c
    query = (
        select(piece.segment, func.count(job.id.distinct()))
        .join_from(schema.job, schema.piece, piece.content == job.content)
        .where(job.kind == JobKind.RECALL)
        .group_by(piece.segment)
    )
    return {SegmentId(row[0]): row[1] for row in connection.execute(query)}


def forget_old_recalls(connection: Connection, *, keep: int = 1000) -> None:
    """Drop ended recall jobs but the newest ``keep``; they are of no interest later."""
    table = schema.job
    newest = connection.scalar(select(func.max(table.c.id))) or 0
    ended = [state.value for state in JobState if state.ended]
    query = table.delete().where(table.c.kind == JobKind.RECALL, table.c.state.in_(ended), table.c.id < newest - keep)
    connection.execute(query)


_JobRow = Row[int, str, str, int | None, int | None, int, int, int, str, str, int | None]


def _select() -> Select[int, str, str, int | None, int | None, int, int, int, str, str, int | None]:
    c = schema.job.c
    return select(
        c.id, c.kind, c.state, c.segment, c.content, c.attempts, c.done_bytes, c.total_bytes, c.step, c.why, c.disc
    )


def _job(row: _JobRow) -> Job:
    return Job(
        id=JobId(row[0]),
        kind=JobKind(row[1]),
        state=JobState(row[2]),
        segment=None if row[3] is None else SegmentId(row[3]),
        content=None if row[4] is None else ContentId(row[4]),
        attempts=row[5],
        done_bytes=row[6],
        total_bytes=row[7],
        step=row[8],
        why=row[9],
        disc=None if row[10] is None else DiscId(row[10]),
    )
