"""Faults at every operation, crashes at every journal call: no disc is lost, no outcome is a lie, all work goes on."""

from contextlib import suppress

import pytest
from jukebox_model import FAULTS, Crash, MemoryJournal, ModelChanger, ModelDrive, World

from robot.errors import ChangerError, RobotError
from robot.jukebox import Jukebox
from robot.ports import PICKER, DriveId, ElementKind, SlotId, drive, slot

DISCS = [f"disc {n}" for n in range(1, 5)]


def machine(world: World, journal: MemoryJournal) -> Jukebox:
    drives = {DriveId(n): ModelDrive(world, n) for n in world.trays}
    return Jukebox(ModelChanger(world), drives, journal)


async def day(jukebox: Jukebox) -> None:
    await jukebox.start()
    await jukebox.load(SlotId(1), DriveId(0))
    await jukebox.load(SlotId(2), DriveId(1))
    await jukebox.unload(DriveId(0), SlotId(1))
    await jukebox.load(SlotId(3), DriveId(0))
    await jukebox.unload(DriveId(1), SlotId(5))
    await jukebox.move(slot(5), slot(2))
    await jukebox.unload(DriveId(0), SlotId(3))


async def check_recovery(world: World, journal: MemoryJournal, jukebox: Jukebox) -> None:
    """Start until it works, then hold the machine against what must be true, and use it."""
    for _ in range(3):
        with suppress(ChangerError):
            await jukebox.start()
            break
    else:
        pytest.fail("the jukebox does not start again")
    assert world.discs() == DISCS
    assert world.places[PICKER] is None
    assert not await journal.open_motions()
    await check_homes(world, jukebox)
    for number in world.trays:
        if world.places[drive(number)] is not None:
            free = next(e for e, disc in world.places.items() if e.kind is ElementKind.SLOT and disc is None)
            await jukebox.unload(DriveId(number), SlotId(free.number))
    target = world.where("disc 3")
    await jukebox.load(SlotId(target.number), DriveId(0))
    assert world.places[drive(0)] == "disc 3"
    assert world.discs() == DISCS


async def check_homes(world: World, jukebox: Jukebox) -> None:
    """A home that is told is empty and is where that very disc started."""
    for seen in (await jukebox.status()).drives:
        if seen.home is not None and world.places[drive(seen.number)] is not None:
            assert world.places[seen.home] is None
            assert world.places[drive(seen.number)] == f"disc {seen.home.number}"


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("kind", [*FAULTS, "crash"])
@pytest.mark.parametrize("lasting", [1, 4])
async def test_a_fault_at_every_operation(kind, blind, lasting, autojump_clock):
    ran_out = False
    for number in range(1, 200):
        world = World.with_discs(4, sees_closed=not blind)
        world.faults = {number + n: kind for n in range(lasting)}
        journal = MemoryJournal(world)
        jukebox = machine(world, journal)
        try:
            await day(jukebox)
        except RobotError:
            world.faults = {}
            await check_recovery(world, journal, jukebox)
        except Crash:
            world.faults = {}
            await check_recovery(world, journal, machine(world, journal))
        assert world.discs() == DISCS
        assert not await journal.open_motions()
        if not world.fired:
            ran_out = True
            break
    assert ran_out
    assert number > 20


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_every_journal_call(when, blind, autojump_clock):
    for number in range(1, 200):
        world = World.with_discs(4, sees_closed=not blind)
        journal = MemoryJournal(world)
        journal.crash_at = (number, when)
        try:
            await day(machine(world, journal))
        except Crash:
            journal.crash_at = None
            await check_recovery(world, journal, machine(world, journal))
        else:
            break
    assert number > 14


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("second", range(1, 6))
async def test_a_crash_in_the_recovery_from_a_held_disc(second, blind, autojump_clock):
    world = World.with_discs(4, sees_closed=not blind)
    journal = MemoryJournal(world)
    jukebox = machine(world, journal)
    await jukebox.start()
    world.faults = {world.operations + n: "held" for n in range(1, 9)}
    with pytest.raises(RobotError):
        await jukebox.load(SlotId(1), DriveId(0))
    world.faults = {}
    journal.crash_at = (journal.calls + second, "after")
    with suppress(Crash):
        await machine(world, journal).start()
    journal.crash_at = None
    await check_recovery(world, journal, machine(world, journal))
