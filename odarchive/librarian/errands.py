"""What people ask of the machine by hand: load, unload, move, import, export, park, eject, look into slots.

An errand that needs a drive is done by the task that owns it, before anything else it has to do but never in the middle
of something; others are done by one task of their own, the porter. Whoever asked may wait or come back for the answer.
Not durable: what the arm did is in the journal, an errand that a restart cut off is asked again by its person.

Concurrency: ``take`` and ``ask`` do not await; the librarian's tasks call the rest.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import trio

from odarchive.catalogue import discs, machine, motions
from odarchive.catalogue.database import Connection
from odarchive.errors import NotFound, OdarchiveError, OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.inventory import Inventory
from odarchive.librarian.stock import free_slots, is_stack, take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import SlotState
from robot import ports
from robot.errors import RobotError, SourceEmpty
from robot.ports import Element, ElementKind, Fill

KEPT = 100
"""Ended errands that can still be asked for."""


@dataclass(slots=True, eq=False)
class Errand:
    """One thing asked for. ``state``: waiting, running, done or failed; ``said``: the outcome in words."""

    number: int
    what: str
    act: Callable[[], Awaitable[str]]
    state: str = "waiting"
    said: str = ""
    ended: trio.Event = field(default_factory=trio.Event)


class Errands:
    """The errands of one librarian."""

    def __init__(self, room: Workroom, bays: Sequence[Bay], inventory: Inventory, wake: Callable[[], None]) -> None:
        self._room, self._bays, self._inventory, self._wake = room, bays, inventory, wake
        self._all: dict[int, Errand] = {}
        self._of_bay: dict[Bay, list[Errand]] = {bay: [] for bay in bays}
        self._send, self._receive = trio.open_memory_channel[Errand](KEPT)
        self._number = 0

    def get(self, number: int) -> Errand:
        """An errand by number. Raises NotFound."""
        try:
            return self._all[number]
        except KeyError:
            raise NotFound(
                f"there is no errand {number}; the librarian was restarted since: look, then ask again"
            ) from None

    def take(self, bay: Bay) -> Callable[[], Awaitable[None]] | None:
        """The next errand that needs this bay."""
        waiting = self._of_bay[bay]
        return partial(self._do, waiting.pop(0)) if waiting else None

    async def porter(self) -> None:
        """Do the errands that need no drive, until cancelled."""
        async for errand in self._receive:
            try:
                await self._do(errand)
            except RobotError:  # told to whoever asked; what is open is settled now
                with suppress(RobotError):
                    await self._room.jukebox.start()
            self._wake()

    # -- what can be asked; each returns at once ------------------------------------------------------------------

    def load(self, slot: int, drive: int) -> Errand:
        """Bring a slot's disc into a drive and read its label."""
        bay = self._bay(drive)

        async def act() -> str:
            await self._there(slot)
            if slot in self._room.claims and bay.home != slot:
                raise OperatorNeeded(f"the disc of slot {slot} is in use by another drive; unload that first")
            found = await bay.load(slot)
            return f"drive {drive} holds {found.describe()} of slot {slot}"

        return self._ask(f"load slot {slot} into drive {drive}", act, bay)

    def load_next(self, drive: int, source: Element | None = None) -> Errand:
        """Bring the next disc of a machine without slots into a drive and read its label; ``source``: of this bin."""
        bay = self._bay(drive)

        async def act() -> str:
            if not await is_stack(self._room):
                raise OperatorNeeded("this machine can fetch every disc: name the slot")
            try:
                found = await bay.take_next("the next disc", source)
            except SourceEmpty as error:
                raise OperatorNeeded(f"there is no next disc: {error}") from error
            return f"drive {drive} holds {found.describe()}"

        return self._ask(f"load the next disc{f' of {source}' if source else ''} into drive {drive}", act, bay)

    def unload(self, drive: int) -> Errand:
        """Take a drive's disc home."""
        bay = self._bay(drive)

        async def act() -> str:
            await bay.clear()
            return f"drive {drive} is empty"

        return self._ask(f"unload drive {drive}", act, bay)

    def eject(self, drive: int) -> Errand:
        """Empty a drive and leave its tray open."""
        bay = self._bay(drive)

        async def act() -> str:
            await bay.clear()
            await bay.drive.open_tray()
            return f"the tray of drive {drive} is open and empty"

        return self._ask(f"eject drive {drive}", act, bay)

    def move(self, source: int, destination: int) -> Errand:
        """Move a disc from slot to slot."""

        async def act() -> str:
            for number in (source, destination):
                await self._there(number)
                self._unclaimed(number)
            await self._room.jukebox.move(ports.slot(source), ports.slot(destination))
            return f"the disc of slot {source} lies in slot {destination}"

        return self._ask(f"move slot {source} to slot {destination}", act)

    def put_out(self, drive: int, place: Element) -> Errand:
        """Put the disc of a drive of a machine without slots into a bin."""
        bay = self._bay(drive)

        async def act() -> str:
            if not bay.loaded or not await is_stack(self._room):
                why = "its disc goes home here: odarchive robot unload" if bay.loaded else f"drive {drive} is empty"
                raise OperatorNeeded(why)
            await bay.put_out(place)
            return f"the disc of drive {drive} lies in {place}"

        return self._ask(f"move drive {drive} to {place}", act, bay)

    def between_bins(self, source: Element, destination: Element) -> Errand:
        """Move the top disc of a bin to another."""

        async def act() -> str:
            await self._room.jukebox.move(source, destination)
            return f"the top disc of {source} lies in {destination}"

        return self._ask(f"move {source} to {destination}", act)

    def export(self, slot: int, mailslot: int) -> Errand:
        """Put a slot's disc into a mailslot, for a person to take out."""

        async def act() -> str:
            await self._there(slot)
            self._unclaimed(slot)
            door = await self._door(mailslot)
            await self._room.jukebox.move(ports.slot(slot), door)
            label = await self._room.write(_exported, slot, str(door), self._room.now_ns())
            return f"{label} lies in mailslot {mailslot}: take it out, then tell its place: odarchive disc move"

        return self._ask(f"export slot {slot} through mailslot {mailslot}", act)

    def import_(self, mailslot: int, slot: int | None = None) -> Errand:
        """Take the disc of a mailslot into a free slot, or into ``slot``, and have its label read."""

        async def act() -> str:
            door = await self._door(mailslot)
            free = free_slots(self._room, await take_stock(self._room))
            if not free:
                raise OperatorNeeded("no slot is free; export a disc first")
            if slot is not None and slot not in free:
                raise OperatorNeeded(f"slot {slot} is not a free one; slot {free[0]} is")
            target = free[0] if slot is None else slot
            self._room.claims.add(target)
            try:
                await self._room.jukebox.move(door, ports.slot(target))
            finally:
                self._room.claims.discard(target)
            self._inventory.order({target})
            return f"the disc of mailslot {mailslot} lies in slot {target}; its label is read next"

        return self._ask(f"import from mailslot {mailslot}", act)

    def park(self) -> list[Errand]:
        """Empty picker and drives, as before transport or service."""

        async def act() -> str:
            report = await self._room.jukebox.start()
            if report.found_in_picker and report.parked is None:
                raise OperatorNeeded("the picker holds a disc and there is no free place for it; take one disc out")
            return f"the picker's disc lies at {report.parked}" if report.parked else "the picker is empty"

        return [self._ask("empty the picker", act), *(self.unload(int(bay.number)) for bay in self._bays)]

    def look(self, *, everything: bool) -> Errand:
        """Read the labels of doubtful slots, or of all that hold a disc."""

        async def act() -> str:
            status = await take_stock(self._room)
            beliefs = await self._room.read(discs.slots)
            full = {
                state.element.number
                for state in status.elements
                if state.element.kind is ElementKind.SLOT and state.fill is not Fill.EMPTY
            }
            doubtful = {number for number, slot in beliefs.items() if slot.state in _DOUBTFUL} | full - set(beliefs)
            wanted = full if everything else full & doubtful
            self._inventory.order(wanted)
            return f"{len(wanted)} slots will be looked into as soon as a drive is idle"

        return self._ask("look into slots", act)

    def release(self, drive: int) -> Errand:
        """Put a drive back into service."""

        async def act() -> str:
            await self._room.write(machine.release, drive)
            return f"drive {drive} is in service again"

        self._bay(drive)
        return self._ask(f"release drive {drive}", act)

    # -------------------------------------------------------------------------------------------------------------

    def _bay(self, drive: int) -> Bay:
        for bay in self._bays:
            if bay.number == drive:
                return bay
        raise NotFound(f"there is no drive {drive}; `odarchive drive list` lists them")

    async def _there(self, slot: int) -> None:
        """Refuse what the machine does not have before anything is moved for it."""
        slots = (await self._room.jukebox.capabilities()).slots
        if not slots:
            raise OperatorNeeded("this machine has bins in place of slots: odarchive robot load takes the next disc")
        if not 1 <= slot <= slots:
            raise OperatorNeeded(f"there is no slot {slot}: this machine has 1 to {slots}")

    async def _door(self, mailslot: int) -> Element:
        if not 1 <= mailslot <= (await self._room.jukebox.capabilities()).mailslots:
            raise OperatorNeeded(f"this machine has no mailslot {mailslot}; open it, and change discs by hand")
        return Element(ElementKind.MAILSLOT, mailslot)

    def _unclaimed(self, slot: int) -> None:
        if slot in self._room.claims:
            raise OperatorNeeded(f"slot {slot} belongs to a disc that is in a drive; unload it first")

    def _ask(self, what: str, act: Callable[[], Awaitable[str]], bay: Bay | None = None) -> Errand:
        self._number += 1
        errand = Errand(self._number, what, act)
        if bay is None:
            try:
                self._send.send_nowait(errand)
            except trio.WouldBlock:
                raise OperatorNeeded(f"{KEPT} errands wait already; let them be done first") from None
        else:
            self._of_bay[bay].append(errand)
        self._all[errand.number] = errand
        for number in [n for n, old in self._all.items() if old.ended.is_set()][:-KEPT]:
            del self._all[number]
        self._wake()
        return errand

    async def _do(self, errand: Errand) -> None:
        errand.state = "running"
        try:
            errand.said = await errand.act()
            errand.state = "done"
        except OdarchiveError as error:
            errand.state, errand.said = "failed", str(error)
        except RobotError as error:
            errand.state, errand.said = "failed", str(error)
            raise
        finally:
            if errand.state == "running":
                errand.state, errand.said = "failed", "the librarian stopped"
            errand.ended.set()


_DOUBTFUL = (SlotState.UNKNOWN, SlotState.STALE, SlotState.UNREADABLE)


def _exported(connection: Connection, slot: int, door: str, now_ns: int) -> str:
    known = discs.slots(connection).get(slot)
    label = "the disc" if known is None or known.disc is None else discs.get(connection, known.disc).label
    motions.put_slot(connection, slot, SlotState.EMPTY, None, f"exported through {door}", now_ns=now_ns)
    motions.put_station(connection, door, "full", None, now_ns=now_ns)
    if known is not None and known.disc is not None:
        discs.put_outside(connection, known.disc, door, now_ns=now_ns)
    return label
