"""Having a blank in a drive, and telling bad blanks from bad drives.

A blank that a drive will not write is put back and another one is tried. It is at fault when the other one is written;
when several in a row are refused, the drive or the burning program is, and nothing is said against the blanks.

Discs that stand in for each other (copies; the discs of a parity set) had better not be of one maker, who may have had
one bad batch. Drives tell the maker of a blank, and what they told is remembered of its slot: among blanks that are
known, one of the maker least used beside the new disc is taken. No disc is loaded only to learn its maker.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from odarchive.catalogue import discs, motions, paritysets
from odarchive.errors import OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.settle import Kind
from odarchive.librarian.stock import is_stack, take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import SegmentId, SlotState
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
        """Another blank was written in that drive, so those that it refused are at fault: they are not tried again.

        Not those that another drive has written since, or has in hand: only what still is a blank is accused.
        """
        room = self._room
        for slot, why in self._refused:
            evidence = f"cannot be written: {why}"
            if slot is not None and not await room.write(discs.accuse_blank, slot, evidence, now_ns=room.now_ns()):
                continue
            await room.note(
                "refused", f"the blank of {'the input bin' if slot is None else f'slot {slot}'} is bad: {why}"
            )
        self._refused.clear()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a blank should be like."""

    size: int
    """Bytes it must take."""
    used: Mapping[str, tuple[int, int]]
    """Makers that are in use beside it (``paritysets.makers``)."""

    def rank(self, blank: motions.Blank) -> tuple[int, int, bool]:
        """The lower, the better: makers unused, then not known, then used, the least used first."""
        return (*self.used.get(blank.maker, (0, 0)), not blank.maker)

    def takes(self, blank: motions.Blank) -> bool:
        """Whether it is large enough, as far as that is known."""
        return blank.capacity is None or blank.capacity >= self.size


async def wanted(room: Workroom, segment: SegmentId, size: int) -> Wanted:
    """What the blank for another disc of a segment should be like; ``size`` in bytes."""
    return Wanted(size, await room.read(paritysets.makers, segment))


async def fetch(room: Workroom, bay: Bay, wish: Wanted, refused: AbstractSet[int]) -> None:
    """Have a blank in the bay that is large enough, not from one of the slots ``refused``.

    One that lies there already is exchanged only for one that is known to be of a better maker.

    Raises:
        OperatorNeeded: the robot holds none.
    """
    if await is_stack(room):
        await _blank_of_stack(bay, wish.size)
        return
    tried = set(refused)
    if _fits(bay, wish.size) and bay.found is not None and bay.found.medium is not None:
        maker = bay.found.medium.maker
        better = await _candidate(room, wish, tried, than=maker) if maker in wish.used else None
        if better is None:
            return
        tried.add(better)
        await bay.load(better)
    while not _fits(bay, wish.size):
        await bay.clear()
        number = await _candidate(room, wish, tried)
        if number is None:
            raise OperatorNeeded("the robot holds no blank disc that fits; put blanks into empty slots")
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


async def _candidate(room: Workroom, wish: Wanted, tried: set[int], *, than: str = "") -> int | None:
    """The next slot worth loading, claimed: known blanks first, then slots nobody has looked into yet.

    With ``than``, a maker, only known blanks whose maker is known to be better.
    """
    status = await take_stock(room)
    beliefs = await room.read(discs.slots)
    known, unknown = [], []
    for element in status.elements:
        number = element.element.number
        if element.element.kind != "slot" or element.fill is Fill.EMPTY or number in room.claims or number in tried:
            continue  # the reserved slot is looked into as well: a blank found in the picker may lie there
        belief = beliefs.get(number)
        if belief is not None and belief.state is SlotState.BLANK:
            if wish.takes(belief.blank):
                known.append((wish.rank(belief.blank), number))
        elif than:
            continue
        elif belief is None or (belief.state in (SlotState.UNKNOWN, SlotState.EMPTY) and belief.disc is None):
            unknown.append(number)
    if than:
        known = [one for one in known if not one[0][2] and one[0] < wish.rank(motions.Blank(than))]
    if not (known or unknown):
        return None
    chosen = min(known)[1] if known else unknown[0]
    room.claims.add(chosen)  # no await since the claims were looked at
    return chosen
