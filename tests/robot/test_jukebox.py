"""The jukebox over a model machine: its ends, its refusals, its recovery."""

import pytest
import trio
from jukebox_model import MemoryJournal, ModelChanger, ModelDrive, World

from robot.errors import (
    BadAddress,
    Busy,
    DestinationFull,
    DoorOpen,
    DriveError,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.jukebox import Jukebox
from robot.ports import PICKER, DriveId, Fill, MachineState, MotionOutcome, SlotId, Tray, drive, slot


class Rig:
    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = MemoryJournal(world)
        self.reboot()

    def reboot(self) -> None:
        self.drives = {DriveId(n): ModelDrive(self.world, n) for n in self.world.trays}
        self.jukebox = Jukebox(ModelChanger(self.world), self.drives, self.journal)

    def outcomes(self):
        return [row.outcome for row in self.journal.rows]


@pytest.fixture(params=[True, False], ids=["sees-closed-drives", "blind-to-closed-drives"])
def rig(request):
    return Rig(World.with_discs(4, sees_closed=request.param))


async def test_loads_and_unloads_with_trays_and_journal(rig, autojump_clock):
    await rig.jukebox.start()
    await rig.jukebox.load(SlotId(2), DriveId(1))
    assert rig.world.places[drive(1)] == "disc 2"
    assert rig.world.trays[1] is Tray.CLOSED
    status = await rig.jukebox.status()
    assert status.drives[1].home == slot(2)
    assert status.drives[0].home is None
    await rig.jukebox.unload(DriveId(1), SlotId(5))
    assert rig.world.places[slot(5)] == "disc 2"
    assert rig.world.trays[1] is Tray.CLOSED
    assert rig.outcomes() == [MotionOutcome.DONE] * 2
    assert "sensors" in rig.journal.rows[0].evidence


async def test_reaching_an_end_twice_moves_once(rig, autojump_clock):
    await rig.jukebox.start()
    await rig.jukebox.start()
    for _ in range(2):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    for _ in range(2):
        await rig.jukebox.unload(DriveId(0), SlotId(1))
    for _ in range(2):
        await rig.jukebox.move(slot(1), slot(6))
    assert rig.world.moves == 3


async def test_a_home_outlives_the_program(rig, autojump_clock):
    await rig.jukebox.start()
    await rig.jukebox.load(SlotId(3), DriveId(0))
    rig.reboot()
    report = await rig.jukebox.start()
    assert report.status.drives[0].home == slot(3)
    await rig.jukebox.load(SlotId(3), DriveId(0))
    assert rig.world.moves == 1


async def test_refusals_leave_no_trace(rig, autojump_clock):
    await rig.jukebox.start()
    await rig.jukebox.load(SlotId(1), DriveId(0))
    before = len(rig.journal.rows)
    with pytest.raises(DestinationFull, match="slot 1"):
        await rig.jukebox.load(SlotId(2), DriveId(0))
    with pytest.raises(DestinationFull, match="slot 1"):
        await rig.jukebox.load(SlotId(6), DriveId(0))  # not "already so": slot 6 is empty, but its disc is not there
    with pytest.raises(SourceEmpty):
        await rig.jukebox.load(SlotId(6), DriveId(1))
    with pytest.raises(DestinationFull):
        await rig.jukebox.move(slot(2), slot(3))
    with pytest.raises(BadAddress):
        await rig.jukebox.load(SlotId(99), DriveId(1))
    with pytest.raises(BadAddress):
        await rig.jukebox.load(SlotId(2), DriveId(7))
    with pytest.raises(BadAddress):
        await rig.jukebox.move(slot(2), slot(2))
    assert len(rig.journal.rows) == before
    assert rig.world.moves == 1


async def test_the_arm_stays_away_from_a_tray_that_does_not_open(rig, autojump_clock):
    await rig.jukebox.start()
    rig.drives[DriveId(0)].stuck = True
    with pytest.raises(DriveError):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.world.moves == 0
    rig.drives[DriveId(0)].stuck = False
    await rig.jukebox.load(SlotId(1), DriveId(0))


async def test_a_tray_that_closes_behind_our_back_stops_the_arm(rig, autojump_clock):
    await rig.jukebox.start()

    async def snap() -> None:
        await trio.sleep(1)

    rig.drives[DriveId(0)].open_tray = snap  # says it opened, and something closed it again
    with pytest.raises(DriveNotEjected, match="tray is closed"):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.outcomes() == [MotionOutcome.FAILED]
    assert rig.world.moves == 0


async def test_a_load_whose_tray_stuck_is_finished_by_the_next(rig, autojump_clock):
    await rig.jukebox.start()
    device = rig.drives[DriveId(0)]
    close = device.close_tray

    async def jam() -> None:
        raise DriveError("stuck")

    device.close_tray = jam
    with pytest.raises(DriveError):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    device.close_tray = close
    await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.world.trays[0] is Tray.CLOSED
    assert rig.world.moves == 1


async def test_a_busy_machine_is_asked_again_a_few_times(rig, autojump_clock):
    await rig.jukebox.start()
    first = rig.world.operations
    rig.world.faults = {first + n: "busy" for n in range(1, 20)}
    with pytest.raises(Busy):
        await rig.jukebox.move(slot(1), slot(6))
    assert rig.outcomes() == [MotionOutcome.FAILED]
    rig.world.faults = {rig.world.operations + 3: "busy"}
    await rig.jukebox.move(slot(1), slot(6))
    assert rig.world.places[slot(6)] == "disc 1"


async def test_nothing_moves_while_a_door_is_open(rig, autojump_clock):
    await rig.jukebox.start()
    rig.world.state = MachineState.DOOR_OPEN
    with pytest.raises(DoorOpen):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    with pytest.raises(DoorOpen):
        await rig.jukebox.start()
    rig.world.state = MachineState.READY
    await rig.jukebox.load(SlotId(1), DriveId(0))


async def test_a_machine_that_lost_power_is_homed_first(rig, autojump_clock):
    rig.world.state = MachineState.UNINITIALISED
    report = await rig.jukebox.start()
    assert report.status.machine.state is MachineState.READY
    rig.world.state = MachineState.UNINITIALISED
    await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.world.places[drive(0)] == "disc 1"


async def test_a_held_disc_blocks_the_arm_until_start_puts_it_home(rig, autojump_clock):
    await rig.jukebox.start()
    rig.world.faults = {rig.world.operations + n: "held" for n in range(1, 9)}
    with pytest.raises(PositionUnknown):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.world.places[PICKER] == "disc 1"
    assert rig.outcomes() == [MotionOutcome.UNKNOWN]
    with pytest.raises(PositionUnknown, match="start"):
        await rig.jukebox.move(slot(2), slot(6))
    rig.world.faults = {}
    report = await rig.jukebox.start()
    assert report.found_in_picker
    assert report.parked == slot(1)
    assert rig.world.places[slot(1)] == "disc 1"
    assert rig.outcomes() == [MotionOutcome.UNKNOWN, MotionOutcome.DONE]


async def test_a_disc_of_unknown_origin_goes_to_the_parking_slot_or_a_free_one(rig, autojump_clock):
    rig.world.places[PICKER], rig.world.places[slot(3)] = "disc 3", None
    report = await rig.jukebox.start()
    assert report.parked == slot(6)
    rig.world.places[PICKER], rig.world.places[slot(6)] = "disc 3", None
    rig.jukebox = Jukebox(ModelChanger(rig.world), rig.drives, rig.journal, parking=SlotId(5))
    assert (await rig.jukebox.start()).parked == slot(5)


async def test_a_full_machine_uses_an_idle_drive_as_refuge(autojump_clock):
    rig = Rig(World.with_discs(6))
    rig.world.places[PICKER] = "disc 7"
    report = await rig.jukebox.start()
    assert report.parked == drive(0)
    assert rig.world.trays[0] is Tray.CLOSED
    assert report.status.drives[0].fill is Fill.FULL
    assert report.status.drives[0].home is None


async def test_without_any_free_place_the_picker_keeps_its_disc(autojump_clock):
    rig = Rig(World.with_discs(6))
    rig.world.places |= {PICKER: "disc 9", drive(0): "disc 7", drive(1): "disc 8"}
    report = await rig.jukebox.start()
    assert report.found_in_picker
    assert report.parked is None
    with pytest.raises(PickFailed):
        await rig.jukebox.unload(DriveId(0), SlotId(1))


async def test_a_dropped_disc_is_reported_unknown(autojump_clock):
    rig = Rig(World.with_discs(4))
    await rig.jukebox.start()
    put = rig.world.put

    def drop(destination) -> None:
        rig.world.places[PICKER] = None

    rig.world.put = drop
    with pytest.raises(PositionUnknown):
        await rig.jukebox.move(slot(1), slot(6))
    rig.world.put = put
    assert rig.outcomes() == [MotionOutcome.UNKNOWN]
    await rig.jukebox.start()
    await rig.jukebox.move(slot(2), slot(6))


async def test_a_success_that_the_sensors_deny_is_a_failure(autojump_clock):
    rig = Rig(World.with_discs(4))
    await rig.jukebox.start()
    changer = rig.jukebox._changer

    async def pretend(source, destination) -> None:
        await trio.sleep(1)

    changer.move = pretend
    with pytest.raises(MachineFault, match="sensors say not moved"):
        await rig.jukebox.move(slot(1), slot(6))
    assert rig.outcomes() == [MotionOutcome.FAILED]


async def test_a_cancel_lets_the_arm_finish(rig, autojump_clock):
    await rig.jukebox.start()
    with trio.move_on_after(3):
        await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.world.places[PICKER] is None
    assert rig.outcomes() == [MotionOutcome.DONE]
    await rig.jukebox.load(SlotId(1), DriveId(0))
    assert rig.world.trays[0] is Tray.CLOSED
    assert rig.world.moves == 1


async def test_an_arm_still_on_its_way_is_waited_for(rig, autojump_clock):
    await rig.jukebox.start()
    rig.world.faults = {rig.world.operations + 3: "late"}
    await rig.jukebox.move(slot(1), slot(6))
    assert rig.world.fired == ["late"]
    assert rig.outcomes() == [MotionOutcome.DONE]
    assert rig.world.places[slot(6)] == "disc 1"


async def test_callers_queue_for_the_arm(rig, autojump_clock):
    await rig.jukebox.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.jukebox.load, SlotId(1), DriveId(0))
        nursery.start_soon(rig.jukebox.load, SlotId(2), DriveId(1))
    assert rig.world.places[drive(0)] == "disc 1"
    assert rig.world.places[drive(1)] == "disc 2"


async def test_of_several_open_motions_only_the_last_at_a_place_is_judged(autojump_clock):
    rig = Rig(World.with_discs(4))
    await rig.journal.intend(slot(1), slot(6))
    await rig.journal.intend(slot(2), slot(5))
    await rig.journal.intend(slot(6), slot(1))
    report = await rig.jukebox.start()
    assert [item.finding.outcome for item in report.settled] == [
        MotionOutcome.UNKNOWN,
        MotionOutcome.FAILED,
        MotionOutcome.DONE,
    ]
