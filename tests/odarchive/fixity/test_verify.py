"""Verifications by the librarian: what they find, where they are done, and what follows for a disc."""

import json
import shutil

import pytest
import trio

from odarchive.catalogue import discs, fixity, jobs
from odarchive.catalogue.fixity import Health, Outcome, Reading
from odarchive.cli import burn, main
from odarchive.librarian.scrutiny import MOST_FAILURES, read_all, read_some, sample
from odarchive.model import ContentId, DiscId, DiscState, JobState
from robot.errors import DriveError, ReadFailed
from tests.odarchive.librarian.shop import Shop
from tests.odarchive.librarian.test_librarian import cached, content_id


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def sheet(shop, label, **facts):
    path = shop.disc_file(label).with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def queue(shop, *names, percent=None):
    with shop.archive.catalogue.write() as connection:
        wanted = [one.id for one in fixity.health(connection, names=names)]
        return fixity.enqueue(connection, wanted, percent, now_ns=0)


def known(shop, label):
    with shop.archive.catalogue.read() as connection:
        (one,) = fixity.health(connection, names=[label])
        return one, fixity.trend(connection, one.id)


def verifications(shop):
    return [job for job in shop.jobs() if job.kind == "verify"]


async def test_a_right_disc_is_right_and_read_in_the_other_drive(autojump_clock, shop):
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
        queue(shop)
        librarian.wake()
        await shop.work(librarian)
    one, (reading,) = known(shop, "SHOP_0001")
    with shop.archive.catalogue.read() as connection:
        burner = discs.get(connection, one.id).drive
    assert (one.state, reading.outcome, reading.unreadable, reading.damaged) == (
        DiscState.VERIFIED,
        Outcome.RIGHT,
        0,
        0,
    )
    assert reading.drive == 1 - burner
    assert one.verified_ns == reading.at_ns
    assert [job.state.value for job in verifications(shop)] == ["done"]
    assert shop.violations() == []


async def test_the_only_drive_left_does_it_too(autojump_clock, shop):
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
        queue(shop)
        librarian._ill[librarian.bays[1 - known_drive(shop)]] = None
        librarian.wake()
        await shop.work(librarian)
    assert len(known(shop, "SHOP_0001")[1]) == 1


def known_drive(shop):
    with shop.archive.catalogue.read() as connection:
        return discs.get(connection, DiscId(1)).drive


async def test_damaged_files_are_named_and_the_disc_is_suspect(autojump_clock, shop):
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
    bodies = list(shop.contents.values())
    with shop.archive.catalogue.read() as connection:
        (extent,) = discs.extents(connection, content_id(shop, bodies[2]))
    sheet(shop, "SHOP_0001", bad_sectors=[[extent.sector + 2, 3]])
    async with shop.life() as librarian:
        (job,) = queue(shop)
        librarian.wake()
        await shop.work(librarian)
        for body in (bodies[0], bodies[5]):
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body
    one, (reading,) = known(shop, "SHOP_0001")
    (failed,) = verifications(shop)
    assert (one.state, reading.outcome, failed.state.value, failed.id) == (
        *(DiscState.SUSPECT, Outcome.DAMAGED, "failed", job),
    )
    assert reading.unreadable == 16
    assert 1 <= reading.damaged <= 2
    assert "photos/00/2.jpg" in failed.why
    assert "repair" in fixity.advice(one, [reading])
    assert shop.violations() == []


async def test_a_disc_that_reads_right_again_is_a_copy_again(autojump_clock, shop):
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
        for bad in ([[300, 40]], []):
            sheet(shop, "SHOP_0001", bad_sectors=bad)
            queue(shop)
            librarian.wake()
            await shop.work(librarian)
    one, readings = known(shop, "SHOP_0001")
    assert [reading.outcome for reading in readings] == [Outcome.DAMAGED, Outcome.RIGHT]
    assert (one.state, one.note) == (DiscState.VERIFIED, "")


async def test_changed_bytes_are_found_and_named(autojump_clock, shop):
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
        body = list(shop.contents.values())[3]
        path = shop.disc_file("SHOP_0001")
        image = path.read_bytes()
        at = image.index(body)
        path.write_bytes(image[: at + 9] + b"!" + image[at + 10 :])
        queue(shop)
        librarian.wake()
        await shop.work(librarian)
        path.write_bytes(image[:-5] + b"?" + image[-4:])
        queue(shop)
        librarian.wake()
        await shop.work(librarian)
    _, readings = known(shop, "SHOP_0001")
    first, second = verifications(shop)
    assert "photos/00/3.jpg" in first.why
    assert (readings[0].damaged, readings[0].unreadable) == (1, 0)
    assert readings[1].outcome is Outcome.DAMAGED
    assert "directories" in second.why


