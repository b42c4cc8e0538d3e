"""The librarian at work: burning, recalling, and everything that goes wrong on the way, in virtual time."""

import json
import shutil

import pytest
import trio

from odarchive.catalogue import discs, schema
from odarchive.digest import content_digest
from odarchive.librarian.demand import Demand
from odarchive.librarian.fetch import Fetcher
from odarchive.model import ContentId, JobState, SlotState
from robot.ports import slot
from robot.sim.world import person
from tests.odarchive.librarian.shop import HostCrashError, Shop, SimBurner


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def content_id(shop, body):
    with shop.archive.catalogue.read() as connection:
        for number in range(1, 10_000):
            facts = discs.content(connection, ContentId(number))
            if facts is not None and facts[0] == content_digest(body):
                return ContentId(number)
    raise AssertionError("no such content")


def cached(shop, body):
    name = content_digest(body).hex()
    path = shop.root / "archive" / "cache" / name[:2] / name[2:]
    return path.read_bytes() if path.exists() else None


async def test_the_queue_is_burned_verified_and_cleaned_up(autojump_clock, shop):
    shop.build(folders=4, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert {job.state for job in shop.jobs()} == {JobState.DONE}
    assert len(shop.jobs()) >= 4
    assert shop.tally() == {"verified": len(shop.jobs())}
    assert list((shop.root / "archive" / "staging").glob("*.iso")) == []
    assert shop.violations() == []


async def test_a_recall_brings_the_right_bytes(autojump_clock, shop):
    shop.build(folders=2, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 600) == ("done", "")
            assert cached(shop, body) == body
    assert shop.violations() == []


async def test_readers_of_many_discs_are_all_served_with_few_exchanges(autojump_clock, shop):
    shop.build(folders=4, files=8, size=1_000_000)
    answers = []
    async with shop.life() as librarian:
        await shop.work(librarian)
        before = (await librarian.room.jukebox.status()).machine.moves

        async def reader(body):
            answers.append(await librarian.recall(content_id(shop, body), 3600))

        async with trio.open_nursery() as nursery:
            for body in shop.contents.values():
                nursery.start_soon(reader, body)
        after = (await librarian.room.jukebox.status()).machine.moves
    assert answers == [("done", "")] * 32
    assert after - before <= 2 * len(shop.jobs())


async def test_the_rest_of_the_disc_comes_along(autojump_clock, shop):
    shop.build(files=4)
    bodies = list(shop.contents.values())
    async with shop.life() as librarian:
        await shop.work(librarian)
        await librarian.recall(content_id(shop, bodies[0]), 600)
        await trio.sleep(5)
    assert [cached(shop, body) == body for body in bodies].count(True) >= 2


async def test_a_blank_that_fails_is_marked_and_the_job_goes_on(autojump_clock, shop):
    shop.build()
    sheet = shop.root / "world" / "discs"
    first = min(sheet.glob("*.json"))
    first.write_text(json.dumps({**json.loads(first.read_text()), "fail_at": 100_000}))
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert shop.tally() == {"verified": 1, "spoiled": 1}
    assert [s.state for s in shop.slots().values()].count(SlotState.SPOILED) == 1
    assert shop.violations() == []


async def test_a_silently_bad_burn_is_never_believed(autojump_clock, tmp_path):
    shop = Shop(tmp_path, burner=SimBurner(spoil={0, 1}))
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert shop.tally() == {"verified": 1, "spoiled": 2}
    assert shop.violations() == []


async def test_three_rejects_in_a_row_stop_and_ask(autojump_clock, tmp_path):
    shop = Shop(tmp_path, burner=SimBurner(spoil=set(range(10))))
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
    (job,) = shop.jobs()
    assert job.state is JobState.FAILED
    assert "3 discs in a row" in job.why
    assert shop.tally() == {"spoiled": 3}


async def test_a_maker_whose_discs_fail_often_is_named(autojump_clock, tmp_path):
    shop = Shop(tmp_path, burner=SimBurner(spoil=set(range(10))))
    shop.build()
    for sheet in (tmp_path / "world" / "discs").glob("*.json"):
        sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"maker": "CHEAP/D1/0"}))
    async with shop.life() as librarian:
        await shop.work(librarian)
    with shop.archive.catalogue.read() as connection:
        told = [row.message for row in connection.execute(schema.event.select()) if row.kind == "batch"]
    (warning,) = told
    assert warning.startswith("3 of the last 3 discs of the kind bd-r CHEAP/D1/0 were spoiled")


async def test_without_blanks_the_job_says_so_and_goes_on_when_they_come(autojump_clock, shop):
    shop.build(blanks=range(0))
    async with shop.life() as librarian:
        await shop.work(librarian)
        (job,) = shop.jobs()
        assert job.state is JobState.WAITING
        assert "no blank" in job.why
        with person(shop.root / "world") as world:
            world.add_disc("BLANK9", slot(3))
        await trio.sleep(120)
        await shop.work(librarian)
    assert shop.jobs()[0].state is JobState.DONE


