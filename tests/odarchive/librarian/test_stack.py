"""Machines with bins: a stack of blanks becomes discs, and a person brings discs back in any order."""

from dataclasses import dataclass

import pytest
import trio

from odarchive.catalogue import bins, discs, motions
from odarchive.errors import OperatorNeeded
from odarchive.librarian.carrying import carry
from odarchive.model import DiscState, JobState
from robot import ports
from robot.changers.look import look_into
from robot.changers.odrobot import OdRobotChanger
from robot.changers.oneletter import OneLetterChanger
from robot.changers.ras13 import Ras13Changer
from robot.ports import DriveId, Element, ElementKind
from robot.sim.bins import INPUT, OUTPUT, REJECT, stacked_world
from robot.sim.faults import FaultPlan
from robot.sim.odrobot import OdRobotMachine
from robot.sim.oneletter import OneLetterMachine
from robot.sim.ras13 import Ras13Machine
from robot.sim.world import DiscKind, World
from robot.transport import memory_pair
from tests.odarchive.librarian.shop import HostCrashError, Shop

CAPACITY = 10_000_000
MACHINES = {
    "generic": (OneLetterMachine, lambda line, drives: OneLetterChanger(line, look=look_into(drives))),
    "ras13": (Ras13Machine, lambda line, _: Ras13Changer(line)),
    "odrobot": (OdRobotMachine, lambda line, drives: OdRobotChanger(line, look=look_into(drives))),
}


@dataclass
class StackShop(Shop):
    """The shop with a machine that has bins."""

    name: str = "generic"
    world: World | None = None

    def make_world(self, blanks, kind):
        stacked_world(self.root / "world", drives=1, blanks=len(blanks), kind=kind)

    def connect(self, nursery, drives, faults):
        machine, driver = MACHINES[self.name]
        self.world = World.open(self.root / "world")
        host, far = memory_pair()
        nursery.start_soon(machine(self.world, faults=FaultPlan(faults)).serve, far)
        return driver(host, drives)

    def lying(self, place: Element) -> list[str]:
        return [str(name) for name in self.world.at(place)]

    def carry(self, source: Element, destination: Element) -> None:
        """A person carries all discs of a bin, one by one: they lie in the other order then."""
        while self.world.at(source):
            self.world.lift(source, destination)

    def places(self) -> dict[int, str | None]:
        with self.archive.catalogue.read() as connection:
            return {disc: motions.where(connection, disc) for disc in discs.labels(connection)}


@pytest.fixture(params=sorted(MACHINES))
def shop(request, tmp_path) -> StackShop:
    return StackShop(tmp_path, name=request.param)


async def content_ids(shop, librarian):
    with shop.archive.catalogue.read() as connection:
        return connection.exec_driver_sql("SELECT id FROM content WHERE size > 0 ORDER BY id").scalars().all()


async def test_a_stack_of_blanks_becomes_discs(autojump_clock, shop):
    shop.build(folders=3, files=2, size=4_000_000, blanks=range(1, 7))
    async with shop.life() as librarian:
        await shop.work(librarian)
        assert shop.tally() == {DiscState.VERIFIED: 3}
        assert [job.state for job in shop.jobs()] == [JobState.DONE] * 3
        assert len(shop.lying(OUTPUT)) == 2  # the last one stays in the drive, where it can be read
        assert len(shop.lying(INPUT)) == 3
        assert sorted(shop.places().values()) == ["the robot's drive 0", *["the robot's output-bin 1"] * 2]
    assert shop.violations() == []


async def test_a_spoiled_disc_goes_to_the_reject_bin_and_the_next_blank_is_taken(autojump_clock, shop):
    shop.burner.spoil = {0}
    shop.build(folders=2, files=2, size=4_000_000, blanks=range(1, 7))
    async with shop.life() as librarian:
        await shop.work(librarian)
        assert shop.tally() == {DiscState.VERIFIED: 2, DiscState.SPOILED: 1}
        assert shop.lying(REJECT) == ["disc-0001"]
        assert "the robot's reject-bin 1" in shop.places().values()
    assert shop.violations() == []


