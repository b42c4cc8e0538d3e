"""What is remembered of the robot as a whole, of each drive, and of the operator's wishes.

The epoch of a machine changes whenever somebody may have had his hands in it (``robot.ports.MachineStatus.epoch``).
What was believed of slots is then doubtful: discs become stale, blanks unknown, until a label is read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from odarchive.catalogue import motions, schema
from odarchive.catalogue.discs import Slot, slots
from odarchive.model import SlotState

_CERTAIN = {
    SlotState.DISC: SlotState.STALE,
    SlotState.SPOILED: SlotState.UNKNOWN,
    SlotState.BLANK: SlotState.UNKNOWN,
    SlotState.FOREIGN: SlotState.UNKNOWN,
    SlotState.UNREADABLE: SlotState.UNKNOWN,
    SlotState.UNKNOWN: SlotState.UNKNOWN,
}
"""What is left of a belief when somebody had access. Empty slots are seen by the machine's own sensor."""


@dataclass(frozen=True, slots=True)
class DriveRecord:
    """How a drive has done so far."""

    number: int
    why: str
    """Why it is out of service; empty: it is in service."""
    failures: int
    """Failures in a row."""
    burns: int
    spoiled: int


def remembered(connection: Connection, key: str) -> str | None:
    """A value of table ``machine``."""
    return connection.scalar(select(schema.machine.c.value).where(schema.machine.c.key == key))


def remember(connection: Connection, key: str, value: str) -> None:
    """Set a value of table ``machine``."""
    row = upsert(schema.machine).values(key=key, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def paused(connection: Connection) -> bool:
    """Whether a person has stopped the burn queue."""
    return remembered(connection, "queue") == "paused"


def see_epoch(connection: Connection, epoch: str | None, *, now_ns: int) -> int:
    """Compare the machine's epoch with the one seen last; a new one makes what is believed of slots doubtful.

    Returns:
        How many beliefs became doubtful.
    """
    if epoch is None or remembered(connection, "epoch") == epoch:
        return 0
    remember(connection, "epoch", epoch)
    return doubt(connection, "somebody had access", now_ns=now_ns)


def doubt(connection: Connection, evidence: str, *, now_ns: int) -> int:
    """Trust no slot any more, but those whose disc is in a drive: nobody reaches it there."""
    out = set(motions.homes(connection).values())
    doubted = 0
    for number, slot in slots(connection).items():
        state = _CERTAIN.get(slot.state)
        disc = slot.disc if state is SlotState.STALE else None
        if state is not None and number not in out and (state, disc) != (slot.state, slot.disc):
            motions.put_slot(connection, number, state, disc, evidence, now_ns=now_ns)
            doubted += 1
    return doubted


def agrees(connection: Connection, epoch: str | None, full: Mapping[int, bool]) -> bool:
    """Whether :func:`see_epoch` and :func:`see_fills` would change nothing."""
    if epoch is not None and remembered(connection, "epoch") != epoch:
        return False
    out = set(motions.homes(connection).values())
    return not any(
        _differs(slot, full[number], is_out=number in out)
        for number, slot in slots(connection).items()
        if number in full
    )


def _differs(slot: Slot, is_full: bool, *, is_out: bool) -> bool:
    empty = slot.state is SlotState.EMPTY
    return empty if is_full else not (is_out or empty)


def see_fills(connection: Connection, full: Mapping[int, bool], *, now_ns: int) -> Sequence[str]:
    """Bring beliefs in line with the slots' sensors: ``full`` says of slots whether a disc is there.

    A slot whose disc is in a drive or in the picker keeps what is believed of it, unless another disc lies there.

    Returns:
        What was not as believed, for people.
    """
    out = set(motions.homes(connection).values())
    surprises = []
    for number, slot in slots(connection).items():
        if number not in full or not _differs(slot, full[number], is_out=number in out):
            continue
        if full[number]:
            motions.put_slot(connection, number, SlotState.UNKNOWN, None, "a disc appeared", now_ns=now_ns)
            surprises.append(f"slot {number} was empty and holds a disc now")
        else:
            motions.put_slot(connection, number, SlotState.EMPTY, None, "its sensor", now_ns=now_ns)
            if slot.disc is not None:
                surprises.append(f"slot {number} is empty; {_label(connection, slot.disc)} is missing")
    return surprises


def _label(connection: Connection, disc: int) -> str:
    return f"disc {connection.scalar(select(schema.disc.c.label).where(schema.disc.c.id == disc))}"


def drives(connection: Connection) -> dict[int, DriveRecord]:
    """Every drive anything is recorded of."""
    rows = connection.execute(select(schema.drive)).all()
    return {row.number: DriveRecord(row.number, row.why, row.failures, row.burns, row.spoiled) for row in rows}


def drive_failed(connection: Connection, number: int) -> int:
    """A drive failed once more; returns how often in a row."""
    _add(connection, number, failures=1)
    return int(connection.scalar(select(schema.drive.c.failures).where(schema.drive.c.number == number)) or 0)


def drive_well(connection: Connection, number: int) -> None:
    """A drive did its work: earlier failures count no more."""
    connection.execute(update(schema.drive).where(schema.drive.c.number == number).values(failures=0))


def count_burn(connection: Connection, number: int, *, spoiled: bool) -> None:
    """A burn in this drive ended; per-drive counters tell a worn laser."""
    _add(connection, number, burns=1, spoiled=int(spoiled))


def quarantine(connection: Connection, number: int, why: str) -> None:
    """Take a drive out of service until a person puts it back; survives restarts."""
    _add(connection, number)
    connection.execute(update(schema.drive).where(schema.drive.c.number == number).values(why=why))


def release(connection: Connection, number: int) -> None:
    """Put a drive back into service."""
    connection.execute(update(schema.drive).where(schema.drive.c.number == number).values(why="", failures=0))


def _add(connection: Connection, number: int, *, failures: int = 0, burns: int = 0, spoiled: int = 0) -> None:
    table, c = schema.drive, schema.drive.c
    connection.execute(upsert(table).values(number=number).on_conflict_do_nothing())
    values = {"failures": c.failures + failures, "burns": c.burns + burns, "spoiled": c.spoiled + spoiled}
    connection.execute(update(table).where(c.number == number).values(values))