async def test_a_sample_reads_a_share_with_both_ends(autojump_clock, shop):
    shop.build(files=100, size=60_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        queue(shop, percent=25)
        librarian.wake()
        await shop.work(librarian)
    _, (reading,) = known(shop, "SHOP_0001")
    assert reading.outcome is Outcome.RIGHT
    assert reading.sample == 25
    assert 0.2 <= reading.bytes_read / 6_000_000 <= 0.35


async def test_readers_are_served_while_a_disc_is_verified(autojump_clock, shop):
    shop.build(folders=3, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        queue(shop)
        librarian.wake()
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 600) == ("done", "")
        await shop.work(librarian)
    assert {job.state.value for job in verifications(shop)} == {"done"}
    assert shop.violations() == []


@pytest.mark.parametrize("late", [False, True], ids=["known-before", "found-out-after"])
async def test_a_disc_that_another_drive_fetches_just_now_keeps_its_place_in_the_queue(
    autojump_clock, shop, monkeypatch, late
):
    """Nothing waits for a person then; ``late``: the other drive began after the verification was chosen."""
    shop.build(files=3)
    told = []
    real, choose = jobs.set_state, fixity.claim

    def set_state(connection, job, state, **facts):
        told.append((state, facts.get("why", "")))
        real(connection, job, state, **facts)

    async with shop.life() as librarian:
        await shop.work(librarian)
        for bay in librarian.bays:
            await bay.clear()
        slot, claims = known(shop, "SHOP_0001")[0].slot, librarian.room.claims

        def claim(*arguments, **facts):
            found = choose(*arguments, **facts)
            if late and found is not None and not told:
                claims.add(slot)
            return found

        monkeypatch.setattr(fixity, "claim", claim)
        monkeypatch.setattr(jobs, "set_state", set_state)
        if not late:
            claims.add(slot)
        queue(shop)
        librarian.wake()
        await trio.sleep(600)
        assert told == [(JobState.QUEUED, "another drive has disc SHOP_0001")] * late
        claims.remove(slot)
        await shop.work(librarian)
    assert [state for state, _ in told[late:]] == [JobState.DONE]
    assert known(shop, "SHOP_0001")[1] != []


async def test_a_disc_in_a_drive_out_of_service_waits_and_says_so(autojump_clock, shop, monkeypatch):
    async def smokes():
        raise DriveError("it smokes")

    shop.build(files=3)
    async with shop.life() as librarian:
        await shop.work(librarian)
        ill = next(bay for bay in librarian.bays if bay.loaded)
        await ill.clear()
        monkeypatch.setattr(ill.drive, "close_tray", smokes)
        librarian.errands.load(known(shop, "SHOP_0001")[0].slot, int(ill.number))
        await trio.sleep(60)
        queue(shop)
        librarian.wake()
        await trio.sleep(600)
        (job,) = verifications(shop)
    assert job.state is JobState.WAITING
    assert job.why.startswith(f"disc SHOP_0001 is in drive {ill.number}, which is out of service: it smokes")


async def test_a_disc_outside_waits_and_says_what_to_do(autojump_clock, shop):
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
        for bay in librarian.bays:
            await bay.clear()
    with shop.archive.catalogue.write() as connection:
        connection.exec_driver_sql("UPDATE slot SET state = 'empty', disc = NULL")
        connection.exec_driver_sql("UPDATE machine SET value = value")
    async with shop.life() as librarian:
        queue(shop)
        librarian.wake()
        await trio.sleep(1)
        (job,) = verifications(shop)
        assert job.state.value in ("waiting", "done")
        assert job.why == "" or "put it in" in job.why


class Bad:
    """A drive of which some sectors do not come."""

    def __init__(self, data, bad=(), slow=()):
        self.data, self.bad, self.slow = data, set(bad), set(slow)
        self.reads = 0

    async def read(self, sector, count):
        self.reads += 1
        wanted = set(range(sector, sector + count))
        if wanted & self.bad or (count > 16 and wanted & self.slow):
            raise ReadFailed("bad", sector=sector)
        return self.data[sector * 2048 : (sector + count) * 2048]


async def nothing():
    pass


async def test_second_tries_are_counted_and_a_hopeless_disc_is_given_up():
    data = bytes(2048) * 40_000
    findings = await read_all(Bad(data, slow=[700, 5000]), 40_000, [], nothing, lambda _: None)
    assert (findings.retries, findings.unreadable, findings.digest is None) == (32, [], False)
    assert fixity.judge(len(data), 32, 0, 0) is Outcome.RIGHT
    assert fixity.judge(len(data), 1600, 0, 0) is Outcome.WEAK
    drive = Bad(data, bad=range(10_000, 40_000))
    findings = await read_all(drive, 40_000, [], nothing, lambda _: None)
    assert sum(count for _, count in findings.unreadable) == 40_000 - 10_000 + 10_000 % 16
    assert findings.given_up_at is not None
    assert drive.reads < 40_000 // 512 + 2 * MOST_FAILURES


@pytest.mark.parametrize("bad", [[], [0], [511], [512], [100, 513], [1300]])
async def test_contents_across_windows_are_judged_exactly(bad):
    chunk = bytes(range(256)) * 8
    data = b"".join(bytes([n % 251]) + chunk[1:] for n in range(1600))
    placed = []
    for number, (first, length) in enumerate([(3, 5000), (500, 40_000), (530, 2048), (540, 1_500_000), (1400, 1)], 1):
        from odarchive.digest import content_digest

        body = data[first * 2048 : first * 2048 + length]
        placed.append(fixity.Placed(ContentId(number), length, first, content_digest(body), length))
    findings = await read_all(Bad(data, bad), 1600, placed, nothing, lambda _: None)
    assert findings.wrong == set()
    lost = {
        piece.content
        for piece in placed
        if any(piece.sector // 16 <= b // 16 <= (piece.sector + (piece.length - 1) // 2048) // 16 for b in bad)
    }
    assert lost <= findings.damaged(placed)
    assert len(findings.damaged(placed)) <= len(lost) + 1
    wrong = bytearray(data)
    wrong[1200 * 2048] ^= 1
    findings = await read_all(Bad(bytes(wrong), bad), 1600, placed, nothing, lambda _: None)
    assert 4 in findings.damaged(placed)
    some = await read_some(Bad(bytes(wrong), bad), placed, nothing, lambda _: None)
    assert 4 in some.damaged(placed)


def test_samples_have_both_ends_and_are_the_same_for_one_job():
    placed = [fixity.Placed(ContentId(n), 1000, n, b"", 1000) for n in range(500)]
    chosen = sample(placed, 10, 5)
    assert [piece.content for piece in chosen[:10]] == list(range(10))
    assert [piece.content for piece in chosen[-10:]] == list(range(490, 500))
    assert len(chosen) == 50
    assert sample(placed, 10, 5) == chosen != sample(placed, 10, 6)
    assert len(sample(placed[:7], 1, 5)) == 7


def test_a_disc_that_becomes_slow_is_told():
    def reading(speed):
        return Reading(DiscId(1), 0, 0, None, Outcome.RIGHT, speed, 10**9, 0, 0, 0)

    disc = Health(DiscId(1), "", "D", 1, DiscState.VERIFIED, 1, "", 0, 0, "")
    assert fixity.advice(disc, [reading(100), reading(60)]) == ""
    assert "49%" in fixity.advice(disc, [reading(100), reading(49)])


async def test_the_commands(autojump_clock, tmp_path, capsys):
    shop = Shop(tmp_path, copies=2)
    shop.build(files=6)
    async with shop.life() as librarian:
        await shop.work(librarian)
    archive = ["-a", str(shop.root / "archive")]
    assert main([*archive, "scrub", "--older-than", "1d", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["jobs"]) == 2
    assert main([*archive, "verify", "SHOP_0001", "--sample", "5%", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["jobs"]) == 1
    assert main([*archive, "verify", "NOBODY"]) == 16
    assert main([*archive, "scrub", "--older-than", "soon"]) == 2
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert main([*archive, "health", "SHOP_0001_2", "--json"]) == 0
    (disc,) = json.loads(capsys.readouterr().out)["discs"]
    assert [reading["outcome"] for reading in disc["readings"]] == ["right"]
    assert main([*archive, "health"]) == 0
    assert main([*archive, "status", "--levels"]) == 0
    assert "NDSA storage level 1" in capsys.readouterr().out
    assert main([*archive, "status", "--json", "--days", "36500"]) == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["files"], source["copies"], source["checked"], source["discs"]) == (6, 2, 2, 2)
    assert source["integrity_level"] == 3
    shutil.rmtree(shop.root / "world")


async def test_the_librarian_is_woken_when_there_is_something_to_verify(autojump_clock, tmp_path, monkeypatch):
    shop = Shop(tmp_path)
    shop.build(files=3)
    async with shop.life() as librarian:
        await shop.work(librarian)
    at_wake = []

    def wake(archive):
        with archive.catalogue.read() as connection:
            at_wake.append(fixity.waits(connection))

    monkeypatch.setattr(burn, "wake", wake)
    monkeypatch.setattr(burn, "until_ended", burn.look)
    assert main(["-a", str(shop.root / "archive"), "verify", "SHOP_0001", "--wait", "--json"]) == 0
    assert at_wake == [False, True]
