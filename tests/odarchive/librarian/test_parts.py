"""Ranges of large contents: only what is asked for is read, the rest when somebody will want it, no byte is wrong."""

import dataclasses
import gc
import json
import os
import random
import weakref

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from odarchive.cache import Cache, PartialReader
from odarchive.catalogue import discs, grids, jobs, schema
from odarchive.chunks import CHUNK, ChunkedBlake3
from odarchive.digest import content_digest
from odarchive.librarian.asking import Asked
from odarchive.librarian.readback import SectorReader
from odarchive.librarian.unsealing import PieceReader
from odarchive.model import DiscState, JobState
from robot.errors import ReadFailed
from tests.odarchive.librarian.shop import InlineDrive, Shop
from tests.odarchive.librarian.test_librarian import cached, content_id

FILM = random.Random(8).randbytes(6 * CHUNK + 5000)
LAST = 6


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    (tmp_path / "photos" / "99").mkdir(parents=True)
    (tmp_path / "photos" / "99" / "film.mkv").write_bytes(FILM)
    return shop


async def burned(shop, **build):
    shop.build(**{"files": 3, "size": 200_000, **build})
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert shop.violations() == []


def grid(shop, body=FILM):
    with shop.archive.catalogue.read() as connection:
        return grids.by_digest(connection, content_digest(body))


def read_by_drives(librarian):
    return sum(bay.drive.bytes_read for bay in librarian.bays)


def handed_out(shop, offset, length, body=FILM):
    """What a mount would hand out of the cache; None if it is not there."""
    whole = cached(shop, body)
    if whole is not None:
        return whole[offset : offset + length]
    reader = PartialReader.open(shop.root / "archive" / "cache", content_digest(body), grid(shop, body))
    if reader is None:
        return None
    try:
        if reader.lacks(reader.grid.over(offset, length)) != ([], []):
            return None
        return os.pread(reader.descriptor, length, offset)
    finally:
        reader.close()


async def part(librarian, shop, start, length, ahead=0, *, wait=3600.0, body=FILM):
    answer = await librarian.recall_part(content_id(shop, body), Asked(start, length, ahead), wait)
    return answer.state, answer.in_memory


