"""The journal of arm movements, and what is believed of each place a disc can be.

One call writes the journal row *and* what follows from it for both ends, in one durable transaction: an open intent
makes both ends unknown, a proven outcome makes them known again. Belief about *which* disc lies in a slot moves with
the disc from slot to drive and back, and comes from labels (``discs.settle_slot``), never from the machine's word.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from odarchive.catalogue import schema
from odarchive.model import SlotState


def intend(connection: Connection, source: str, destination: str, *, now_ns: int) -> int:
    """Journal that a move is about to be commanded; returns its id."""
    row = insert(schema.motion).values(source=source, destination=destination, intended_ns=now_ns)
    key = connection.execute(row).inserted_primary_key
    assert key is not None  # noqa: S101  the driver returns the rowid of every single-row insert
    return int(key[0])


def settle(connection: Connection, motion: int, outcome: str, evidence: str, *, now_ns: int) -> None:
    """Journal how a move ended (``done``, ``failed``, ``unknown``) and draw the consequences for both ends."""
    table = schema.motion
    ends = connection.execute(select(table.c.source, table.c.destination).where(table.c.id == motion)).one()
    connection.execute(
        update(table).where(table.c.id == motion).values(outcome=outcome, evidence=evidence, settled_ns=now_ns)
    )
    if outcome == "done":
        _moved(connection, ends[0], ends[1], now_ns)
    elif outcome == "unknown":
        for end in ends:
            _unknown(connection, end, evidence, now_ns)


def open_motions(connection: Connection) -> Sequence[tuple[int, str, str]]:
    """Intents without an outcome, oldest first, as (id, source, destination)."""
    table = schema.motion
    query = (
        select(table.c.id, table.c.source, table.c.destination).where(table.c.outcome.is_(None)).order_by(table.c.id)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def last(connection: Connection) -> int:
    """The newest motion's id; 0 before the first."""
    return int(connection.scalar(select(func.max(schema.motion.c.id))) or 0)


def loads(connection: Connection) -> int:
    """How many discs were ever put into drives."""
    table = schema.motion
    query = select(func.count()).where(table.c.outcome == "done", table.c.destination.like("drive %"))
    return int(connection.scalar(query) or 0)


def homes(connection: Connection) -> dict[str, int | None]:
    """Places that are not slots and hold a disc, with the slot it came from (None: not known)."""
    table = schema.station
    query = select(table.c.element, table.c.home).where(table.c.state != "empty")
    return {row[0]: row[1] for row in connection.execute(query)}


def holds(connection: Connection, element: str) -> bool:
    """Whether a disc was put to this place that is not a slot, and not taken away since, all of it proven."""
    table = schema.station
    return connection.scalar(select(table.c.state).where(table.c.element == element)) == "full"


def caption(connection: Connection, number: int) -> str:
    """What is believed to lie in a slot, as a person who should take it from there would call it; empty if unknown."""
    slot, disc = schema.slot, schema.disc
    query = select(slot.c.state, disc.c.label).join_from(slot, disc, disc.c.id == slot.c.disc, isouter=True)
    row = connection.execute(query.where(slot.c.number == number)).one_or_none()
    match row:
        case (SlotState.DISC, str(label)):
            return f"disc {label}"
        case (SlotState.SPOILED, str(label)):
            return f"the spoiled disc {label}"
        case (SlotState.BLANK, _):
            return "the blank disc"
        case _:
            return ""


def _slot_number(element: str) -> int | None:
    kind, _, number = element.partition(" ")
    return int(number) if kind == "slot" else None


def _moved(connection: Connection, source: str, destination: str, now_ns: int) -> None:
    home = _slot_number(source)
    if home is None and not _is_bin(source):
        home = connection.scalar(select(schema.station.c.home).where(schema.station.c.element == source))
        put_station(connection, source, "empty", None, now_ns=now_ns)
    target = _slot_number(destination)
    if _is_bin(destination):
        return  # a stack: what lies in it is not believed, but asked of the discs
    if target is None:
        # The slot a disc came from keeps its belief while the disc is out: it is where the disc belongs.
        put_station(connection, destination, "full", home, now_ns=now_ns)
    elif home is None:
        put_slot(connection, target, SlotState.UNKNOWN, None, f"came from {source}", now_ns=now_ns)
    elif home != target:
        _carry_belief(connection, home, target, now_ns)


