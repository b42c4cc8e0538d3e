"""Looking into slots that are not certain, while nobody needs the drive: the labels decide what lies there.

A slot is looked into once for every time it became doubtful; what remains unclear then is left to a person. Not for
what a sensor can tell (``stock``).

Concurrency: ``choose`` claims the slot it returns, with no await after the claims were looked at.
"""

import trio

from odarchive.catalogue import discs, machine
from odarchive.errors import OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.stock import take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import SlotState
from robot.errors import SourceEmpty
from robot.ports import ElementKind, Fill

REST = 300.0
"""Seconds a drive has had nothing to do before slots are looked into."""

_DOUBTFUL = (SlotState.UNKNOWN, SlotState.STALE)


class Inventory:
    """Which slots are still to be looked into. Shared by the bays; one of them looks at a time."""

    def __init__(self, room: Workroom) -> None:
        self._room = room
        self._seen: dict[int, SlotState] = {}
        self._epoch: str | None = None
        self._ordered: set[int] = set()
        self._looker: Bay | None = None

    def order(self, slots: set[int]) -> None:
        """A person wants these slots looked into, whatever is believed of them, as soon as a drive is idle."""
        self._ordered |= slots

    @property
    def ordered(self) -> int:
        """How many ordered slots are left."""
        return len(self._ordered)

    async def choose(self, bay: Bay, last_used: float) -> int | None:
        """The slot this idle bay should look into now, claimed; None if there is none or it should rest."""
        if self._looker not in (None, bay):
            return None
        if not self._ordered and trio.current_time() - last_used < REST:
            return None
        beliefs = await self._room.read(discs.slots)
        doubtful = [slot.number for slot in beliefs.values() if slot.state in _DOUBTFUL]
        if not self._ordered and not doubtful:
            return None
        status = await take_stock(self._room)
        beliefs = await self._room.read(discs.slots)
        epoch = await self._room.read(machine.remembered, "epoch")
        if epoch != self._epoch:
            self._epoch, self._seen = epoch, {}
        full = {
            state.element.number
            for state in status.elements
            if state.element.kind is ElementKind.SLOT and state.fill is not Fill.EMPTY
        }
        self._ordered &= full
        rank = {SlotState.UNKNOWN: 0, SlotState.STALE: 1}
        wanted = [
            (rank.get(slot.state, 2), slot.number)
            for slot in beliefs.values()
            if slot.state in _DOUBTFUL and self._seen.get(slot.number) is not slot.state
        ]
        wanted += [(3, number) for number in sorted(self._ordered)]
        open_ = [(order, number) for order, number in wanted if number in full and number not in self._room.claims]
        if not open_ or self._looker not in (None, bay):
            return None
        self._looker = bay
        number = min(open_)[1]
        self._room.claims.add(number)
        return number

    async def look(self, bay: Bay, number: int) -> None:
        """Load a slot's disc, so that its label says what it is.

        Raises:
            RobotError: machine or drive failed.
        """
        try:
            self._ordered.discard(number)
            found = await bay.load(number)
            await self._room.note("looked", f"slot {number} holds {found.describe()}")
        except SourceEmpty:
            self._room.claims.discard(number)
            await self._room.write(discs.place, number, SlotState.EMPTY, None, "the picker", now_ns=self._room.now_ns())
        except OperatorNeeded as problem:
            self._room.claims.discard(number)
            await self._room.note("inventory", str(problem))
        finally:
            self._looker = None
        slot = (await self._room.read(discs.slots)).get(number)
        if slot is not None:
            self._seen[number] = slot.state