async def test_a_probe_reads_its_head_and_its_tail_and_nothing_else_comes_along(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        await part(librarian, shop, 0, 4096)
        begin = read_by_drives(librarian)  # who the disc is, is read once
        assert await part(librarian, shop, 0, 4096) == ("done", False)
        assert read_by_drives(librarian) == begin
        assert await part(librarian, shop, len(FILM) - 100, 100) == ("done", False)
        await trio.sleep(60)
        assert read_by_drives(librarian) - begin == 3 * 2048, "the last chunk's 5,000 bytes are in three sectors"
        assert handed_out(shop, 0, CHUNK) == FILM[:CHUNK]
        assert handed_out(shop, len(FILM) - 5000, 5000) == FILM[-5000:]
        assert handed_out(shop, CHUNK, 1) is None
        assert [cached(shop, body) for body in shop.contents.values()] == [None] * 3, "no neighbour came"
        assert len(librarian.demand) == 0
        assert librarian.room.cache.parts() == (1, CHUNK + 5000)
    assert all(job.kind != "recall" for job in shop.jobs())


async def test_who_reads_on_gets_the_rest_and_the_neighbours_follow(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        assert await part(librarian, shop, 0, CHUNK, len(FILM)) == ("done", False)
        await trio.sleep(60)
        assert cached(shop, FILM) == FILM
        assert list((shop.root / "archive" / "cache" / "partial").iterdir()) == []
        assert len(librarian.demand) == 0


async def test_what_somebody_waits_for_comes_before_what_nobody_waits_for_yet(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        order = []

        async def reader(start):
            await part(librarian, shop, start, 10)
            order.append(start)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(librarian.recall, content_id(shop, FILM), 3600)
            await wait_all_tasks_blocked()
            nursery.start_soon(reader, 6 * CHUNK)
        assert order == [6 * CHUNK]
        assert cached(shop, FILM) == FILM


async def test_a_bad_chunk_costs_only_those_who_wait_for_it(autojump_clock, shop):
    await burned(shop)
    damage(shop, "SHOP_0001", 3)
    async with shop.life() as librarian:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(librarian.recall, content_id(shop, FILM), 3600)
            for number in (0, 2, 4, 6):
                assert await part(librarian, shop, number * CHUNK, 10) == ("done", False)
            answer = await librarian.recall_part(content_id(shop, FILM), Asked(3 * CHUNK, 10), 3600)
        assert answer.state == "failed"
        assert all(word in answer.why for word in ("99/film.mkv", "SHOP_0001"))
        state, why = await librarian.recall(content_id(shop, FILM), 3600)
        assert (state, "film.mkv" in why) == ("failed", True)
        for number in (0, 1, 2, 4, 5, 6):
            data = FILM[number * CHUNK :][:CHUNK]
            assert handed_out(shop, number * CHUNK, len(data)) == data
        assert handed_out(shop, 3 * CHUNK, 1) is None
    with shop.archive.catalogue.read() as connection:
        told = {row.kind: row.message for row in connection.execute(schema.event.select())}
    assert all("film.mkv" in told[kind] and "SHOP_0001" in told[kind] for kind in ("read-failed", "lost"))
    assert shop.violations() == []


@pytest.mark.parametrize("silent", [False, True])
async def test_another_copy_gives_the_chunk_that_one_cannot(autojump_clock, shop, silent):
    shop.copies = 2
    await burned(shop)
    damage(shop, "SHOP_0001 ", 3, silent=silent)
    damage(shop, "SHOP_0001_2", 4, silent=silent)
    async with shop.life() as librarian:
        for bay in librarian.bays:
            await bay.clear()  # so the first copy is asked first
        for number in (3, 4):
            assert await part(librarian, shop, number * CHUNK + 7, 9) == ("done", False)
        assert handed_out(shop, 3 * CHUNK, 2 * CHUNK) == FILM[3 * CHUNK : 5 * CHUNK]
        await trio.sleep(60)
        with shop.archive.catalogue.read() as connection:
            told = {row.kind: row.message for row in connection.execute(schema.event.select())}
            assert DiscState.SUSPECT in {disc.state for disc in discs.everyone(connection)}
        assert "film.mkv" in told["read-failed"]
        assert "lost" not in told
        assert await librarian.recall(content_id(shop, FILM), 3600) == ("done", "")
        assert cached(shop, FILM) == FILM


def damage(shop, label, number, *, silent=False):
    """A chunk of the film cannot be read from a disc; ``silent``: it gives other bytes."""
    with shop.archive.catalogue.read() as connection:
        (extent,) = discs.extents(connection, content_id(shop, FILM))
    sector = extent.sector + number * CHUNK // 2048 + 5
    disc = shop.disc_file(label)
    if silent:
        with disc.open("r+b") as file:
            file.seek(sector * 2048)
            file.write(b"wrong")
        return
    sheet = disc.with_suffix(".json")
    sheet.write_text(json.dumps({**json.loads(sheet.read_text()), "bad_sectors": [[sector, 1]]}))


async def test_what_came_before_a_restart_is_not_read_again(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        assert await part(librarian, shop, 0, 3 * CHUNK) == ("done", False)
        assert await librarian.recall(content_id(shop, FILM), 0) == ("waiting", "waiting for its disc")
    async with shop.life() as librarian:  # the job of the whole goes on by itself
        with trio.fail_after(3600):
            while cached(shop, FILM) is None:
                await trio.sleep(1)
        assert read_by_drives(librarian) < len(FILM) - 3 * CHUNK + 4 * CHUNK // 2
    assert cached(shop, FILM) == FILM
    assert [job.state for job in shop.jobs() if job.kind == "recall"] == [JobState.DONE]


async def test_a_reader_that_gives_up_finds_it_there_the_next_time(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        assert await part(librarian, shop, CHUNK, 10, wait=0.0) == ("waiting", False)
        await trio.sleep(600)
        begin = read_by_drives(librarian)
        assert await part(librarian, shop, CHUNK, 10, wait=0.0) == ("done", False)
        assert read_by_drives(librarian) == begin
        assert handed_out(shop, CHUNK, 10) == FILM[CHUNK : CHUNK + 10]


async def test_without_room_in_the_cache_readers_get_their_bytes_from_the_drive(autojump_clock, shop, monkeypatch):
    await burned(shop)
    monkeypatch.setattr("odarchive.cache.store.Cache._short", lambda *_: 1 << 40)
    async with shop.life() as librarian:
        film = content_id(shop, FILM)
        for number in (LAST, 0, 4):
            assert await part(librarian, shop, number * CHUNK, 10, len(FILM)) == ("done", True)
            assert librarian.chunk(film, number) == FILM[number * CHUNK :][:CHUNK]
        assert librarian.room.cache.used == 0
        state, why = await librarian.recall(film, 3600)
        assert (state, "full" in why) == ("failed", True)
    assert list((shop.root / "archive" / "cache" / "partial").iterdir()) == []


async def test_a_cache_whose_disk_is_gone_stops_no_reader(autojump_clock, shop):
    old = random.Random(4).randbytes(CHUNK + 1)
    (shop.root / "photos" / "99" / "old.bin").write_bytes(old)
    await burned(shop)
    small = next(iter(shop.contents.values()))
    with shop.archive.catalogue.write() as connection:
        connection.execute(schema.chunks.delete().where(schema.chunks.c.content == content_id(shop, old)))
    async with shop.life() as librarian:
        assert await part(librarian, shop, 0, 10) == ("done", False)
        (shop.root / "archive" / "cache").rename(shop.root / "elsewhere")
        assert await part(librarian, shop, 3 * CHUNK, 10) == ("done", True)
        assert librarian.chunk(content_id(shop, FILM), 3) == FILM[3 * CHUNK :][:CHUNK]
        assert await librarian.recall(content_id(shop, small), 3600) == ("done", "")
        assert librarian.chunk(content_id(shop, small), 0) == small
        state, why = await librarian.recall(content_id(shop, old), 3600)
        assert (state, "cannot be used" in why) == ("failed", True), "it can be checked as a whole only"
        (shop.root / "elsewhere").rename(shop.root / "archive" / "cache")
        assert await librarian.recall(content_id(shop, small), 3600) == ("done", "")
        assert cached(shop, small) == small
        assert await part(librarian, shop, 0, 10) == ("done", False)


async def test_what_went_past_the_full_cache_is_brought_again_for_the_whole(autojump_clock, shop, monkeypatch):
    await burned(shop)
    async with shop.life() as librarian:
        with monkeypatch.context() as full:
            full.setattr("odarchive.cache.store.Cache._short", lambda *_: 1 << 40)
            assert await part(librarian, shop, 2 * CHUNK, 10) == ("done", True)
        assert librarian.chunk(content_id(shop, FILM), 2) == FILM[2 * CHUNK : 3 * CHUNK], "it still is in memory"
        assert await librarian.recall(content_id(shop, FILM), 3600) == ("done", "")
        assert cached(shop, FILM) == FILM


async def test_what_is_given_up_while_it_is_hashed_stays_given_up(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:

        async def heavy(function):
            for want in librarian.demand:
                await librarian._recaller.fail(want, "nobody wants it any more")
            return function()

        librarian._recaller.partwise._room = dataclasses.replace(librarian.room, heavy=heavy)
        assert await librarian.recall(content_id(shop, FILM), 3600) == ("failed", "nobody wants it any more")
    assert [job.why for job in shop.jobs() if job.kind == "recall"] == ["nobody wants it any more"]
    assert cached(shop, FILM) is None


async def test_a_chunk_that_is_found_wrong_while_the_whole_is_hashed_comes_again(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        partial, found = shop.root / "archive" / "cache" / "partial" / content_digest(FILM).hex(), []

        async def heavy(function):
            function()  # it came in order, so this does not look into the file again
            if not found:
                with partial.open("r+b") as file:
                    file.write(b"wrong")
                asked = Asked(0, 10, wrong=True)
                found.append(await librarian._recaller.ask_part(content_id(shop, FILM), asked, librarian.wake))

        librarian._recaller.partwise._room = dataclasses.replace(librarian.room, heavy=heavy)
        assert await librarian.recall(content_id(shop, FILM), 3600) == ("done", "")
    assert [waiting.end().state for waiting in found] == ["done"]
    assert cached(shop, FILM) == FILM


async def test_a_reader_may_ask_for_what_read_ahead_just_brings(autojump_clock, shop, monkeypatch):
    await burned(shop)
    asked, answers = trio.Event(), []
    real = Cache.begin

    def begin(cache, digest, size, near=""):
        if digest == content_digest(FILM):
            asked.set()
        return real(cache, digest, size, near)

    monkeypatch.setattr(Cache, "begin", begin)
    with shop.archive.catalogue.read() as connection:
        where = {body: discs.extents(connection, content_id(shop, body))[0].sector for body in shop.contents.values()}
        (film,) = discs.extents(connection, content_id(shop, FILM))
    before = next(body for body, sector in where.items() if sector < film.sector)

    async def reader(librarian):
        await asked.wait()
        answers.append(await librarian.recall(content_id(shop, FILM), 3600))

    async with shop.life() as librarian, trio.open_nursery() as nursery:
        nursery.start_soon(reader, librarian)
        assert await librarian.recall(content_id(shop, before), 3600) == ("done", "")
    assert answers == [("done", "")]
    assert cached(shop, FILM) == FILM


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_job_whose_last_disc_is_lost_fails_in_words_and_the_librarian_starts(autojump_clock, shop, chunked):
    await burned(shop)
    with shop.archive.catalogue.write() as connection:
        if not chunked:
            connection.execute(schema.chunks.delete())
        jobs.enqueue_recall(connection, content_id(shop, FILM), now_ns=1)
        for disc in discs.everyone(connection):
            discs.set_state(connection, disc.id, DiscState.SPOILED, note="scratched")
    async with shop.life() as librarian:
        assert len(librarian.demand) == 0
    (job,) = (job for job in shop.jobs() if job.kind == "recall")
    assert (job.state, "odarchive repair" in job.why) == (JobState.FAILED, True)


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_job_whose_content_is_here_already_is_done_at_the_next_start(autojump_clock, shop, chunked):
    await burned(shop)
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, FILM), 3600) == ("done", "")
    with shop.archive.catalogue.write() as connection:
        if not chunked:
            connection.execute(schema.chunks.delete())
        jobs.enqueue_recall(connection, content_id(shop, FILM), now_ns=1)  # as if it had died before the record
    async with shop.life() as librarian:
        begin = read_by_drives(librarian)
        assert len(librarian.demand) == 0
        await trio.sleep(60)
        assert read_by_drives(librarian) == begin
        assert librarian.room.cache.used >= len(FILM)
    assert [job.state for job in shop.jobs() if job.kind == "recall"] == [JobState.DONE] * 2


async def test_what_two_drives_bring_of_one_content_survives_that_one_of_them_begins_anew(
    autojump_clock, tmp_path, monkeypatch
):
    """A content that is believed as a whole only, on two discs; a copy of one has a bad sector."""
    shop, body = Shop(tmp_path, copies=2), random.Random(9).randbytes(14_000_000)
    (tmp_path / "photos" / "99").mkdir(parents=True)
    (tmp_path / "photos" / "99" / "film.mkv").write_bytes(body)
    shop.build(files=0, blanks=range(1, 7))
    async with shop.life() as librarian:
        await shop.work(librarian)
        for bay in librarian.bays:
            await bay.clear()  # else the copy that lies in a drive is read, whichever it is
    with shop.archive.catalogue.write() as connection:
        connection.execute(schema.chunks.delete())
        pieces = discs.extents(connection, content_id(shop, body))
        label = next(disc.label for disc in discs.everyone(connection) if disc.segment == pieces[-1].segment)
    assert len(pieces) == 2
    sheet = shop.disc_file(label).with_suffix(".json")
    sheet.write_text(json.dumps({**json.loads(sheet.read_text()), "bad_sectors": [[pieces[-1].sector + 600, 1]]}))
    real = InlineDrive.read

    async def slow(drive, sector, count):
        await trio.sleep(60)
        return await real(drive, sector, count)

    monkeypatch.setattr(InlineDrive, "read", slow)
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, body), 86400) == ("done", "")
        assert all(bay.drive.bytes_read > len(body) / 4 for bay in librarian.bays), "both drives brought of it"
    assert cached(shop, body) == body
    with shop.archive.catalogue.read() as connection:
        states = [disc.state for disc in discs.everyone(connection) if disc.segment == pieces[-1].segment]
    assert sorted(states) == [DiscState.SUSPECT, DiscState.VERIFIED]


async def test_a_whole_whose_last_disc_is_lost_while_it_is_read_fails_in_words(autojump_clock, shop, monkeypatch):
    await burned(shop)
    with shop.archive.catalogue.write() as connection:
        connection.execute(schema.chunks.delete())
    real = InlineDrive.read

    async def unreadable(drive, sector, count):
        if count < 16:  # who the disc is
            return await real(drive, sector, count)
        with shop.archive.catalogue.write() as connection:
            for disc in discs.everyone(connection):
                discs.set_state(connection, disc.id, DiscState.SPOILED, note="a person has broken it")
        raise ReadFailed("medium error", sector=sector)

    async with shop.life() as librarian:
        monkeypatch.setattr(InlineDrive, "read", unreadable)
        state, why = await librarian.recall(content_id(shop, FILM), 3600)
        assert (state, "medium error; no verified disc carries it" in why) == ("failed", True), why
        assert len(librarian.demand) == 0
    with shop.archive.catalogue.read() as connection:
        assert {disc.state for disc in discs.everyone(connection)} == {DiscState.SPOILED}, "a failed read takes back"


async def test_an_encrypted_film_is_read_by_the_chunk_as_well(autojump_clock, tmp_path):
    shop = Shop(tmp_path, sealed=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "film.mkv").write_bytes(FILM)
    await burned(shop)
    async with shop.life() as librarian:
        for number in (LAST, 0, 3):
            assert await part(librarian, shop, number * CHUNK + 3, 10) == ("done", False)
            assert handed_out(shop, number * CHUNK + 3, 10) == FILM[number * CHUNK + 3 :][:10]
        assert handed_out(shop, CHUNK, 10) is None
        assert await librarian.recall(content_id(shop, FILM), 3600) == ("done", "")
        assert cached(shop, FILM) == FILM


async def test_what_was_opened_of_a_sealed_disc_is_let_go_after_its_turn(autojump_clock, tmp_path, monkeypatch):
    shop, readers, headers = Shop(tmp_path, sealed=True), [], []
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "film.mkv").write_bytes(FILM)
    await burned(shop)

    def reader(*arguments):
        made = SectorReader(*arguments)
        readers.append(weakref.ref(made))
        return made

    def piece(*arguments):
        headers.append(arguments[1].sector)
        return PieceReader(*arguments)

    monkeypatch.setattr("odarchive.librarian.recall.SectorReader", reader)
    monkeypatch.setattr("odarchive.librarian.unsealing.PieceReader", piece)
    async with shop.life() as librarian:
        for number in (LAST, 0, 3):
            assert await part(librarian, shop, number * CHUNK + 3, 10) == ("done", False)
        await trio.sleep(60)
        gc.collect()
        assert [one() for one in readers] == [None] * 3
        headers.clear()
        assert await part(librarian, shop, CHUNK, 2 * CHUNK) == ("done", False)
        assert len(headers) == 1, "a header is opened once for all that is read of its piece in a turn"


async def test_a_lie_in_the_cache_is_read_again_from_the_disc(autojump_clock, shop):
    await burned(shop)
    async with shop.life() as librarian:
        await part(librarian, shop, 0, 2 * CHUNK)
        path = shop.root / "archive" / "cache" / "partial" / content_digest(FILM).hex()
        with path.open("r+b") as file:
            file.write(b"lie")
        assert handed_out(shop, 0, 10) is None
        asked = Asked(0, 10, wrong=True)
        assert (await librarian.recall_part(content_id(shop, FILM), asked, 3600)).state == "done"
        assert handed_out(shop, 0, 2 * CHUNK) == FILM[: 2 * CHUNK]


async def test_a_content_in_parts_needs_only_the_disc_of_the_range(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    (tmp_path / "photos" / "99").mkdir(parents=True)
    body = random.Random(9).randbytes(21_000_000)
    (tmp_path / "photos" / "99" / "long.mkv").write_bytes(body)
    shop.build(files=1)
    async with shop.life() as librarian:
        await shop.work(librarian)
        with shop.archive.catalogue.read() as connection:
            cuts = [extent.start for extent in discs.extents(connection, content_id(shop, body))]
        assert len(cuts) > 2
        for bay in librarian.bays:
            await bay.clear()
        before = (await librarian.room.jukebox.status()).machine.moves
        for cut in (cuts[1], cuts[1] + 5):
            assert await part(librarian, shop, cut, 10, body=body) == ("done", False)
            assert handed_out(shop, cut, 10, body) == body[cut : cut + 10]
        assert (await librarian.room.jukebox.status()).machine.moves - before == 1
        over = cuts[2] - 5
        assert await part(librarian, shop, over, 10, body=body) == ("done", False)
        assert handed_out(shop, over, 10, body) == body[over : over + 10]
        assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
        assert cached(shop, body) == body


async def test_a_content_of_an_older_disc_comes_as_a_whole(autojump_clock, shop):
    await burned(shop)
    with shop.archive.catalogue.write() as connection:
        connection.execute(schema.chunks.delete())
    async with shop.life() as librarian:
        assert await part(librarian, shop, 5, 10) == ("done", False)
        assert cached(shop, FILM) == FILM


async def test_chunk_digests_that_contradict_the_content_are_forgotten(autojump_clock, shop):
    """Only a disc of somebody else can tell such: its chunks fit what lies on it, which is not the content."""
    await burned(shop)
    other = FILM[:-1] + b"?"
    with shop.archive.catalogue.write() as connection:
        (extent,) = discs.extents(connection, content_id(shop, FILM))
        digests = ChunkedBlake3(other).chunks()
        connection.execute(schema.chunks.update().values(digests=digests))
    disc = shop.disc_file("SHOP_0001")
    with disc.open("r+b") as file:
        file.seek(extent.sector * 2048)
        file.write(other)
    async with shop.life() as librarian:
        state, why = await librarian.recall(content_id(shop, FILM), 3600)
        assert (state, "forgotten" in why) == ("failed", True)
        assert cached(shop, FILM) is None
        assert (await librarian.recall(content_id(shop, FILM), 3600))[0] == "failed", "and as a whole it is wrong"
    assert grid(shop) is None


async def test_readers_at_random_are_given_the_true_bytes(autojump_clock, shop):
    """Many readers, some of whom go away, over a disc with a bad chunk and a copy without."""
    shop.copies = 2
    await burned(shop, files=2, size=1_500_000)
    damage(shop, "SHOP_0001 ", 2, silent=True)
    bodies = [FILM, *shop.contents.values()]
    chance = random.Random(17)
    async with shop.life() as librarian:

        async def reader(moves):
            for body, start, length, ahead, patience in moves:
                with trio.move_on_after(patience):
                    assert await part(librarian, shop, start, length, ahead, body=body) == ("done", False)
                    assert handed_out(shop, start, length, body) == body[start : start + length]
                await trio.sleep(patience / 7)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                moves = []
                for _ in range(5):
                    body = chance.choice(bodies)
                    start, ahead = chance.randrange(len(body)), chance.choice([0, 0, CHUNK, len(body)])
                    moves.append((body, start, chance.randint(1, 2 * CHUNK), ahead, chance.choice([3.0, 400.0, 1e5])))
                nursery.start_soon(reader, moves)
        await trio.sleep(3600)
        assert len(librarian.demand) == 0
    assert shop.violations() == []
