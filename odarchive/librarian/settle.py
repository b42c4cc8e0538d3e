"""What disc is it? The only code that decides, and always from the disc itself.

A robot's word, a slot number or an exit code never identify a disc: the volume set identifier in sector 16 does, and
whether an attempt became a copy is decided by reading all of it. Called after every load and, at start, for every drive
that holds something. Harmless to repeat.
"""

from dataclasses import dataclass
from enum import StrEnum

from odarchive.catalogue import discs, motions
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Disc
from odarchive.image.identity import parse_identity
from odarchive.librarian.readback import image_digest
from odarchive.librarian.workroom import Workroom
from odarchive.model import DiscState, SlotState
from robot.errors import NoMedium, NotReady, ReadFailed
from robot.ports import Drive, Medium

PVD_SECTOR = 16
"""The ISO 9660 primary volume descriptor (ECMA-119, 6.7.1)."""


class Kind(StrEnum):
    """What is in a drive."""

    EMPTY = "empty"
    BLANK = "blank"
    OURS = "ours"
    FOREIGN = "foreign"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Found:
    """What was met in a drive."""

    kind: Kind
    medium: Medium | None = None
    disc: Disc | None = None
    label: str = ""

    def describe(self) -> str:
        """A few words for a person."""
        match self.kind:
            case Kind.OURS if self.disc is not None:
                return f"disc {self.disc.label} ({self.disc.uuid})"
            case Kind.FOREIGN:
                return f"a disc that is not of this archive ({self.label or 'no label'})"
            case _:
                return {"empty": "nothing", "blank": "a blank", "unreadable": "an unreadable disc"}[self.kind.value]


async def identify(room: Workroom, drive: Drive) -> Found:
    """Look at the disc in a closed drive. Moves nothing, records nothing."""
    try:
        medium = await drive.medium()
    except NoMedium:
        return Found(Kind.EMPTY)
    except NotReady:
        return Found(Kind.UNREADABLE)
    if medium.blank:
        return Found(Kind.BLANK, medium)
    try:
        identity = parse_identity(await drive.read(PVD_SECTOR, 1))
    except ReadFailed:
        return Found(Kind.UNREADABLE, medium)
    if identity is None:
        return Found(Kind.FOREIGN, medium)
    disc = None
    if identity.archive == room.archive_uuid:
        disc = await room.read(discs.by_uuid, identity.disc)
    return Found(Kind.OURS if disc else Kind.FOREIGN, medium, disc, identity.label)


async def settle(room: Workroom, drive: Drive, home: int | None) -> Found:
    """Identify the disc in a drive, end what was open about it, and record what its home slot holds.

    An attempt whose end is not known is read back completely: equal digest makes it a copy (the burn happened, only
    the record of it was lost), anything else makes it waste. A blank proves that the attempt never began.
    """
    await room.burner.wait_idle(drive, timeout=24 * 3600.0)
    found = await identify(room, drive)
    if found.kind is Kind.OURS and found.disc is not None:
        found = await _settle_ours(room, drive, found, found.disc)
    else:
        await _settle_attempt(room, found, home)
    if home is not None:
        await room.write(_record_slot, home, found, room.now_ns())
    return found


async def _settle_ours(room: Workroom, drive: Drive, found: Found, disc: Disc) -> Found:
    if disc.state not in (DiscState.INTENDED, DiscState.WRITTEN):
        return found
    problem = await read_back(room, drive, disc)
    if problem:
        await room.write(discs.set_state, disc.id, DiscState.SPOILED, note=problem)
    else:
        await room.write(_verified, disc, room.config.copies, room.now_ns())
    return Found(found.kind, found.medium, await room.read(discs.get, disc.id), found.label)


def _verified(connection: Connection, disc: Disc, copies: int, now_ns: int) -> None:
    discs.verified(connection, disc.id, copies=copies, now_ns=now_ns)
    message = f"disc {disc.label} read back right after an interruption"
    discs.event(connection, "verified", message, now_ns=now_ns, disc=disc.id)


async def _settle_attempt(room: Workroom, found: Found, home: int | None) -> None:
    """The disc does not say who it is; the open attempt of its home slot, if any, tells what it should have become."""
    for attempt in await room.read(discs.unsettled):
        if attempt.slot is None or attempt.slot != home:
            continue
        if found.kind is Kind.BLANK:
            await room.write(discs.set_state, attempt.id, DiscState.ABANDONED, note="the medium is still blank")
        elif found.kind is not Kind.EMPTY:
            note = f"interrupted burn: the drive holds {found.describe()}"
            await room.write(discs.set_state, attempt.id, DiscState.SPOILED, note=note)


async def read_back(room: Workroom, drive: Drive, disc: Disc) -> str:
    """Read all of a disc and compare; returns why it is not right, or an empty string."""
    try:
        digest = await image_digest(drive, disc.image_size)
    except ReadFailed as error:
        return f"unreadable at sector {error.sector}"
    return "" if digest == disc.digest else "read back with another digest"


def _record_slot(connection: Connection, home: int, found: Found, now_ns: int) -> None:
    disc = found.disc
    if found.kind is Kind.OURS and disc is not None:
        waste = disc.state is DiscState.SPOILED
        state, evidence = (SlotState.SPOILED if waste else SlotState.DISC), "its own label"
    else:
        state = {
            Kind.EMPTY: SlotState.EMPTY,
            Kind.BLANK: SlotState.BLANK,
            Kind.FOREIGN: SlotState.FOREIGN,
            Kind.UNREADABLE: SlotState.SPOILED,
            Kind.OURS: SlotState.UNKNOWN,
        }[found.kind]
        evidence = f"the drive found {found.describe()}"
        if found.kind in (Kind.FOREIGN, Kind.UNREADABLE):
            disc = _waste(connection, home)
            state = SlotState.SPOILED if disc is not None else state
    motions.put_slot(connection, home, state, disc.id if disc else None, evidence, now_ns=now_ns)


def _waste(connection: Connection, home: int) -> Disc | None:
    """The attempt of ours that went wrong in this slot before it had a label, if that is what lies there."""
    slot = discs.slots(connection).get(home)
    if slot is None or slot.disc is None:
        return None
    disc = discs.get(connection, slot.disc)
    return disc if disc.state is DiscState.SPOILED else None
