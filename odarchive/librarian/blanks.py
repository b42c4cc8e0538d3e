"""Having a blank in a drive, and telling bad blanks from bad drives.

A blank that a drive will not write is put back and another one is tried. It is at fault when the other one is written;
when several in a row are refused, the drive or the burning program is, and nothing is said against the blanks.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from odarchive.catalogue import discs, motions
from odarchive.errors import OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.settle import Kind
from odarchive.librarian.stock import is_stack, take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import SlotState
from robot.errors import MediumRefused, SourceEmpty
from robot.ports import Fill

MOST_REFUSALS = 3
"""Blanks in a row that a drive refuses before it is said to be at fault."""


class Refusals:
    """The blanks that a bay's drive has refused since it last wrote one."""

    def __init__(self, room: Workroom, bay: Bay) -> None:
        self._room, self._bay = room, bay
        self._refused: list[tuple[int | None, str]] = []

    @property
    def slots(self) -> set[int]:
        """Where they lie."""
        return {slot for slot, _ in self._refused if slot is not None}

    async def put_back(self, error: MediumRefused) -> None:
        """Away with the blank in the drive.

        Raises:
            MediumRefused: too many in a row.
        """
        bay = self._bay
        self._refused.append((bay.home, str(error)))
        if len(self._refused) >= MOST_REFUSALS:
            raise error
        if bay.home is None and bay.found is not None:
            bay.found = replace(bay.found, kind=Kind.FOREIGN, label="a blank that cannot be written")
        await bay.clear()

    async def accuse(self) -> None:
        """Another blank was written in that drive, so those that it refused are at fault: they are not tried again."""
        room = self._room
        for slot, why in self._refused:
            if slot is not None:
                evidence = f"cannot be written: {why}"
                await room.write(motions.put_slot, slot, SlotState.UNREADABLE, None, evidence, now_ns=room.now_ns())
            await room.note(
                "refused", f"the blank of {'the input bin' if slot is None else f'slot {slot}'} is bad: {why}"
            )
        self._refused.clear()


async def fetch(room: Workroom, bay: Bay, size: int, refused: AbstractSet[int]) -> None:
    """Have a blank of at least ``size`` bytes in the bay, not from one of the slots ``refused``.

    Raises:
        OperatorNeeded: the robot holds none.
    """
    if await is_stack(room):
        await _blank_of_stack(bay, size)
        return
    tried = set(refused)
    while not _fits(bay, size):
        await bay.clear()
        number = await _candidate(room, tried)
        tried.add(number)
        await bay.load(number)


async def _blank_of_stack(bay: Bay, size: int) -> None:
    """The next blank of the input bin; what is of no use goes to the reject bin, and copies wait for a moment.

    Raises:
        OperatorNeeded: the input bin is empty, or gave a copy, which somebody may have put there to be read.
    """
    while not _fits(bay, size):
        if bay.found is not None and bay.found.kind is Kind.BLANK:
            bay.found = replace(bay.found, kind=Kind.FOREIGN, label="too small a blank")
        try:
            found = await bay.take_next("a blank disc")
        except SourceEmpty as error:
            raise OperatorNeeded("the robot's input bin is empty; put blank discs into it") from error
        if found.kind is Kind.OURS:
            raise OperatorNeeded(f"the input bin holds {found.describe()}, not a blank; it goes to the output bin next")


def _fits(bay: Bay, size: int) -> bool:
    found = bay.found
    return found is not None and found.kind is Kind.BLANK and found.medium is not None and found.medium.capacity >= size


async def _candidate(room: Workroom, tried: set[int]) -> int:
    """The next slot worth loading, claimed: known blanks first, then slots nobody has looked into yet."""
    status = await take_stock(room)
    beliefs = await room.read(discs.slots)
    known, unknown = [], []
    for element in status.elements:
        number = element.element.number
        if element.element.kind != "slot" or element.fill is Fill.EMPTY or number in room.claims or number in tried:
            continue  # the reserved slot is looked into as well: a blank found in the picker may lie there
        belief = beliefs.get(number)
        if belief is not None and belief.state is SlotState.BLANK:
            known.append(number)
        elif belief is None or (belief.state in (SlotState.UNKNOWN, SlotState.EMPTY) and belief.disc is None):
            unknown.append(number)
    if known or unknown:
        chosen = (known or unknown)[0]
        room.claims.add(chosen)  # no await since the claims were looked at
        return chosen
    raise OperatorNeeded("the robot holds no blank disc that fits; put blanks into empty slots")