async def test_an_empty_input_bin_asks_for_blanks_once_and_goes_on_when_they_come(autojump_clock, shop):
    shop.build(folders=2, files=2, size=4_000_000, blanks=range(1, 2))
    async with shop.life() as librarian:
        await shop.work(librarian)
        waits = [job for job in shop.jobs() if job.state is JobState.WAITING]
        assert [job.why for job in waits] == ["the robot's input bin is empty; put blank discs into it"]
        shop.world.add_disc("late", INPUT, DiscKind(CAPACITY))
        await trio.sleep(120)
        assert shop.tally() == {DiscState.VERIFIED: 2}
        with shop.archive.catalogue.read() as connection:
            notes = connection.exec_driver_sql("SELECT message FROM event WHERE message LIKE '%input bin%'").scalars()
            assert len(notes.all()) == 1
            outcomes = connection.exec_driver_sql("SELECT DISTINCT outcome FROM motion").scalars().all()
            assert set(outcomes) == {"done", "failed"}  # no riddle


async def test_what_is_no_blank_is_put_aside(autojump_clock, shop):
    shop.build(folders=1, files=2, size=4_000_000, blanks=range(1, 2))
    world = World.open(shop.root / "world")
    world.add_disc("foreign", INPUT, DiscKind(CAPACITY), b"x" * 2048 * 40)
    world.add_disc("small", INPUT, DiscKind(4_000_000))
    async with shop.life() as librarian:
        await shop.work(librarian)
        assert shop.tally() == {DiscState.VERIFIED: 1}
        assert shop.lying(REJECT) == ["small", "foreign"]


async def test_recall_asks_for_a_disc_by_name_and_takes_discs_in_any_order(autojump_clock, shop):
    shop.build(folders=3, files=2, size=4_000_000, blanks=range(1, 4))
    async with shop.life() as librarian:
        await shop.work(librarian)
        contents = await content_ids(shop, librarian)
        answers = {}

        async def read(content):
            while (answer := await librarian.recall(content, 50))[0] == "waiting":
                answers.setdefault(content, set()).add(answer[1])
            answers[content] = answer

        async with trio.open_nursery() as nursery:
            for content in contents:
                nursery.start_soon(read, content)
            await trio.sleep(600)
            asked = {why for said in answers.values() if isinstance(said, set) for why in said}
            wanted = {word for why in asked for word in why.split() if word.startswith("SHOP_")}
            assert len(wanted) == 2, asked  # one of the three was in the drive
            asked -= {"waiting for its disc"}
            assert all("(the robot's output-bin 1) on top of the robot's input bin" in why for why in asked)
            shop.carry(OUTPUT, INPUT)  # both at once
            with trio.fail_after(3600):
                while any(isinstance(said, set) for said in answers.values()):
                    await trio.sleep(1)
        assert set(answers.values()) == {("done", "")}
        with shop.archive.catalogue.read() as connection:
            said = connection.exec_driver_sql("SELECT message FROM event WHERE kind = 'bring-disc'").scalars().all()
            assert len(said) == 2  # a person is told once about each
    assert shop.violations() == []


async def test_blanks_on_top_are_not_carried_to_the_output_bin_for_a_reader(autojump_clock, shop):
    shop.build(folders=2, files=2, size=4_000_000, blanks=range(1, 7))
    async with shop.life() as librarian:
        await shop.work(librarian)
        contents = await content_ids(shop, librarian)
        with trio.move_on_after(4000):
            for content in contents:
                while (answer := await librarian.recall(content, 50))[0] == "waiting":
                    pass
        assert "blanks lie now" in answer[1]
        assert len(shop.lying(INPUT)) == 3  # one of the four blanks left lies in the drive
        bay = librarian.bays[0]
        assert bay.found.kind.value == "blank"
        shop.carry(OUTPUT, INPUT)
        await librarian.look_again()
        with trio.fail_after(600):
            while (await librarian.recall(content, 50))[0] == "waiting":
                pass
        assert bay.disc is not None


