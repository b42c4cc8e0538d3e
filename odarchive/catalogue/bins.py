"""How many discs lie in a bin of a machine that cannot tell, by the journal; and that a person has emptied it.

What is counted is every motion into the bin that is not known to have failed, less those out of it, since it was
emptied last: rather one too many than a bin that overflows onto the trays.
"""

from sqlalchemy import Connection, func, or_, select, update

from odarchive.catalogue import machine, motions, schema

_FAILED = "failed"


def held(connection: Connection, element: str) -> int:
    """Discs in a bin, such as ``output-bin 1``."""
    table = schema.motion.c
    since = int(machine.remembered(connection, _key(element)) or 0)
    came = or_(table.outcome.is_(None), table.outcome != _FAILED)
    query = select(func.count()).where(table.id > since)
    into = connection.scalar(query.where(table.destination == element, came)) or 0
    out = connection.scalar(query.where(table.source == element, table.outcome == "done")) or 0
    return max(0, into - out)


def emptied(connection: Connection, element: str, place: str, *, now_ns: int) -> int:
    """A person has emptied a bin and put its discs to ``place``; returns how many discs of ours lay in it."""
    machine.remember(connection, _key(element), str(motions.last(connection)))
    table = schema.whereabouts
    there = table.c.place == inside(element)
    return connection.execute(update(table).where(there).values(place=place, since_ns=now_ns)).rowcount


def inside(element: str) -> str:
    """The place of a disc that lies in the robot, in people's words."""
    return f"the robot's {element}"


def _key(element: str) -> str:
    return f"emptied {element}"
