"""Looking into slots that are not certain, while nobody needs the drive: the labels decide what lies there.

First the slots where a disc of ours was when somebody had access; then, only while a disc is missed, every slot whose
disc nobody knows. Blanks are left alone: the drive proves a blank right before it is burned.

A slot is looked into once for every time it became doubtful; what remains unclear then is left to a person. Not for
what a sensor can tell (``stock``).

Concurrency: ``choose`` claims the slot it returns, with no await after the claims were looked at.
"""

from collections.abc import Mapping

import trio

from odarchive.catalogue import discs, machine
from odarchive.catalogue.discs import Slot
from odarchive.errors import OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.stock import take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import SlotState
from robot.errors import SourceEmpty
from robot.ports import ElementKind, Fill, MachineStatus

REST = 300.0
"""Seconds a drive has had nothing to do before slots are looked into."""


class Inventory:
    """Which slots are still to be looked into. Shared by the bays; one of them looks at a time."""

    def __init__(self, room: Workroom) -> None:
        self._room = room
        self._seen: dict[int, SlotState] = {}
        self._epoch: str | None = None
        self._ordered: set[int] = set()
        self._looker: Bay | None = None
        self._ended: dict[Bay, float] = {}

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
        goes_on = last_used - self._ended.get(bay, -1e9) < 1.0  # its latest work was a look
        if not self._ordered and not goes_on and trio.current_time() - last_used < REST:
            return None
        room = self._room
        missing = await room.read(discs.missing)
        beliefs = await room.read(discs.slots)
        if not (self._ordered or missing or any(slot.state is SlotState.STALE for slot in beliefs.values())):
            return None
        full = _full(await take_stock(room))
        beliefs = await room.read(discs.slots)
        epoch = await room.read(machine.remembered, "epoch")
        if epoch != self._epoch:
            self._epoch, self._seen = epoch, {}
        self._ordered &= full
        wanted = [*self._doubtful(beliefs, full, search=bool(missing)), *((3, number) for number in self._ordered)]
        open_ = [(order, number) for order, number in wanted if number not in room.claims]
        if not open_ or self._looker not in (None, bay):
            return None
        self._looker = bay
        number = min(open_)[1]
        room.claims.add(number)
        return number

    def _doubtful(self, beliefs: Mapping[int, Slot], full: set[int], *, search: bool) -> list[tuple[int, int]]:
        """Slots to look into, each with its rank: where a disc of ours should be; where one that is missed may be."""
        found = []
        for number in full:
            state = beliefs[number].state if number in beliefs else SlotState.UNKNOWN
            if self._seen.get(number) is state:
                continue
            if state is SlotState.STALE:
                found.append((0, number))
            elif search and state is SlotState.UNKNOWN:
                found.append((1 if number in beliefs else 2, number))
        return found

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
            self._ended[bay] = trio.current_time()
        slot = (await self._room.read(discs.slots)).get(number)
        if slot is not None:
            self._seen[number] = slot.state


def _full(status: MachineStatus) -> set[int]:
    return {
        state.element.number
        for state in status.elements
        if state.element.kind is ElementKind.SLOT and state.fill is not Fill.EMPTY
    }
