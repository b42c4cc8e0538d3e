"""The contract of ``robot.ports.Changer``, run on every implementation, faults included.

Machines differ in what they can tell (``Traits``); a case says what holds for those that cannot. Stack machines have
their own cases in ``test_changer_stacks``.

The rule behind every case: no disc is lost, none is moved twice, and whoever asks gets an answer in bounded time.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest
import trio
from changer_rigs import RIGS, OpenRig
from changer_steps import carry, discs_of, looked, moves

from robot.errors import (
    BadAddress,
    Busy,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DoorOpen,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import PICKER, Element, ElementKind, Fill, MachineState, drive, slot
from robot.sim.faults import FOR_EVER, LINE_FAULTS, Fault, FaultKind
from robot.sim.world import FLOOR, person


@pytest.fixture(params=sorted(RIGS))
def open_rig(request) -> OpenRig:
    return RIGS[request.param]


async def test_a_ready_machine_tells_who_it_is_and_what_it_holds(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        assert (await rig.changer.identify()).model
        can = await rig.changer.capabilities()
        assert (can.slots, can.drives, can.mailslots) == (12, 2, 1)
        raw = MachineState.UNINITIALISED if rig.traits.homes else MachineState.READY
        assert (await rig.changer.status()).state is raw
        await rig.changer.initialize()
        status = await rig.changer.status()
        assert status.state is MachineState.READY
        full = [e.element.number for e in status.elements if e.fill is Fill.FULL]
        assert full == ([1, 2, 3, 4, 5, 6] if rig.traits.sees else [])
        assert len(status.elements) == 12 + 2 + 1 + rig.traits.sees_picker


async def test_initialize_twice_is_harmless(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        before = await rig.changer.status()
        await rig.changer.initialize()
        assert await rig.changer.status() == before


async def test_a_move_carries_one_disc_and_counts_one(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        rig.world.set_tray(0, is_open=True)
        await rig.changer.move(slot(3), drive(0))
        status = await rig.changer.status()
        assert status.moves == moves(rig, 1)
        if rig.traits.sees:
            assert status.of(slot(3)).fill is Fill.EMPTY
            assert status.of(drive(0)).fill is Fill.FULL
        assert status.of(drive(0)).source in (None, slot(3))
        assert discs_of(rig)["disc-0003"] == "drive 0"
        assert (tmp_path / "drives/0/medium").resolve().name == "disc-0003.disc"
        rig.world.set_tray(0, is_open=True)
        await rig.changer.move(drive(0), slot(12))
        assert discs_of(rig)["disc-0003"] == "slot 12"
        assert not (tmp_path / "drives/0/medium").is_symlink()
        assert (await rig.changer.status()).moves == moves(rig, 2)


async def test_the_picker_may_hold_a_disc(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        if not rig.traits.sees_picker:
            with pytest.raises(BadAddress):
                await rig.changer.move(slot(1), PICKER)
            assert discs_of(rig)["disc-0001"] == "slot 1"
            return
        await rig.changer.move(slot(1), PICKER)
        assert (await rig.changer.status()).of(PICKER).fill is Fill.FULL
        with pytest.raises(PickFailed) as caught:
            await rig.changer.move(slot(2), slot(9))
        assert caught.value.held is True
        await rig.changer.move(PICKER, slot(9))
        assert discs_of(rig)["disc-0001"] == "slot 9"


@pytest.mark.parametrize(
    ("source", "destination", "error"),
    [
        (slot(7), slot(8), SourceEmpty),
        (slot(1), slot(2), DestinationFull),
        (slot(1), slot(13), BadAddress),
        (slot(0), slot(8), BadAddress),
        (slot(1), slot(1), BadAddress),
        (drive(2), slot(8), BadAddress),
        (Element(ElementKind.OUTPUT_BIN, 1), slot(8), BadAddress),
        (drive(0), slot(8), DriveNotEjected),
        (drive(1), drive(0), ChangerError),
        (PICKER, slot(8), SourceEmpty),
    ],
)
async def test_what_cannot_be_done_is_refused_and_moves_nothing(
    autojump_clock, open_rig, tmp_path, source, destination, error
):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        rig.world.set_tray(0, is_open=True)
        await rig.changer.move(slot(6), drive(0))
        rig.world.set_tray(0, is_open=False)
        before = discs_of(rig)
        for _ in range(2):
            with pytest.raises(BadAddress if source == PICKER and not rig.traits.sees_picker else error):
                await rig.changer.move(source, destination)
        assert discs_of(rig) == before
        assert (await rig.changer.status()).moves == moves(rig, 1)


async def test_a_closed_tray_is_the_business_of_whoever_moves_trays(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        if (await rig.changer.capabilities()).tray_by_host:
            with pytest.raises(DriveNotEjected):
                await rig.changer.move(slot(1), drive(1))
            assert discs_of(rig)["disc-0001"] == "slot 1"
        else:
            await rig.changer.move(slot(1), drive(1))
            assert discs_of(rig)["disc-0001"] == "drive 1"
            assert not rig.world.tray_is_open(1)


async def test_a_machine_not_initialised_moves_nothing(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        if not rig.traits.homes:
            await carry(rig, slot(1), slot(8))
            assert discs_of(rig)["disc-0001"] == "slot 8"
            return
        with pytest.raises(MachineFault, match="initialize"):
            await rig.changer.move(slot(1), slot(8))
        assert discs_of(rig)["disc-0001"] == "slot 1"


@pytest.mark.parametrize("kind", sorted(LINE_FAULTS))
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("seconds", [2.0, 40.0])
async def test_a_disturbed_conversation_never_moves_a_disc_twice(
    autojump_clock, open_rig, tmp_path, kind, times, seconds
):
    order = Fault(kind, "MOVE", times=times, seconds=seconds)
    async with open_rig(tmp_path, [order]) as rig:
        order.command = rig.move_word
        await rig.changer.initialize()
        await carry(rig, slot(1), slot(7))
        await carry(rig, slot(2), slot(8))
        await carry(rig, slot(7), slot(9))
        places = discs_of(rig)
        assert (places["disc-0001"], places["disc-0002"]) == ("slot 9", "slot 8")
        assert (await rig.changer.status()).moves == moves(rig, 3)
        assert rig.plan.unfired() == ()


@pytest.mark.parametrize("nth", range(1, 8))
@pytest.mark.parametrize("kind", sorted(LINE_FAULTS))
async def test_a_disturbed_status_is_asked_again(autojump_clock, open_rig, tmp_path, kind, nth):
    order = Fault(kind, "STATUS", nth=nth, times=2)
    async with open_rig(tmp_path, [order]) as rig:
        for _ in range(2):
            with suppress(CommunicationLost):  # a changer script has no other question to ask than a status
                await rig.changer.initialize()
        for number in range(1, 7):
            await carry(rig, slot(number), slot(number + 6))
            ask = rig.changer.status if rig.traits.repeats else partial(looked, rig)
            gone, come = (await ask()).of(slot(number)), (await ask()).of(slot(number + 6))
            assert (gone.fill, come.fill) == ((Fill.EMPTY, Fill.FULL) if rig.traits.sees else (Fill.UNKNOWN,) * 2)
        assert rig.plan.unfired() == (() if rig.traits.asks else (order,))


async def test_a_machine_that_stays_mute_leaves_the_position_unknown(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, [Fault(FaultKind.MUTE, "MOVE", times=FOR_EVER)]) as rig:
        await rig.changer.initialize()
        with pytest.raises(PositionUnknown):
            await rig.changer.move(slot(1), slot(7))
        await trio.sleep(60)
        status = await rig.changer.status()
        assert status.of(slot(7)).fill is (Fill.FULL if rig.traits.sees else Fill.UNKNOWN)
        assert status.moves == moves(rig, 1)
        assert discs_of(rig)["disc-0001"] == "slot 7"
        assert rig.plan.unfired() == ()


async def test_a_machine_that_stays_deaf_ends_every_question(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, [Fault(FaultKind.DEAF, "STATUS", times=FOR_EVER)]) as rig:
        if not rig.traits.asks:
            assert (await rig.changer.status()).state is MachineState.READY
            return
        with trio.fail_after(120), pytest.raises(CommunicationLost, match="STATUS"):
            await rig.changer.status()
        assert rig.plan.unfired() == ()


@pytest.mark.parametrize("nth", [1, 2])
async def test_a_picker_that_misses_leaves_the_disc(autojump_clock, open_rig, tmp_path, nth):
    async with open_rig(tmp_path, [Fault(FaultKind.JAM_EMPTY, "MOVE", nth=nth)]) as rig:
        await rig.changer.initialize()
        for number in range(1, nth):
            await rig.changer.move(slot(number), slot(number + 6))
        with pytest.raises(PickFailed) as caught:
            await rig.changer.move(slot(nth), slot(nth + 6))
        assert caught.value.held is (False if rig.traits.sees_picker else None)
        assert discs_of(rig)[f"disc-{nth:04}"] == f"slot {nth}"
        await rig.changer.move(slot(nth), slot(nth + 6))
        assert rig.plan.unfired() == ()


async def test_a_picker_that_jams_holds_the_disc_and_can_try_elsewhere(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, [Fault(FaultKind.JAM_HELD, "MOVE")]) as rig:
        await rig.changer.initialize()
        with pytest.raises(PickFailed) as caught:
            await rig.changer.move(slot(1), slot(7))
        assert caught.value.held is (True if rig.traits.sees_picker else None)
        assert discs_of(rig)["disc-0001"] == "picker 0"
        assert rig.plan.unfired() == ()
        if not rig.traits.sees_picker:
            with pytest.raises(PickFailed):  # a person must take it out
                await rig.changer.move(slot(2), slot(8))
            return
        await rig.changer.move(PICKER, slot(8))
        assert discs_of(rig)["disc-0001"] == "slot 8"


async def test_a_dropped_disc_is_no_longer_anywhere(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, [Fault(FaultKind.DROP, "MOVE")]) as rig:
        await rig.changer.initialize()
        with pytest.raises(PickFailed) as caught:
            await rig.changer.move(slot(1), slot(7))
        assert caught.value.held is (False if rig.traits.sees_picker else None)
        status = await rig.changer.status()
        places = (slot(1), slot(7), *((PICKER,) if rig.traits.sees_picker else ()))
        assert {status.of(e).fill for e in places} == {Fill.EMPTY if rig.traits.sees else Fill.UNKNOWN}
        assert discs_of(rig)["disc-0001"] == FLOOR
        assert rig.plan.unfired() == ()


async def test_two_discs_at_once_and_a_wrong_disc_go_unnoticed(autojump_clock, open_rig, tmp_path):
    orders = [Fault(FaultKind.DOUBLE, "MOVE"), Fault(FaultKind.WRONG_SLOT, "MOVE", nth=2)]
    async with open_rig(tmp_path, orders) as rig:
        await rig.changer.initialize()
        rig.world.set_tray(0, is_open=True)
        await rig.changer.move(slot(1), drive(0))
        assert set(rig.world.at(drive(0))) == {"disc-0001", "disc-0002"}
        assert not (tmp_path / "drives/0/medium").is_symlink(), "a drive reads no stack"
        await rig.changer.move(slot(3), slot(9))
        assert discs_of(rig)["disc-0004"] == "slot 9"
        assert discs_of(rig)["disc-0003"] == "slot 3"
        assert rig.plan.unfired() == ()


@pytest.mark.parametrize(
    ("at", "place", "count"), [("start", "slot 1", 0), ("held", "picker 0", 0), ("placed", "slot 7", 1)]
)
async def test_power_lost_during_a_move_leaves_the_position_unknown(
    autojump_clock, open_rig, tmp_path, at, place, count
):
    async with open_rig(tmp_path, [Fault(FaultKind.POWER, "MOVE", at=at)]) as rig:
        await rig.changer.initialize()
        before = await rig.changer.status()
        with pytest.raises(PositionUnknown):
            await rig.changer.move(slot(1), slot(7))
        after = await looked(rig)
        assert discs_of(rig)["disc-0001"] == place
        if rig.traits.homes:
            assert (after.epoch != before.epoch) is rig.traits.tells_changes
            assert after.state is MachineState.UNINITIALISED
            assert after.moves == count
            await rig.changer.initialize()
        counted = await looked(rig)
        full = {str(e.element) for e in counted.elements if e.fill is Fill.FULL}
        seen = set(discs_of(rig).values()) - (set() if rig.traits.sees_picker else {"picker 0"})
        assert full == (seen if rig.traits.sees else set())
        assert rig.plan.unfired() == ()


async def test_a_door_opened_on_the_way_stops_the_arm(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, [Fault(FaultKind.DOOR, "MOVE")]) as rig:
        await rig.changer.initialize()
        before = await rig.changer.status()
        with pytest.raises(DoorOpen if rig.traits.has_door else PositionUnknown):
            await rig.changer.move(slot(1), slot(7))
        if not rig.traits.has_door:
            return
        during = await rig.changer.status()
        assert during.state is MachineState.DOOR_OPEN
        with pytest.raises(DoorOpen):
            await rig.changer.move(slot(2), slot(8))
        rig.world.close_door()
        await looked(rig)
        await rig.changer.initialize()
        after = await rig.changer.status()
        assert (after.epoch != before.epoch) is rig.traits.tells_changes
        if rig.traits.sees_picker:
            assert after.of(PICKER).fill is Fill.FULL
        assert discs_of(rig)["disc-0001"] == "picker 0"
        assert rig.plan.unfired() == ()


async def test_discs_swapped_by_a_person_are_counted_anew(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        before = await rig.changer.status()
        with person(tmp_path) as world:
            world.swap(slot(1), slot(10))
        after = await rig.changer.status()
        if not rig.traits.has_door:
            assert {state.fill for state in after.elements} == {Fill.UNKNOWN}
            return
        assert (after.epoch != before.epoch) is rig.traits.tells_changes
        if rig.traits.homes:
            assert after.of(slot(10)).fill is Fill.UNKNOWN
        await rig.changer.initialize()
        counted = await rig.changer.status()
        assert (counted.of(slot(1)).fill, counted.of(slot(10)).fill) == (Fill.EMPTY, Fill.FULL)


async def test_a_fault_code_stops_the_machine_until_it_is_initialised(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, [Fault(FaultKind.FAULT, "MOVE", code="E42")]) as rig:
        await rig.changer.initialize()
        for _ in range(2):
            with pytest.raises(MachineFault, match="42"):
                await rig.changer.move(slot(1), slot(7))
        if rig.traits.tells_fault:
            assert (await rig.changer.status()).state is MachineState.FAULT
        await rig.changer.initialize()
        await rig.changer.move(slot(1), slot(7))
        assert discs_of(rig)["disc-0001"] == "slot 7"
        assert rig.plan.unfired() == ()


async def test_a_cancelled_move_goes_on_and_the_next_question_is_answered(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        with trio.move_on_after(3) as scope:
            await rig.changer.move(slot(1), slot(7))
        assert scope.cancelled_caught
        assert (await rig.changer.status()).state is MachineState.BUSY
        await trio.sleep(30)
        status = await rig.changer.status()
        assert status.state is MachineState.READY
        assert status.of(slot(7)).fill is (Fill.FULL if rig.traits.sees else Fill.UNKNOWN)
        await rig.changer.move(slot(7), slot(8))
        assert discs_of(rig)["disc-0001"] == "slot 8"


async def test_a_new_life_of_the_host_is_not_answered_from_the_old_ones_memory(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        with trio.move_on_after(3):
            await rig.changer.move(slot(1), slot(7))
        await rig.changer.aclose()
        await rig.changer.aclose()
        second = rig.reopen()
        if not rig.traits.queues:
            assert (await second.status()).state is MachineState.BUSY
            with pytest.raises(Busy):
                await second.move(slot(2), slot(8))
            await trio.sleep(30)
        await second.move(slot(2), slot(8))
        await second.move(slot(7), slot(9))
        places = discs_of(rig)
        assert (places["disc-0001"], places["disc-0002"]) == ("slot 9", "slot 8")
        assert (await second.status()).moves == moves(rig, 3)


async def test_every_error_is_a_changer_error_of_one_line(autojump_clock, open_rig, tmp_path):
    async with open_rig(tmp_path, ()) as rig:
        await rig.changer.initialize()
        with pytest.raises(ChangerError) as caught:
            await rig.changer.move(slot(1), slot(2))
        assert "\n" not in str(caught.value)
