"""Machines with bins in place of slots: which bin a disc goes to, and how the next one comes.

Such a machine cannot fetch a certain disc: it gives what lies on top of its input bin, and what left a drive lies in a
bin until a person puts it elsewhere. So blanks come from the input bin, copies go to the output bin, waste to the
reject bin; a disc in a bin is outside, with its place recorded. Which disc came is read from its label.

Not for slots (``bay``), nor for what to do when the wrong disc came (``burn``, ``recall``).
"""

from odarchive.catalogue import bins, discs
from odarchive.errors import OperatorNeeded
from odarchive.librarian.settle import Found, Kind
from odarchive.librarian.stock import take_stock
from odarchive.librarian.workroom import Workroom
from odarchive.model import DiscState
from robot import ports
from robot.errors import SourceEmpty
from robot.ports import DriveId, Element, ElementKind

_WASTE = frozenset({Kind.UNREADABLE, Kind.FOREIGN})
"""Kinds that are of no use here: for a person to look at, apart from copies."""


async def take(room: Workroom, number: DriveId, wish: str, source: Element | None = None) -> None:
    """Bring the top disc of a bin into an empty drive.

    Args:
        room: the collaborators.
        number: the drive.
        wish: what it should be, for a person; a machine gives what is there.
        source: the bin; None: the input bins, one after the other.

    Raises:
        SourceEmpty: the bins are empty; nothing moved.
        RobotError: the machine failed.
    """
    empty = SourceEmpty("the machine has no input bin")
    for place in [source] if source else await _bins(room, ElementKind.INPUT_BIN):
        room.captions[place] = wish
        try:
            await room.jukebox.move(place, ports.drive(number))
        except SourceEmpty as error:
            empty = error
        else:
            return
    await room.drives[number].close_tray()
    raise empty


async def put(room: Workroom, number: DriveId, found: Found, to: Element | None = None) -> Element:
    """Put the disc of a drive into the bin it belongs to, or into ``to``, and record the place; returns the bin.

    Raises:
        OperatorNeeded: the machine has no such bin, or it holds as many discs as go in.
        RobotError: the machine failed; its place is not changed.
    """
    waste = found.kind in _WASTE or (found.disc is not None and found.disc.state is DiscState.SPOILED)
    places = [] if to is None else [to]
    places = places or (await _bins(room, ElementKind.REJECT_BIN) if waste else [])
    places = places or await _bins(room, ElementKind.OUTPUT_BIN)
    if not places:
        raise OperatorNeeded(f"drive {number} holds {found.describe()}, and the robot has no bin for it; take it out")
    await _has_room(room, places[0])
    await room.jukebox.move(ports.drive(number), places[0])
    if found.disc is not None:
        await room.write(discs.put_outside, found.disc.id, bins.inside(str(places[0])), now_ns=room.now_ns())
    return places[0]


async def _has_room(room: Workroom, place: Element) -> None:
    """Refuse a bin that is full by our own count: discs on top of it would slide onto the trays."""
    most = room.config.robot.bin_holds
    if most and await room.read(bins.held, str(place)) >= most:
        name = place.kind.value.removesuffix("-bin")
        raise OperatorNeeded(
            f"the robot's {name} bin is full ({most} discs): empty it, then tell where its discs are: "
            f'odarchive robot emptied {name} "shelf 1"'
        )


async def inside(room: Workroom, number: DriveId, found: Found) -> None:
    """Record that the disc lies in a drive now; no slot says so for it."""
    if found.disc is not None:
        place = bins.inside(str(ports.drive(number)))
        await room.write(discs.put_outside, found.disc.id, place, now_ns=room.now_ns())


async def _bins(room: Workroom, kind: ElementKind) -> list[Element]:
    status = await take_stock(room)
    return [state.element for state in status.elements if state.element.kind is kind]
