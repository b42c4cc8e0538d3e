"""The jukebox over every kind of machine: trays, journal and evidence with those that tell little."""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from jukebox_model import MemoryJournal, ModelDrive

from robot.errors import SourceEmpty
from robot.jukebox import Jukebox
from robot.ports import DriveId, Element, ElementKind, MotionOutcome, SlotId, Tray, drive
from robot.sim.world import World

sys.path.append(str(Path(__file__).parent.parent / "contract"))
from changer_rigs import RIGS
from stack_rigs import STACKS

INPUT, OUTPUT = Element(ElementKind.INPUT_BIN, 1), Element(ElementKind.OUTPUT_BIN, 1)
REJECT = Element(ElementKind.REJECT_BIN, 1)


class Truth(dict):
    """What lies on top at each place of a simulated world, for the journal; trays for the drives."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.places = self
        self.trays = self

    def __getitem__(self, key):
        if isinstance(key, int):
            return Tray.OPEN if self.world.tray_is_open(key) else Tray.CLOSED
        return (self.world.at(key) or (None,))[-1]

    def __setitem__(self, number, tray):
        self.world.set_tray(number, is_open=tray is Tray.OPEN)


@asynccontextmanager
async def jukebox(rig):
    truth = Truth(rig.world)
    journal = MemoryJournal(truth)
    drives = {DriveId(n): ModelDrive(truth, n) for n in range(rig.world.shape.drives)}
    machine = Jukebox(rig.changer, drives, journal)
    await machine.start()
    yield machine, journal


@pytest.mark.parametrize("name", sorted(RIGS))
async def test_a_day_with_random_access(autojump_clock, tmp_path, name):
    async with RIGS[name](tmp_path, ()) as rig, jukebox(rig) as (machine, journal):
        for _ in range(2):
            await machine.load(SlotId(1), DriveId(0))
        assert rig.world.discs()["disc-0001"] == "drive 0"
        assert not rig.world.tray_is_open(0)
        await machine.load(SlotId(3), DriveId(1))
        await machine.unload(DriveId(0), SlotId(9))
        await machine.unload(DriveId(1), SlotId(3))
        assert rig.world.discs()["disc-0001"] == "slot 9"
        assert [row.outcome for row in journal.rows] == [MotionOutcome.DONE] * 4
        assert not any(rig.world.tray_is_open(number) for number in (0, 1))


@pytest.mark.parametrize("name", sorted(STACKS))
async def test_a_night_with_a_stack_of_blanks(autojump_clock, tmp_path, name):
    async with STACKS[name].open(tmp_path) as rig, jukebox(rig) as (machine, journal):
        for target in (OUTPUT, OUTPUT, REJECT, OUTPUT):
            await machine.move(INPUT, drive(0))
            assert not rig.world.tray_is_open(0)
            await machine.move(drive(0), target)
        assert [rig.world.discs()[f"disc-{n:04}"] for n in (1, 2, 3, 4)] == [
            str(OUTPUT),
            str(OUTPUT),
            str(REJECT),
            str(OUTPUT),
        ]
        assert [row.outcome for row in journal.rows] == [MotionOutcome.DONE] * 8


@pytest.mark.parametrize("name", sorted(STACKS))
async def test_an_empty_input_bin_is_no_riddle(autojump_clock, tmp_path, name):
    async with STACKS[name].open(tmp_path, discs=1) as rig, jukebox(rig) as (machine, journal):
        await machine.move(INPUT, drive(0))
        await machine.move(drive(0), OUTPUT)
        for _ in range(2):
            with pytest.raises(SourceEmpty):
                await machine.move(INPUT, drive(0))
        rig.world.add_disc("disc-0002", INPUT)
        await machine.move(INPUT, drive(0))  # nothing has to be cleared up before the next one
        assert rig.world.discs()["disc-0002"] == "drive 0"
        outcomes = [row.outcome for row in journal.rows]
        assert outcomes == [MotionOutcome.DONE] * 2 + [MotionOutcome.FAILED] * 2 + [MotionOutcome.DONE]


async def test_a_person_who_finds_no_disc_is_believed(autojump_clock, tmp_path):
    async with RIGS["manual"](tmp_path, ()) as rig, jukebox(rig) as (machine, journal):
        with pytest.raises(SourceEmpty):
            await machine.load(SlotId(9), DriveId(0))
        await machine.load(SlotId(1), DriveId(0))
        assert [row.outcome for row in journal.rows] == [MotionOutcome.FAILED, MotionOutcome.DONE]