@pytest.mark.parametrize("at", range(12, 34, 3))
async def test_a_crash_at_any_moment_leaves_a_bin_machine_that_goes_on(autojump_clock, shop, at):
    shop.build(folders=2, files=2, size=4_000_000, blanks=range(1, 9))
    try:
        async with shop.life(at=at) as librarian:
            await shop.work(librarian)
    except BaseExceptionGroup as group:
        assert group.split(HostCrashError)[1] is None
    async with shop.life() as librarian:
        await shop.work(librarian)
        assert shop.tally()[DiscState.VERIFIED] == 2
        assert all(len(shop.world.at(Element(ElementKind.DRIVE, n))) <= 1 for n in (DriveId(0),))
    assert shop.violations() == []


async def test_discs_are_moved_by_hand_from_bin_to_drive_and_out(autojump_clock, shop):
    shop.build(blanks=range(1, 3))

    async def ended(errand):
        await errand.ended.wait()
        return errand.state, errand.said

    async with shop.life() as librarian:
        await shop.work(librarian)
        errands, where = librarian.errands, ports.drive(0)
        (label,) = shop.places()
        assert (await ended(carry(errands, where, REJECT)))[0] == "done"
        assert shop.places()[label] == f"the robot's {REJECT}"
        assert await ended(carry(errands, where, REJECT)) == ("failed", "drive 0 is empty")
        assert await ended(errands.load_next(0)) == ("done", "drive 0 holds a blank")
        before = shop.world.discs()
        for wrong in (errands.load(1, 0), errands.move(1, 2), errands.export(1, 1), errands.import_(1)):
            assert (await ended(wrong))[0] == "failed"
        assert shop.world.discs() == before
        assert (await ended(carry(errands, INPUT, where)))[1].startswith("there is no next disc")
        assert len(shop.lying(OUTPUT)) == 1
        assert (await ended(carry(errands, REJECT, Element(ElementKind.OUTPUT_BIN, 7))))[0] == "failed"
    assert shop.violations() == []


async def test_a_disc_is_taken_from_the_bin_that_was_said_or_from_none(autojump_clock, shop):
    shop.build(blanks=range(1, 4))
    async with shop.life() as librarian:
        await shop.work(librarian)
        where = ports.drive(0)
        await carry(librarian.errands, where, REJECT).ended.wait()
        rejected, waiting = shop.lying(REJECT), shop.lying(INPUT)
        assert (len(rejected), len(waiting)) == (1, 2)
        errand = carry(librarian.errands, REJECT, where)
        await errand.ended.wait()
        assert shop.lying(INPUT) == waiting, "another bin was named"
        if errand.state == "done":
            assert shop.lying(REJECT) == []
            assert errand.said.startswith("drive 0 holds disc SHOP_0001")
            assert list(shop.places().values()) == [f"the robot's {where}"]
        else:
            assert shop.lying(REJECT) == rejected
        with pytest.raises(OperatorNeeded):
            carry(librarian.errands, where, where)
        with pytest.raises(OperatorNeeded):
            carry(librarian.errands, REJECT, Element(ElementKind.MAILSLOT, 1))
    assert shop.violations() == []


async def test_a_bin_full_by_our_count_is_not_overfilled_and_the_night_goes_on_when_it_is_emptied(autojump_clock, shop):
    shop.build(folders=5, files=2, size=4_000_000, blanks=range(1, 8))
    settings = shop.root / "archive" / "archive.toml"
    settings.write_text(settings.read_text() + "[robot]\nbin_holds = 2\n")
    async with shop.life() as librarian:
        await shop.work(librarian)
        await trio.sleep(600)
        assert len(shop.lying(OUTPUT)) == 2
        whys = {job.why for job in shop.jobs() if job.state is JobState.WAITING}
        assert len(whys) == 1
        assert "output bin is full (2 discs)" in whys.pop()
        while shop.world.at(OUTPUT):
            shop.world.lift(OUTPUT, "shelf 1")
        with shop.archive.catalogue.write() as connection:
            assert bins.emptied(connection, str(OUTPUT), "shelf 1", now_ns=1) == 2
        await librarian.look_again()
        await shop.work(librarian)
        await trio.sleep(600)
        assert shop.tally() == {DiscState.VERIFIED: 5}
        assert len(shop.lying(OUTPUT)) == 2
        assert sorted(shop.places().values())[-2:] == ["the robot's output-bin 1", "the robot's output-bin 1"]
        assert list(shop.places().values()).count("shelf 1") == 2
    assert shop.violations() == []
