"""The contract of ``robot.ports.Changer`` for stack machines: bins whose top disc alone can be reached, few sensors.

The rule is that of ``test_changer``: no disc is lost, none is moved twice, whoever asks gets an answer in bounded time.
What such a machine cannot tell, its driver leaves UNKNOWN; who wants to know reads the disc in the drive.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
import trio
from stack_rigs import DISCS, STACKS, StackKind, StackRig

from robot.errors import (
    BadAddress,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import PICKER, Element, ElementKind, Fill, MachineState, drive, slot
from robot.sim.faults import FOR_EVER, LINE_FAULTS, Fault, FaultKind
from robot.sim.world import FLOOR

INPUT = Element(ElementKind.INPUT_BIN, 1)
OUTPUT = Element(ElementKind.OUTPUT_BIN, 1)
REJECT = Element(ElementKind.REJECT_BIN, 1)
DRIVE = drive(0)


@pytest.fixture(params=sorted(STACKS))
def kind(request) -> StackKind:
    return STACKS[request.param]


def piles(rig: StackRig, discs: int = DISCS) -> Counter[str]:
    """How many discs lie where; fails if one vanished or appeared."""
    places = rig.world.discs()
    assert set(places) == {f"disc-{n:04}" for n in range(1, discs + 1)}
    return Counter(places.values())


async def ready(rig: StackRig, **more) -> None:
    """What the jukebox does before a motion, and after one that ended in doubt."""
    changer = more.get("changer", rig.changer)
    rig.world.set_tray(0, is_open=True)
    for _ in range(20):
        with suppress(CommunicationLost, PositionUnknown):
            await changer.initialize()
            if (await changer.status()).state is MachineState.READY:
                return
        await trio.sleep(10)
    raise AssertionError("never ready")


async def test_a_ready_machine_tells_who_it_is_and_what_it_has(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        assert (await rig.changer.identify()).model
        can = await rig.changer.capabilities()
        assert (can.slots, can.drives, can.random_access, can.has_reject) == (0, 1, False, True)
        assert can.tray_by_host
        assert (await rig.changer.status()).state is MachineState.UNINITIALISED
        await rig.changer.initialize()
        status = await rig.changer.status()
        assert status.state is MachineState.READY
        assert {INPUT, OUTPUT, REJECT, DRIVE} <= {state.element for state in status.elements}
        assert {state.fill for state in status.elements} <= {Fill.UNKNOWN, Fill.EMPTY}, "it cannot know"
        await rig.changer.initialize()
        assert await rig.changer.status() == status


async def test_discs_go_from_the_top_of_the_pile_through_the_drive(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        await ready(rig)
        for number, target in enumerate((OUTPUT, REJECT, OUTPUT, OUTPUT, OUTPUT, OUTPUT, REJECT, OUTPUT), 1):
            await rig.changer.move(INPUT, DRIVE)
            assert (await rig.changer.status()).of(DRIVE).fill is Fill.FULL
            assert (tmp_path / "drives/0/medium").resolve().name == f"disc-{number:04}.disc"
            await rig.changer.move(DRIVE, target)
            assert (await rig.changer.status()).of(DRIVE).fill is Fill.EMPTY
            assert rig.world.discs()[f"disc-{number:04}"] == str(target)
        assert piles(rig) == {str(OUTPUT): 6, str(REJECT): 2}


@pytest.mark.parametrize(
    ("source", "destination"),
    [(slot(1), DRIVE), (INPUT, drive(7)), (INPUT, INPUT), (INPUT, Element(ElementKind.OUTPUT_BIN, 9))],
)
async def test_moves_it_cannot_make_are_refused(autojump_clock, kind, tmp_path, source, destination):
    async with kind.open(tmp_path) as rig:
        await ready(rig)
        for _ in range(2):
            with pytest.raises(BadAddress):
                await rig.changer.move(source, destination)
        assert piles(rig) == {str(INPUT): DISCS}


async def test_a_machine_not_initialised_moves_nothing(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        with pytest.raises(MachineFault, match="initialize"):
            await rig.changer.move(INPUT, DRIVE)
        assert piles(rig) == {str(INPUT): DISCS}


async def test_no_second_disc_onto_the_first_and_none_out_of_an_empty_drive(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        await ready(rig)
        await rig.changer.move(INPUT, DRIVE)
        with pytest.raises(DestinationFull):
            await rig.changer.move(INPUT, DRIVE)
        await rig.changer.move(DRIVE, OUTPUT)
        with pytest.raises(SourceEmpty):
            await rig.changer.move(DRIVE, OUTPUT)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(OUTPUT): 1}


async def test_a_new_life_does_not_know_the_drive_and_takes_nothing_that_is_not_there(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        await ready(rig)
        assert (await rig.changer.status()).of(DRIVE).fill is Fill.UNKNOWN
        with pytest.raises(ChangerError):
            await rig.changer.move(DRIVE, OUTPUT)
        assert piles(rig) == {str(INPUT): DISCS}
        await ready(rig)
        await rig.changer.move(INPUT, DRIVE)
        second = rig.reopen()
        await ready(rig, changer=second)
        await second.move(DRIVE, OUTPUT)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(OUTPUT): 1}


async def test_a_closed_tray_stops_an_arm_that_feels_it(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        await ready(rig)
        rig.world.set_tray(0, is_open=False)
        if not kind.feels:
            await rig.changer.move(INPUT, DRIVE)
            assert piles(rig)[FLOOR] == 1, "whoever sends this machine has to look at the tray first"
            return
        with pytest.raises(ChangerError):
            await rig.changer.move(INPUT, DRIVE)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(PICKER): 1}
        await rig.changer.move(PICKER, REJECT)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(REJECT): 1}


@pytest.mark.parametrize("fault", sorted(LINE_FAULTS))
@pytest.mark.parametrize("strength", [(1, 2.0), (3, 2.0), (1, 100.0), (3, 100.0)])
@pytest.mark.parametrize("half", ["take", "put"])
async def test_a_disturbed_conversation_never_puts_two_discs_together(
    autojump_clock, kind, tmp_path, fault, strength, half
):
    order = Fault(fault, getattr(kind, half), nth=2, times=strength[0], seconds=strength[1])
    async with kind.open(tmp_path, [order]) as rig:
        await ready(rig)
        for _ in range(4):
            with suppress(PositionUnknown, CommunicationLost, MachineFault, PickFailed):
                await rig.changer.move(INPUT, DRIVE)
            await ready(rig)
            assert len(rig.world.at(DRIVE)) + len(rig.world.at(PICKER)) <= 1
            if rig.world.at(PICKER):  # what the jukebox cannot see, a person does
                rig.world.shift(PICKER, REJECT)
                rig.changer = rig.reopen()
                await ready(rig)
            if rig.world.at(DRIVE):
                with suppress(PositionUnknown, CommunicationLost, MachineFault, PickFailed):
                    await rig.changer.move(DRIVE, OUTPUT)
                await ready(rig)
                if rig.world.at(DRIVE):
                    rig.world.shift(DRIVE, OUTPUT)
                    rig.changer = rig.reopen()
                    await ready(rig)
        held = piles(rig)
        assert held[FLOOR] == 0
        assert DISCS - held[str(INPUT)] == held[str(OUTPUT)] + held[str(REJECT)] + held[str(PICKER)]
        assert rig.plan.unfired() == ()


@pytest.mark.parametrize("fault", [FaultKind.MUTE, FaultKind.DEAF])
async def test_silence_for_ever_ends_in_bounded_time(autojump_clock, kind, tmp_path, fault):
    async with kind.open(tmp_path, [Fault(fault, kind.take, times=FOR_EVER)]) as rig:
        await ready(rig)
        with trio.fail_after((await rig.changer.capabilities()).move_timeout), pytest.raises(PositionUnknown):
            await rig.changer.move(INPUT, DRIVE)
        assert (await rig.changer.status()).state is not MachineState.READY
        with pytest.raises(MachineFault, match="initialize"):
            await rig.changer.move(INPUT, DRIVE)
        assert rig.plan.unfired() == ()


async def test_an_empty_bin_is_told(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path, discs=1) as rig:
        await ready(rig)
        await rig.changer.move(INPUT, DRIVE)
        await rig.changer.move(DRIVE, OUTPUT)
        for _ in range(2):
            with pytest.raises(SourceEmpty):
                await rig.changer.move(INPUT, DRIVE)
        assert piles(rig, 1) == {str(OUTPUT): 1}
        rig.world.lift(OUTPUT, INPUT)
        await rig.changer.move(INPUT, DRIVE)
        assert piles(rig, 1) == {str(DRIVE): 1}


@pytest.mark.parametrize("full", [OUTPUT, REJECT])
async def test_a_full_bin_loses_no_disc_and_the_machine_goes_on_when_it_is_emptied(
    autojump_clock, kind, tmp_path, full
):
    """Those that feel it; for the others the librarian counts."""
    async with kind.open(tmp_path, bin_holds=2) as rig:
        await ready(rig)
        for _ in range(2):
            await rig.changer.move(INPUT, DRIVE)
            await rig.changer.move(DRIVE, full)
        await rig.changer.move(INPUT, DRIVE)
        if not kind.feels:
            await rig.changer.move(DRIVE, full)
            assert piles(rig)[str(full)] == 3
            return
        for _ in range(2):
            with pytest.raises(ChangerError):
                await rig.changer.move(DRIVE, full)
            await ready(rig)
            held = piles(rig)
            assert held[str(full)] == 2
            assert held[str(DRIVE)] + held[str(PICKER)] == 1
            assert held[FLOOR] == 0
        while rig.world.at(full):  # a person empties it
            rig.world.lift(full, "shelf")
        if rig.world.at(PICKER):
            await rig.changer.move(PICKER, REJECT)
        await rig.changer.move(INPUT, DRIVE)
        await rig.changer.move(DRIVE, full)
        assert piles(rig)[FLOOR] == 0


async def test_a_picker_that_misses_leaves_the_disc(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path, [Fault(FaultKind.JAM_EMPTY, kind.take)]) as rig:
        await ready(rig)
        if not kind.feels:
            await rig.changer.move(INPUT, DRIVE)  # nothing tells; the drive will find no medium
            assert piles(rig) == {str(INPUT): DISCS}
        else:
            with pytest.raises(PickFailed):
                await rig.changer.move(INPUT, DRIVE)
            assert piles(rig) == {str(INPUT): DISCS}
            await rig.changer.move(INPUT, DRIVE)
            assert piles(rig) == {str(INPUT): DISCS - 1, str(DRIVE): 1}
        assert rig.plan.unfired() == ()


async def test_a_picker_that_jams_keeps_the_disc(autojump_clock, kind, tmp_path):
    nth = 1 if kind.feels else 2  # this gripper also opens before it takes
    async with kind.open(tmp_path, [Fault(FaultKind.JAM_HELD, kind.put, nth=nth)]) as rig:
        await ready(rig)
        if not kind.feels:
            await rig.changer.move(INPUT, DRIVE)
            assert piles(rig) == {str(INPUT): DISCS - 1, str(DRIVE): 1}, "parking lets go of it"
        else:
            with pytest.raises(PickFailed):
                await rig.changer.move(INPUT, DRIVE)
            assert piles(rig) == {str(INPUT): DISCS - 1, str(PICKER): 1}
            await rig.changer.move(PICKER, REJECT)
            assert piles(rig) == {str(INPUT): DISCS - 1, str(REJECT): 1}
        assert rig.plan.unfired() == ()


async def test_a_dropped_disc_is_not_in_the_drive(autojump_clock, kind, tmp_path):
    nth = 1 if kind.feels else 2
    async with kind.open(tmp_path, [Fault(FaultKind.DROP, kind.put, nth=nth)]) as rig:
        await ready(rig)
        if kind.feels:
            with pytest.raises(PickFailed):
                await rig.changer.move(INPUT, DRIVE)
        else:
            await rig.changer.move(INPUT, DRIVE)
        assert piles(rig) == {str(INPUT): DISCS - 1, FLOOR: 1}
        assert rig.plan.unfired() == ()


async def test_two_discs_at_once_go_unnoticed(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path, [Fault(FaultKind.DOUBLE, kind.take)]) as rig:
        await ready(rig)
        await rig.changer.move(INPUT, DRIVE)
        assert len(rig.world.at(DRIVE)) == 2
        assert not (tmp_path / "drives/0/medium").is_symlink(), "a drive reads no stack"
        assert rig.plan.unfired() == ()


@pytest.mark.parametrize(("at", "half"), [("start", "take"), ("held", "take"), ("placed", "put")])
async def test_power_lost_during_a_move_leaves_the_position_unknown(autojump_clock, kind, tmp_path, at, half):
    async with kind.open(tmp_path, [Fault(FaultKind.POWER, getattr(kind, half), at=at)]) as rig:
        await ready(rig)
        with pytest.raises(PositionUnknown):
            await rig.changer.move(INPUT, DRIVE)
        assert (await rig.changer.status()).of(DRIVE).fill is Fill.UNKNOWN
        await ready(rig)
        held = piles(rig)
        assert held[str(INPUT)] >= DISCS - 1
        assert held[FLOOR] == 0
        assert rig.plan.unfired() == ()


async def test_a_fault_code_stops_the_machine_until_it_is_initialised(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path, [Fault(FaultKind.FAULT, kind.take, code="E16")]) as rig:
        await ready(rig)
        with pytest.raises((MachineFault, PositionUnknown), match="16"):
            await rig.changer.move(INPUT, DRIVE)
        assert (await rig.changer.status()).state is not MachineState.READY
        await ready(rig)
        await rig.changer.move(INPUT, DRIVE)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(DRIVE): 1}
        assert rig.plan.unfired() == ()


async def test_a_cancelled_move_goes_on_to_its_end(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path) as rig:
        await ready(rig)
        with trio.move_on_after(3):
            await rig.changer.move(INPUT, DRIVE)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(DRIVE): 1}
        await ready(rig)
        await rig.changer.move(DRIVE, OUTPUT)
        assert piles(rig) == {str(INPUT): DISCS - 1, str(OUTPUT): 1}


@pytest.mark.parametrize("after", [0.5, 3.0, 6.0])
async def test_answers_to_an_earlier_life_are_not_taken_for_ours(autojump_clock, kind, tmp_path, after):
    async with kind.open(tmp_path) as rig:
        await ready(rig)

        async def first_life() -> None:
            with suppress(CommunicationLost):
                await rig.changer.move(INPUT, DRIVE)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first_life)
            await trio.sleep(after)
            await rig.changer.aclose()
            await rig.changer.aclose()
        second = rig.reopen()
        await ready(rig, changer=second)
        assert piles(rig)[FLOOR] == 0
        assert (await second.status()).of(DRIVE).fill is Fill.UNKNOWN
        for place in (PICKER, DRIVE):  # a person clears up
            if rig.world.at(place):
                rig.world.shift(place, REJECT)
        for count in (1, 2):
            await second.move(INPUT, DRIVE)
            assert len(rig.world.at(DRIVE)) == 1
            await second.move(DRIVE, OUTPUT)
            assert piles(rig)[str(OUTPUT)] == count


async def test_every_error_is_a_changer_error_of_one_line(autojump_clock, kind, tmp_path):
    async with kind.open(tmp_path, discs=1) as rig:
        await ready(rig)
        rig.world.shift(INPUT, OUTPUT)
        with pytest.raises(ChangerError) as caught:
            await rig.changer.move(INPUT, DRIVE)
        assert "\n" not in str(caught.value)