def _carry_belief(connection: Connection, home: int, target: int, now_ns: int) -> None:
    table = schema.slot
    query = select(table.c.state, table.c.disc, table.c.maker, table.c.capacity).where(table.c.number == home)
    row = connection.execute(query).one_or_none()
    state, disc = (row[0], row[1]) if row is not None else (SlotState.UNKNOWN.value, None)
    blank = Blank(row[2], row[3]) if row is not None else Blank()
    put_slot(connection, home, SlotState.EMPTY, None, f"moved to slot {target}", now_ns=now_ns)
    put_slot(connection, target, SlotState(state), disc, f"moved from slot {home}", now_ns=now_ns)
    put_blank(connection, target, blank)


def _is_bin(element: str) -> bool:
    return element.partition(" ")[0].endswith("-bin")


def _unknown(connection: Connection, element: str, evidence: str, now_ns: int) -> None:
    if _is_bin(element):
        return
    number = _slot_number(element)
    if number is None:
        put_station(connection, element, "unknown", None, now_ns=now_ns, keep_home=True)
        return
    table = schema.slot
    row = connection.execute(select(table.c.state, table.c.disc).where(table.c.number == number)).one_or_none()
    known = row is not None and row[0] in (SlotState.DISC, SlotState.STALE)
    state = SlotState.STALE if known else SlotState.UNKNOWN
    put_slot(connection, number, state, row[1] if row is not None and known else None, evidence, now_ns=now_ns)


@dataclass(frozen=True, slots=True)
class Blank:
    """What a drive told of a blank: its maker's id, and the bytes that can be written; both may be unknown."""

    maker: str = ""
    capacity: int | None = None


def put_blank(connection: Connection, number: int, blank: Blank) -> None:
    """Remember what a drive told of a slot's blank, until something else is believed of that slot."""
    connection.execute(update(schema.slot).where(schema.slot.c.number == number).values(asdict(blank)))


def put_slot(
    connection: Connection, number: int, state: SlotState, disc: int | None, evidence: str, *, now_ns: int
) -> None:
    """Record what is believed of a slot. A disc is in one slot: any other slot that claimed it becomes unknown."""
    table = schema.slot
    if disc is not None:
        connection.execute(delete(schema.whereabouts).where(schema.whereabouts.c.disc == disc))
        connection.execute(
            update(table)
            .where(table.c.disc == disc, table.c.number != number)
            .values(state=SlotState.UNKNOWN, disc=None, seen_ns=now_ns, evidence=f"its disc was met in slot {number}")
        )
    values = {
        "state": state,
        "disc": disc,
        "seen_ns": now_ns,
        "evidence": evidence,
        **asdict(Blank()),
    }
    connection.execute(
        upsert(table).values(number=number, **values).on_conflict_do_update(index_elements=["number"], set_=values)
    )


def where(connection: Connection, disc: int) -> str | None:
    """The place outside of the slots where a disc was last known to be."""
    table = schema.whereabouts
    return connection.scalar(select(table.c.place).where(table.c.disc == disc))


def put_station(
    connection: Connection, element: str, state: str, home: int | None, *, now_ns: int, keep_home: bool = False
) -> None:
    """Record what is believed of a drive or the picker."""
    table = schema.station
    values = {"state": state, "home": home, "seen_ns": now_ns}
    on_conflict = {key: value for key, value in values.items() if not (keep_home and key == "home")}
    connection.execute(
        upsert(table)
        .values(element=element, **values)
        .on_conflict_do_update(index_elements=["element"], set_=on_conflict)
    )
