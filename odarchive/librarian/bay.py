"""One drive of the robot and what is in it: load, settle, unload, look again.

A bay states ends: ``load(slot)`` returns with that slot's disc settled in the drive, whatever was in it before having
gone home. Used by one task (the librarian's bay task); bays share the arm through the jukebox's own lock.
"""

from contextlib import suppress
from dataclasses import dataclass

from odarchive.catalogue import motions
from odarchive.errors import OperatorNeeded
from odarchive.librarian import stack
from odarchive.librarian.settle import Found, Kind, cycle, record_slot, settle
from odarchive.librarian.stock import free_slots, is_stack, take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import DiscId
from robot import ports
from robot.errors import SourceEmpty
from robot.evidence import fill_of
from robot.ports import Drive, DriveId, Element, Fill, MachineStatus, SlotId

BURN_LIMIT = 24 * 3600.0
"""Seconds no burn takes longer than."""


@dataclass(slots=True)
class Activity:
    """What a bay is doing, for people; not durable."""

    step: str = "idle"
    done: int = 0
    total: int = 0
    since_ns: int = 0
    buffer: int | None = None
    """How full the drive's buffer is while it burns, in percent, if the burning program tells."""


class Bay:
    """A drive, the disc in it and the slot it belongs to."""

    def __init__(self, room: Workroom, drive: Drive) -> None:
        self._room = room
        self.drive = drive
        self.home: int | None = None
        self.found: Found | None = None
        self.activity = Activity()

    @property
    def number(self) -> DriveId:
        """The drive's number."""
        return self.drive.number

    @property
    def disc(self) -> DiscId | None:
        """The disc of ours in the drive, if that is what it is."""
        return self.found.disc.id if self.found is not None and self.found.disc is not None else None

    @property
    def place(self) -> str:
        """Where its disc belongs, for people."""
        return f"drive {self.number}" if self.home is None else f"slot {self.home}"

    @property
    def loaded(self) -> bool:
        """Whether something is in the drive."""
        return self.found is not None and self.found.kind is not Kind.EMPTY

    def doing(self, step: str, total: int = 0) -> None:
        """Say what is being done now; ``total`` in bytes if it is known."""
        self.activity = Activity(step, 0, total, self._room.now_ns())

    def advance(self, count: int) -> None:
        """``count`` more bytes of the present step are done."""
        self.activity.done += count

    async def adopt(self) -> None:
        """At start, and after the machine failed: settle whatever is in the drive."""
        self.doing("looking what is in the drive")
        self._release()
        self.found = None
        element = ports.drive(self.number)
        status = await take_stock(self._room)
        fill = fill_of(status, element)
        if fill is not Fill.EMPTY:
            self._claim((await self._room.read(motions.homes)).get(str(element)))
            await self._room.burner.wait_idle(self.drive, timeout=BURN_LIMIT)
            await self.drive.close_tray()
            stacked = await is_stack(self._room)
            full = fill is Fill.FULL or (stacked and await self._room.read(motions.holds, str(element)))
            self.found = await settle(self._room, self.drive, self.home, full=full)
            if self.found.kind is Kind.EMPTY:
                self._release()
            elif stacked:
                await stack.inside(self._room, self.number, self.found)
        self.doing("idle")

    async def load(self, slot: int) -> Found:
        """Bring a slot's disc into the drive and settle it.

        Raises:
            robot.errors.RobotError: the machine or drive failed; the journal says what is known.
        """
        if self.loaded and self.home == slot and self.found is not None:
            return self.found
        self._room.claims.add(slot)
        try:
            await self.clear()
            self._room.captions[ports.slot(slot)] = await self._room.read(motions.caption, slot)
            self.doing(f"loading slot {slot}")
            await self._room.jukebox.load(SlotId(slot), self.number)
        except BaseException:
            self._room.claims.discard(slot)
            raise
        self._claim(slot)
        self.doing(f"identifying the disc of slot {slot}")
        self.found = await settle(self._room, self.drive, slot, full=True)
        return self.found

    async def take_next(self, wish: str, source: Element | None = None) -> Found:
        """Bring the next disc of a machine without slots into the drive and settle it, whatever it is.

        ``wish``: what it should be, for a person; ``source``: a bin, if it is not to be the input bin.

        Raises:
            SourceEmpty: the bin is empty.
            robot.errors.RobotError: the machine or drive failed; the journal says what is known.
        """
        await self.clear()
        place = source or "the input bin"
        self.doing(f"taking the next disc of {place}")
        await stack.take(self._room, self.number, wish, source)
        self.doing(f"identifying the disc of {place}")
        self.found = await settle(self._room, self.drive, None, full=True)
        await stack.inside(self._room, self.number, self.found)
        return self.found

    async def put_out(self, to: Element) -> None:
        """Put the disc of a machine without slots into a bin that a person has chosen. Raises RobotError."""
        if self.found is not None and self.loaded:
            self._room.captions[ports.drive(self.number)] = self.found.name
            self.doing(f"putting {self.found.describe()} to {to}")
            await stack.put(self._room, self.number, self.found, to)
            self.found = None
            self._release()

    async def clear(self) -> None:
        """Take the disc home, or to a free slot if its home is not known or taken; harmless when the drive is empty.

        In a machine without slots: into the bin for such discs.

        Raises:
            OperatorNeeded: no slot is free.
            RobotError: the machine or drive failed.
        """
        if not self.loaded or self.found is None:
            return
        room = self._room
        room.captions[ports.drive(self.number)] = self.found.name
        if await is_stack(room):
            self.doing(f"putting {self.found.describe()} out")
            with suppress(SourceEmpty):  # somebody was quicker
                await stack.put(room, self.number, self.found)
            self.found = None
            self._release()
            self.doing("idle")
            return
        target = self._target(await take_stock(room))
        room.claims.add(target)
        try:
            self.doing(f"returning the disc to slot {target}")
            await room.jukebox.unload(self.number, SlotId(target))
            if target != self.home:
                await room.write(record_slot, target, self.found, room.now_ns())
        finally:
            if target != self.home:
                room.claims.discard(target)
        self.found = None
        self._release()
        self.doing("idle")

    def _target(self, status: MachineStatus) -> int:
        home = self.home
        reserved = home == self._room.config.robot.parking
        if home is not None and not reserved and fill_of(status, ports.slot(home)) is not Fill.FULL:
            return home
        free = free_slots(self._room, status)
        if not free:
            raise OperatorNeeded(
                f"drive {self.number} holds {self.found.describe() if self.found else 'a disc'}, whose slot is "
                "not known or taken, and no slot is empty; take one disc out of the robot"
            )
        return free[0]

    def _claim(self, slot: int | None) -> None:
        self.home = slot
        if slot is not None:
            self._room.claims.add(slot)

    def _release(self) -> None:
        if self.home is not None:
            self._room.claims.discard(self.home)
        self.home = None

    async def cycle(self) -> None:
        """Move the tray out and in, so that what is read next comes from the medium and from no memory."""
        await cycle(self.drive)
