"""What happened: table ``event``, read for pages and messages; written by ``discs.event``."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from odarchive.catalogue import schema


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the diary."""

    id: int
    at_ns: int
    kind: str
    message: str


def latest(connection: Connection, limit: int) -> list[Happened]:
    """The last lines, newest first."""
    table = schema.event.c
    query = select(table.id, table.at_ns, table.kind, table.message).order_by(table.id.desc()).limit(limit)
    return [Happened(*row) for row in connection.execute(query)]


def after(connection: Connection, last: int, kinds: Sequence[str], limit: int) -> list[Happened]:
    """The lines of some kinds after line ``last``, oldest first, at most ``limit``."""
    table = schema.event.c
    query = select(table.id, table.at_ns, table.kind, table.message).where(table.id > last, table.kind.in_(kinds))
    return [Happened(*row) for row in connection.execute(query.order_by(table.id).limit(limit))]


def last(connection: Connection) -> int:
    """The number of the last line; 0 before the first."""
    return connection.scalar(select(func.max(schema.event.c.id))) or 0
