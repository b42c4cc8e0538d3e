"""Copies that are due again: a disc that fades is burned anew while something of it can still be read.

For the threshold and the queueing. Not for where the bytes come from: the librarian takes another copy, or the disc
itself (``librarian.duplicate``); a person gives images to ``odarchive repair``.
"""

from sqlalchemy import Connection, select

from odarchive.catalogue import discs, jobs, schema
from odarchive.model import DiscId, DiscState, JobId, JobKind, JobState, SegmentId


def schedule(connection: Connection, disc: DiscId, copies: int, *, now_ns: int) -> JobId | None:
    """Queue a burn of a disc's segment if fewer verified discs of it are left than its plan or ``copies`` say.

    Returns:
        The new job; None: there are enough copies, or a burn is queued already.
    """
    segment = discs.get(connection, disc).segment
    wanted = discs.wanted(connection, segment, copies)
    if len(discs.copies_of(connection, segment)) >= wanted or _queued(connection, segment):
        return None
    job = jobs.enqueue_copy(connection, segment, now_ns=now_ns)
    label = discs.get(connection, disc).label
    message = f"disc {label} fades: a new copy of segment {segment} is queued as job {job}"
    discs.event(connection, "renewal", message, now_ns=now_ns, disc=disc, job=int(job))
    return job


def _queued(connection: Connection, segment: SegmentId) -> bool:
    table = schema.job
    states = [state.value for state in JobState if not state.ended]
    query = select(table.c.id).where(
        table.c.kind == JobKind.BURN, table.c.segment == segment, table.c.state.in_(states)
    )
    return connection.scalar(query.limit(1)) is not None


def on_disc(connection: Connection, segment: SegmentId) -> bool:
    """Whether a disc carries the segment, so that its image comes from a disc and is not built again."""
    proven = [DiscState.VERIFIED.value, DiscState.SUSPECT.value, DiscState.MISSING.value]
    table = schema.disc
    query = select(table.c.id).where(table.c.segment == segment, table.c.state.in_(proven)).limit(1)
    return connection.scalar(query) is not None