async def test_a_disc_that_somebody_swapped_is_noticed_not_served(autojump_clock, shop):
    shop.build(folders=2, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
    homes = {s.disc: number for number, s in shop.slots().items() if s.disc is not None}
    assert len(homes) >= 2
    with shop.archive.catalogue.read() as connection:
        slots = [disc.slot for number in (1, 2) for disc in discs.copies_of(connection, number)]
    async with shop.life() as librarian:
        for bay in librarian.bays:
            await bay.clear()
        with person(shop.root / "world") as world:
            world.swap(slot(slots[0]), slot(slots[1]))
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body
        with shop.archive.catalogue.read() as connection:
            notes = [row.message for row in connection.execute(schema.event.select()) if row.kind == "wrong-disc"]
        assert "should hold disc" in notes[0]
    assert shop.violations() == []


async def test_an_unreadable_sector_fails_one_file_by_name_and_serves_the_others(autojump_clock, shop):
    shop.build(files=4)
    async with shop.life() as librarian:
        await shop.work(librarian)
    body = next(iter(shop.contents.values()))
    with shop.archive.catalogue.read() as connection:
        (extent,) = discs.extents(connection, content_id(shop, body))
    sheet = shop.disc_file("SHOP_0001").with_suffix(".json")
    sheet.write_text(json.dumps({**json.loads(sheet.read_text()), "bad_sectors": [[extent.sector, 1]]}))
    async with shop.life() as librarian:
        state, why = await librarian.recall(content_id(shop, body), 3600)
        assert state == "failed"
        assert "SHOP_0001" in why
        for other in list(shop.contents.values())[1:]:
            assert await librarian.recall(content_id(shop, other), 3600) == ("done", "")


async def test_another_copy_serves_what_one_cannot(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=2)
    shop.build(files=4)
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert shop.tally() == {"verified": 2}
    sheet = shop.disc_file("SHOP_0001 ").with_suffix(".json")
    sheet.write_text(json.dumps({**json.loads(sheet.read_text()), "bad_sectors": [[300, 5000]]}))
    async with shop.life() as librarian:
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body


async def test_streamed_images_are_burned_without_staging_and_copied(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=2, staging="stream")
    shop.build(folders=2, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        assert list((shop.root / "archive" / "staging").iterdir()) == []
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body
    assert shop.tally() == {"verified": 2 * len([job for job in shop.jobs() if job.kind == "burn"])}
    assert shop.violations() == []


async def test_a_streamed_disc_spoiled_by_its_source_is_followed_by_one_without_that_file(autojump_clock, tmp_path):
    class Meddler(SimBurner):
        async def burn(self, target, image, size, *, progress=None):
            if self.burns == 0:
                self.burns = 1
                (tmp_path / "photos" / "00" / "2.jpg").write_bytes(b"changed in the last moment")
            return await super().burn(target, image, size, progress=progress)

    shop = Shop(tmp_path, staging="stream", burner=Meddler())
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
        bodies = dict(shop.contents)
        lost = bodies.pop(b"00/2.jpg")
        for body in bodies.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
        assert (await librarian.recall(content_id(shop, lost), 3600))[0] == "failed"
    assert shop.tally() == {"spoiled": 1, "verified": 1}
    assert shop.violations() == []


@pytest.mark.parametrize("staging", ["file", "stream"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_host_crashes_at_every_record(autojump_clock, tmp_path, moment, staging):
    """N = 1, 2, 3 ... until a life passes; after each crash a second life gives the same result."""
    model = Shop(tmp_path / "shop", staging=staging)
    model.root.mkdir()
    model.build()
    model.root.rename(tmp_path / "model")
    for step in range(1, 200):
        shutil.rmtree(model.root, ignore_errors=True)
        shutil.copytree(tmp_path / "model", model.root, symlinks=True)
        shop = Shop(model.root, staging=staging, contents=model.contents)
        crashed = False
        try:
            async with shop.life(at=step, moment=moment) as librarian:
                await shop.work(librarian)
                for bay in librarian.bays:
                    await bay.clear()
        except BaseExceptionGroup as group:
            assert group.subgroup(HostCrashError) is not None
            crashed = True
            async with shop.life() as librarian:
                await shop.work(librarian)
                for body in shop.contents.values():
                    assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
                    assert cached(shop, body) == body
        assert [job.state for job in shop.jobs() if job.kind == "burn"] == [JobState.DONE], step
        tally = shop.tally()
        assert tally.get("verified") == 1, (step, tally)
        assert set(tally) <= {"verified", "spoiled", "abandoned"}, (step, tally)
        assert shop.violations() == [], step
        if not crashed:
            assert step > 10
            return
    pytest.fail("no life passed without a crash")


async def test_who_asks_while_a_disc_is_given_up_is_not_failed_with_the_others(autojump_clock, shop, monkeypatch):
    shop.build(files=3)
    async with shop.life() as librarian:
        await shop.work(librarian)
    with shop.archive.catalogue.read() as connection:
        (disc,) = discs.everyone(connection)
        contents = [
            (number, *discs.content(connection, number), discs.extents(connection, number))
            for number in (content_id(shop, body) for body in shop.contents.values())
        ]
    demand, failed, moves = Demand(), [], []

    async def fail(want, segment, why):
        failed.append((want.content, why))
        demand.end(want)

    async def search(fetcher, bay, segment):
        moves.append(segment)
        demand.add(*contents[1][:3], 1, contents[1][3])

    monkeypatch.setattr(Fetcher, "_search", search)
    async with shop.life() as librarian:
        fetcher = Fetcher(librarian.room, demand, lambda _: "", fail)
        wants = [demand.add(*contents[n][:3], n, contents[n][3]) for n in (0, 2)]
        for want in wants:
            want.bad.add(disc.id)
        wants[1].done = True  # it has just come
        assert await fetcher.bring(librarian.bays[0], disc.segment) is None
        assert failed == [(contents[0][0], f"disc {disc.label} cannot be read there")]
        for want in demand:
            demand.end(want)
        assert await fetcher.bring(librarian.bays[0], disc.segment) is None
        assert len(moves) == 1, "no disc is looked for when nobody waits"
