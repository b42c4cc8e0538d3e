"""The jukebox over the simulated machine behind its line: every fault of its menu at every MOVE, STATUS and INIT."""

from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from jukebox_model import MemoryJournal, ModelDrive

from robot.changers.odjp import OdjpChanger
from robot.errors import ChangerError, PositionUnknown, RobotError
from robot.jukebox import Jukebox
from robot.ports import PICKER, DriveId, ElementKind, MotionOutcome, SlotId, Tray, drive, slot
from robot.sim.faults import LINE_FAULTS, Fault, FaultKind, FaultPlan
from robot.sim.openjuke import OpenJuke
from robot.sim.world import FLOOR, World
from robot.transport import memory_pair

UNNOTICED = {FaultKind.WRONG_SLOT, FaultKind.DOUBLE}
"""The machine does not notice these: only the disc's own label tells, which is the archive's part."""


class Truth(MemoryJournal):
    """A journal that holds outcomes against the simulated world."""

    def __init__(self, world: World) -> None:
        super().__init__(Places(world))


class Places:
    """The simulated world as the journal and the trays of the model see it."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def places(self):
        return {e: (self.world.at(e) or (None,))[0] for e in self.world.shape.elements()}

    @property
    def trays(self):
        return _Trays(self.world)


class _Trays:
    def __init__(self, world: World) -> None:
        self.world = world

    def __getitem__(self, number: int) -> Tray:
        return Tray.OPEN if self.world.tray_is_open(number) else Tray.CLOSED

    def __setitem__(self, number: int, tray: Tray) -> None:
        self.world.set_tray(number, is_open=tray is Tray.OPEN)


@asynccontextmanager
async def running(world: World, journal: Truth, plan: FaultPlan):
    machine = OpenJuke(world, faults=plan)
    host, line = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.serve, line)
        drives = {DriveId(n): ModelDrive(journal.world, n) for n in range(world.shape.drives)}
        yield Jukebox(OdjpChanger(host), drives, journal)
        await host.aclose()
        nursery.cancel_scope.cancel()


async def day(jukebox: Jukebox) -> None:
    await jukebox.start()
    await jukebox.load(SlotId(1), DriveId(0))
    await jukebox.unload(DriveId(0), SlotId(1))
    await jukebox.load(SlotId(3), DriveId(1))
    await jukebox.unload(DriveId(1), SlotId(5))


def lost(world: World) -> list[str]:
    return [name for name, place in world.discs().items() if place == FLOOR]


async def check_recovery(world: World, journal: Truth, jukebox: Jukebox) -> None:
    world.close_door()
    for _ in range(3):
        with suppress(ChangerError):
            await jukebox.start()
            break
    else:
        pytest.fail("the jukebox does not start again")
    assert not await journal.open_motions()
    assert not world.at(PICKER)
    for number in range(world.shape.drives):
        if world.at(drive(number)):
            free = next(e for e in world.shape.elements() if e.kind is ElementKind.SLOT and not world.at(e))
            await jukebox.unload(DriveId(number), SlotId(free.number))
    await jukebox.load(SlotId(2), DriveId(0))
    assert world.at(drive(0)) == ("disc-0002",)


CASES = [
    (kind, command)
    for command in ("MOVE", "STATUS", "INIT")
    for kind in FaultKind
    if kind not in UNNOTICED and (command != "STATUS" or kind in LINE_FAULTS)  # a question moves nothing
]


@pytest.mark.parametrize(("kind", "command"), CASES)
async def test_every_fault_at_every_command(kind, command, tmp_path: Path, autojump_clock):
    fired = 0
    for nth in range(1, 60):
        world = World.create(tmp_path / str(nth), slots=6, drives=2, mailslots=0, blanks=range(1, 4))
        journal = Truth(world)
        plan = FaultPlan([Fault(kind, command, nth=nth)])
        async with running(world, journal, plan) as jukebox:
            with suppress(RobotError):
                await day(jukebox)
                if plan.unfired():
                    break
            await check_recovery(world, journal, jukebox)
        fired += len(plan.faults) - len(plan.unfired())
        assert len(world.discs()) == 3
        assert all(len(world.at(e)) <= 1 for e in world.shape.elements())
        assert bool(lost(world)) == (kind is FaultKind.DROP and not plan.unfired())
        if lost(world):
            assert MotionOutcome.UNKNOWN in [row.outcome for row in journal.rows]
        if plan.unfired():
            break
    else:
        pytest.fail("the fault never ran out")
    if command == "MOVE":
        assert fired >= 4


async def test_a_machine_that_stays_mute_is_unknown_until_it_speaks(tmp_path, autojump_clock):
    world = World.create(tmp_path / "w", slots=6, drives=2, mailslots=0, blanks=range(1, 4))
    journal = Truth(world)
    mute, deaf = Fault(FaultKind.MUTE, "MOVE", times=0), Fault(FaultKind.DEAF, "STATUS", nth=1_000, times=0)
    plan = FaultPlan([mute, deaf])
    async with running(world, journal, plan) as jukebox:
        await jukebox.start()
        deaf.nth = plan._seen[True, "STATUS"] + 3  # two looks before the motion, then silence
        with pytest.raises(PositionUnknown):
            await jukebox.move(slot(1), slot(6))
        assert [row.outcome for row in journal.rows] == [MotionOutcome.UNKNOWN]
        assert not plan.unfired()
        mute.times = deaf.times = 1
        await check_recovery(world, journal, jukebox)
    assert world.at(slot(6)) == ("disc-0001",)
