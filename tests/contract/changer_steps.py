"""What every caller of a changer has to do, as steps of the contract suite: look, ask again, carry a disc safely."""

from __future__ import annotations

from contextlib import suppress

import trio
from changer_rigs import Rig

from robot.errors import CommunicationLost, PositionUnknown
from robot.ports import Changer, Element, Fill, MachineState, MachineStatus


def discs_of(rig: Rig) -> dict[str, str]:
    """Place of every disc; fails if one vanished or appeared."""
    places = rig.world.discs()
    assert set(places) == {f"disc-{n:04}" for n in range(1, 7)}
    return places


def moves(rig: Rig, number: int) -> int | None:
    """What a machine that has moved ``number`` discs says of it."""
    return number if rig.traits.counts else None


async def looked(rig: Rig, changer: Changer | None = None) -> MachineStatus:
    """A status, asked as often as a caller should who got no answer, once the arm rests."""
    for _ in range(40):
        with suppress(CommunicationLost):
            status = await (changer or rig.changer).status()
            if status.state is not MachineState.BUSY:
                return status
        await trio.sleep(10)
    raise AssertionError("no answer in all that time")


async def lies_at(rig: Rig, source: Element, destination: Element) -> bool:
    """Whether the disc has arrived: by the sensors, or where there are none by going there."""
    if not rig.traits.sees:
        await trio.sleep(100)
        return bool(rig.world.at(destination)) and not rig.world.at(source)
    status = await looked(rig)
    return status.of(source).fill is Fill.EMPTY and status.of(destination).fill is Fill.FULL


async def carry(rig: Rig, source: Element, destination: Element) -> None:
    """Move a disc as every caller must: after an answer was lost, look before acting again."""
    for _ in range(5):
        try:
            await rig.changer.move(source, destination)
        except (PositionUnknown, CommunicationLost):
            assert not rig.traits.repeats, "this protocol promises to get over that by itself"
            if await lies_at(rig, source, destination):
                return
        else:
            return
    raise AssertionError("never arrived")
