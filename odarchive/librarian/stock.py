"""What the machine's sensors say, brought into what the archive believes of its slots.

The one way in which the librarian looks at the machine before it decides. A sensor never says *which* disc is there: it
only takes beliefs away (somebody had access; a slot is empty; a disc appeared), labels bring them back (``settle``).
"""

from odarchive.catalogue import machine, motions
from odarchive.catalogue.database import Connection
from odarchive.librarian.workroom import Workroom
from robot.ports import ElementKind, Fill, MachineStatus

TRIES = 3
"""Looks in which another motion may come between sensors and catalogue."""


async def take_stock(room: Workroom) -> MachineStatus:
    """Look at the machine at rest and doubt what does not fit. Moves nothing.

    Raises:
        CommunicationLost: the machine does not answer.
    """
    for _ in range(TRIES):
        last = await room.read(motions.last)
        status = (await room.jukebox.status()).machine
        if await _recorded(room, status, last):
            break
    return status


async def _recorded(room: Workroom, status: MachineStatus, last: int) -> bool:
    """Record it, unless a motion came between; False then."""
    full = {
        state.element.number: state.fill is Fill.FULL
        for state in status.elements
        if state.element.kind is ElementKind.SLOT and state.fill is not Fill.UNKNOWN
    }
    if await room.read(machine.agrees, status.epoch, full):
        return True

    def record(connection: Connection) -> list[str] | None:
        if motions.last(connection) != last:
            return None
        now_ns = room.now_ns()
        doubted = machine.see_epoch(connection, status.epoch, now_ns=now_ns)
        said = [f"somebody had access to the robot: {doubted} slots are not certain any more"] if doubted else []
        return [*said, *machine.see_fills(connection, full, now_ns=now_ns)]

    surprises = await room.write(record)
    for surprise in surprises or ():
        await room.note("surprise", surprise)
    return surprises is not None


async def is_stack(room: Workroom) -> bool:
    """Whether the machine has bins in place of slots. Raises CommunicationLost."""
    return not (await room.jukebox.capabilities()).random_access


def free_slots(room: Workroom, status: MachineStatus) -> list[int]:
    """Slots that are empty, nobody's, and not the reserved one."""
    return [
        state.element.number
        for state in status.elements
        if state.element.kind is ElementKind.SLOT
        and state.fill is Fill.EMPTY
        and state.element.number not in room.claims
        and state.element.number != room.config.robot.parking
    ]
