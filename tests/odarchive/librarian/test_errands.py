"""What people ask of the machine by hand, and what the librarian does by itself about people and worn drives."""

import pytest
import trio

from odarchive.catalogue import discs, jobs, machine, schema
from odarchive.errors import NotFound, OperatorNeeded
from odarchive.librarian.carrying import carry
from odarchive.model import JobState, SlotState
from odarchive.service.needs import needs
from odarchive.service.report import robot_report
from robot.errors import Busy, NotReady
from robot.ports import Element, ElementKind, drive, slot
from robot.sim.world import World, person
from tests.odarchive.librarian.shop import Shop
from tests.odarchive.librarian.test_librarian import content_id


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


async def done(errand):
    await errand.ended.wait()
    assert errand.state == "done", errand.said
    return errand.said


async def test_load_move_and_unload_by_hand(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
        said = await done(librarian.errands.load(3, 1))
        assert said == "drive 1 holds a blank of slot 3"
        refused = librarian.errands.move(3, 7)
        await refused.ended.wait()
        assert (refused.state, "unload it first" in refused.said) == ("failed", True)
        await done(librarian.errands.unload(1))
        await done(librarian.errands.move(3, 7))
        assert shop.slots()[7].state is SlotState.BLANK
        assert shop.slots()[3].state is SlotState.EMPTY
        with pytest.raises(NotFound):
            librarian.errands.load(1, 9)
        for errand in librarian.errands.park():
            await done(errand)
        assert all(not bay.loaded for bay in librarian.bays)
    assert shop.violations() == []


async def test_an_exported_disc_has_a_place_and_is_known_again_when_it_comes_back(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
        for errand in librarian.errands.park():
            await done(errand)
        home = next(number for number, belief in shop.slots().items() if belief.state is SlotState.DISC)
        assert "SHOP_0001 lies in mailslot 1" in await done(librarian.errands.export(home, 1))
        with shop.archive.catalogue.read() as connection:
            assert discs.outside_labels(connection) == {"SHOP_0001": "mailslot 1"}
            assert discs.missing(connection) == []
        await done(librarian.errands.import_(1))
        await trio.sleep(600)
        with shop.archive.catalogue.read() as connection:
            assert discs.outside_labels(connection) == {}
            assert discs.find(connection, "SHOP_0001").slot is not None
        body = next(iter(shop.contents.values()))
        assert await librarian.recall(content_id(shop, body), 600) == ("done", "")
    assert shop.violations() == []


async def test_a_disc_carried_to_the_mailslot_is_exported_and_one_from_there_imported(autojump_clock, shop):
    shop.build()
    door = Element(ElementKind.MAILSLOT, 1)

    async def failed(errand):
        await errand.ended.wait()
        assert errand.state == "failed", errand.said
        return errand.said

    async with shop.life() as librarian:
        errands, world = librarian.errands, World.open(shop.root / "world")
        await shop.work(librarian)
        home = next(bay.home for bay in librarian.bays if bay.loaded)
        before = world.discs()
        assert "unload it first" in await failed(carry(errands, slot(home), door))
        for source, destination, hint in [
            (drive(0), drive(1), "odarchive robot unload 0"),
            (drive(0), slot(8), "odarchive robot unload 0"),
            (drive(0), door, "odarchive robot unload 0"),
            (door, drive(1), "odarchive robot import 1"),
            (Element(ElementKind.PICKER, 0), slot(8), "odarchive robot park"),
            (slot(2), Element(ElementKind.OUTPUT_BIN, 1), "odarchive robot move --help"),
        ]:
            with pytest.raises(OperatorNeeded, match=hint):
                carry(errands, source, destination)
        assert "this machine has 1 to 8" in await failed(carry(errands, slot(99), door))
        assert world.discs() == before
        for errand in errands.park():
            await done(errand)
        assert "SHOP_0001 lies in mailslot 1" in await done(carry(errands, slot(home), door))
        with shop.archive.catalogue.read() as connection:
            assert discs.outside_labels(connection) == {"SHOP_0001": "mailslot 1"}
        assert "slot 2 is not a free one" in await failed(carry(errands, door, slot(2)))
        await done(carry(errands, door, slot(8)))
        await trio.sleep(600)
        with shop.archive.catalogue.read() as connection:
            assert (discs.outside_labels(connection), discs.find(connection, "SHOP_0001").slot) == ({}, 8)
    assert shop.violations() == []


async def test_an_opened_door_makes_discs_stale_until_their_labels_are_read(autojump_clock, shop):
    shop.build(folders=2, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        for bay in librarian.bays:
            await bay.clear()
        with person(shop.root / "world") as world:
            where = {s.disc: n for n, s in shop.slots().items() if s.state is SlotState.DISC}
            first, second = list(where.values())[:2]
            world.swap(slot(first), slot(second))
        await trio.sleep(3600)
        with shop.archive.catalogue.read() as connection:
            said = [
                row.message for row in connection.execute(schema.event.select()) if row.kind in ("surprise", "looked")
            ]
        assert "somebody had access" in said[0]
        assert sum("holds disc" in message for message in said) >= len(where) - 1
        moved = {s.disc: n for n, s in shop.slots().items() if s.state is SlotState.DISC}
        expected = {disc: {first: second, second: first}.get(number, number) for disc, number in where.items()}
        assert moved == expected
    assert shop.violations() == []


async def test_a_drive_that_keeps_failing_is_put_aside_and_released(autojump_clock, shop):
    shop.build(folders=2, files=8, size=1_000_000)
    async with shop.life() as librarian:
        ill = librarian.bays[0].drive
        well = ill.medium

        async def broken(timeout=60.0):
            await trio.sleep(timeout)
            raise NotReady("drive 0: not ready")

        ill.medium = broken
        await trio.sleep(1800)
        with shop.archive.catalogue.read() as connection:
            record = machine.drives(connection)[0]
            messages = [row.message for row in connection.execute(schema.event.select()) if row.kind == "quarantine"]
        assert record.why == "drive 0: not ready"
        assert len(messages) == 1
        await shop.work(librarian)
        ill.medium = well
        await done(librarian.errands.release(0))
        await trio.sleep(60)
        await shop.work(librarian)
        assert {job.state for job in shop.jobs()} == {JobState.DONE}
        assert librarian.bays[0].activity.step == "idle"
    assert shop.violations() == []


async def test_a_paused_queue_begins_no_disc_and_goes_on_when_resumed(autojump_clock, shop):
    shop.build()
    with shop.archive.catalogue.write() as connection:
        machine.remember(connection, "queue", "paused")
    async with shop.life() as librarian:
        await trio.sleep(600)
        assert shop.tally() == {}
        with shop.archive.catalogue.write() as connection:
            machine.remember(connection, "queue", "running")
        await librarian.look_again()
        await shop.work(librarian)
    assert shop.tally() == {"verified": 1}


def test_a_cancelled_burn_can_be_tried_again(shop):
    shop.build()
    (job,) = shop.jobs()
    with shop.archive.catalogue.write() as connection:
        assert jobs.cancel(connection, job.id, now_ns=1).state is JobState.CANCELLED
        assert jobs.retry(connection, job.id, now_ns=1).state is JobState.QUEUED


async def test_a_reader_that_never_pauses_does_not_keep_out_the_others(autojump_clock, shop):
    shop.build(folders=3, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        await done(librarian.errands.unload(1))
    with shop.archive.catalogue.write() as connection:
        machine.quarantine(connection, 1, "a test")  # one drive is left
    settings = shop.root / "archive" / "archive.toml"
    settings.write_text(settings.read_text() + "read_ahead = 0\n[recall]\ndeadline = 200\n")
    by_segment = {}
    for body in shop.contents.values():
        number = content_id(shop, body)
        with shop.archive.catalogue.read() as connection:
            (extent,) = discs.extents(connection, number)
        by_segment.setdefault(extent.segment, []).append(number)
    greedy, other = sorted(by_segment.values(), key=len, reverse=True)[:2]
    waited = []
    async with shop.life() as librarian, trio.open_nursery() as nursery:

        async def copy_for_ever():
            while True:
                for content in greedy:
                    await librarian.recall(content, 60)
                    librarian.room.cache.drop((await librarian.room.read(discs.content, content))[0])
                    await trio.sleep(1)  # less than the hold

        async def read_once():
            await trio.sleep(60)
            begin = trio.current_time()
            assert await librarian.recall(other[0], 900) == ("done", "")
            waited.append(trio.current_time() - begin)
            nursery.cancel_scope.cancel()

        nursery.start_soon(copy_for_ever)
        nursery.start_soon(read_once)
    assert 30 < waited[0] < 200
    assert librarian.bays[1].activity.step.startswith("out of service: a test")


async def test_work_that_needs_a_person_ends_no_librarian(autojump_clock, shop):
    """A drive that cannot be emptied for the next disc: it waits, says so, and goes on when it can."""
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
        tries = []

        async def stuck(bay):
            del bay
            if len(tries) > 2:
                return None

            async def work():
                tries.append(trio.current_time())
                raise OperatorNeeded("no slot is empty; take one disc out")

            return work

        librarian._claim = stuck
        librarian.wake()
        await trio.sleep(10)
        (need, *_) = needs(librarian, [])
        assert "waits for a person: no slot is empty" in need.title
        await trio.sleep(600)
        assert 2 < len(tries) < 5
        assert needs(librarian, []) == []
    assert shop.violations() == []


async def test_a_machine_whose_arm_is_at_work_for_long_says_so(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, trio.open_nursery() as nursery:
        await shop.work(librarian)

        async def long_motion(*, task_status):
            async with librarian.room.jukebox._lock:
                task_status.started()
                await trio.sleep(100)

        await nursery.start(long_motion)
        with trio.fail_after(30), pytest.raises(Busy, match=r"its arm is at work \(drive 0: idle"):
            await robot_report(librarian)
        await trio.sleep(100)
        assert (await robot_report(librarian))["state"] == "ready"
