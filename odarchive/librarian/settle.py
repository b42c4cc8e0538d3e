"""What disc is it? The only code that decides, and always from the disc itself.

A robot's word, a slot number or an exit code never identify a disc: the volume set identifier in sector 16 does, and
whether an attempt became a copy is decided by reading all of it. Called after every load and, at start, for every drive
that holds something. Harmless to repeat.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from odarchive.catalogue import discs, motions
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Disc
from odarchive.image.identity import parse_identity
from odarchive.librarian.readback import image_digest
from odarchive.librarian.stock import is_stack
from odarchive.librarian.workroom import Workroom
from odarchive.model import DiscState, SlotState
from robot.errors import NoMedium, ReadFailed
from robot.ports import Drive, Medium

PVD_SECTOR = 16
"""The ISO 9660 primary volume descriptor (ECMA-119, 6.7.1)."""


TRIES = 3
"""Readings, with the tray moved in between, before a disc is said to be at fault."""


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

    @property
    def name(self) -> str:
        """What a person who carries it calls it."""
        if self.kind is Kind.UNREADABLE and self.medium is None and self.disc is None:
            return "an unreadable disc, if there is one,"
        if self.disc is None:
            return self.describe()
        return f"{'the spoiled disc' if self.disc.state is DiscState.SPOILED else 'disc'} {self.disc.label}"

    def describe(self) -> str:
        """A few words for a person."""
        match self.kind:
            case Kind.OURS if self.disc is not None:
                return f"disc {self.disc.label} ({self.disc.uuid})"
            case Kind.FOREIGN:
                return f"a disc that is not of this archive ({self.label or 'no label'})"
            case _:
                return {"empty": "nothing", "blank": "a blank", "unreadable": "an unreadable disc"}[self.kind.value]


async def identify(room: Workroom, drive: Drive, *, full: bool = False) -> Found:
    """Look at the disc in a closed drive; moves its tray at most, records nothing.

    Args:
        room: the catalogue that knows our discs.
        drive: where it lies.
        full: the machine says that something lies there, so finding nothing means that it cannot be made out.

    Raises:
        NotReady, DriveError: the drive failed; that says nothing about the disc.
    """
    medium = await _medium(drive, full=full)
    if medium is None:
        return Found(Kind.UNREADABLE if full else Kind.EMPTY)
    if medium.blank:
        return Found(Kind.BLANK, medium)
    label = await _first_label(drive)
    if label is None:
        return Found(Kind.UNREADABLE, medium)
    identity = parse_identity(label)
    if identity is None:
        return Found(Kind.FOREIGN, medium)
    disc = None
    if identity.archive == room.archive_uuid:
        disc = await room.read(discs.by_uuid, identity.disc)
    return Found(Kind.OURS if disc else Kind.FOREIGN, medium, disc, identity.label)


async def _medium(drive: Drive, *, full: bool) -> Medium | None:
    for attempt in range(TRIES if full else 1):
        if attempt:
            await cycle(drive)
        with suppress(NoMedium):
            return await drive.medium()
    return None


async def _first_label(drive: Drive) -> bytes | None:
    for attempt in range(TRIES):
        if attempt:
            await cycle(drive)
        with suppress(ReadFailed):
            return await drive.read(PVD_SECTOR, 1)
    return None


async def cycle(drive: Drive) -> None:
    """Open and close the tray, so that what is read next comes from the medium and from no memory."""
    await drive.open_tray()
    await drive.close_tray()
    with suppress(NoMedium):
        await drive.medium()


async def settle(room: Workroom, drive: Drive, home: int | None, *, full: bool) -> Found:
    """Identify the disc in a drive, end what was open about it, and record what its home slot holds.

    An attempt whose end is not known is read back completely: equal digest makes it a copy (the burn happened, only
    the record of it was lost), anything else makes it waste. A blank proves that the attempt never began.

    Raises:
        DriveError: the drive failed; nothing was concluded.
    """
    await room.burner.wait_idle(drive, timeout=24 * 3600.0)
    found = await identify(room, drive, full=full)
    if found.kind is Kind.OURS and found.disc is not None:
        found = await _settle_ours(room, drive, found, found.disc)
    else:
        await _settle_attempt(room, drive, found, home)
    if home is not None:
        await room.write(record_slot, home, found, room.now_ns())
    return found


async def _settle_ours(room: Workroom, drive: Drive, found: Found, disc: Disc) -> Found:
    if disc.state not in (DiscState.INTENDED, DiscState.WRITTEN, DiscState.ABANDONED):
        return found
    problem = await read_back(drive, disc)
    if problem:
        await room.write(discs.set_state, disc.id, DiscState.SPOILED, note=problem)
    else:
        await room.write(_verified, disc, room.config.copies, room.now_ns())
    return Found(found.kind, found.medium, await room.read(discs.get, disc.id), found.label)


def _verified(connection: Connection, disc: Disc, copies: int, now_ns: int) -> None:
    discs.verified(connection, disc.id, copies=copies, now_ns=now_ns)
    message = f"disc {disc.label} read back right after an interruption"
    discs.event(connection, "verified", message, now_ns=now_ns, disc=disc.id)


async def _settle_attempt(room: Workroom, drive: Drive, found: Found, home: int | None) -> None:
    """The disc does not say who it is; the open attempt of its home slot, if any, tells what it should have become.

    Where there are no slots, it is the open attempt of this drive, which nothing leaves without being settled.
    """
    stacked = home is None and await is_stack(room)
    for attempt in await room.read(discs.unsettled):
        if attempt.slot != home or (home is None and not (stacked and attempt.drive == drive.number)):
            continue
        if found.kind is Kind.BLANK:
            await room.write(discs.set_state, attempt.id, DiscState.ABANDONED, note="the medium is still blank")
        elif found.kind is not Kind.EMPTY:
            note = f"interrupted burn: the drive holds {found.describe()}"
            await room.write(discs.set_state, attempt.id, DiscState.SPOILED, note=note)


async def read_back(drive: Drive, disc: Disc, progress: Callable[[int], None] | None = None) -> str:
    """Read all of a disc and compare; returns why it is not right, or an empty string.

    A verdict against a disc needs ``TRIES`` readings with the tray moved in between: a reading may fail for reasons of
    the drive.
    """
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            await cycle(drive)
        try:
            digest = await image_digest(drive, disc.image_size, progress)
        except ReadFailed as error:
            problem = f"unreadable at sector {error.sector}"
            continue
        if digest == disc.digest:
            return ""
        problem = "read back with another digest"
    return problem


def record_slot(connection: Connection, home: int, found: Found, now_ns: int) -> None:
    """What was found in a drive lies in slot ``home``, or belongs there while it is out."""
    disc = found.disc
    if found.kind is Kind.OURS and disc is not None:
        waste = disc.state is DiscState.SPOILED
        state, evidence = (SlotState.SPOILED if waste else SlotState.DISC), "its own label"
    else:
        state = {
            Kind.EMPTY: SlotState.EMPTY,
            Kind.BLANK: SlotState.BLANK,
            Kind.FOREIGN: SlotState.FOREIGN,
            Kind.UNREADABLE: SlotState.UNREADABLE,
            Kind.OURS: SlotState.UNKNOWN,
        }[found.kind]
        evidence = f"the drive found {found.describe()}"
        if found.kind in (Kind.FOREIGN, Kind.UNREADABLE):
            disc = disc or _believed(connection, home)
            waste = disc is not None and disc.state is DiscState.SPOILED
            if not waste and found.kind is Kind.FOREIGN:
                disc = None
            if disc is not None:
                state = SlotState.SPOILED if waste else SlotState.STALE
    motions.put_slot(connection, home, state, disc.id if disc else None, evidence, now_ns=now_ns)
    if found.kind is Kind.BLANK and found.medium is not None:
        motions.put_blank(connection, home, motions.Blank(found.medium.maker, found.medium.capacity))


def _believed(connection: Connection, home: int) -> Disc | None:
    """The disc of ours that should lie in this slot: an attempt that went wrong, or one that cannot be made out."""
    slot = discs.slots(connection).get(home)
    return None if slot is None or slot.disc is None else discs.get(connection, slot.disc)
