"""Bytes that no disc gives any more come from the parity set of their disc, while their reader waits."""

import errno
import json
import os
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from sqlalchemy import select

pytest.importorskip("numpy")

from odarchive.catalogue import discs, paritysets, schema
from odarchive.chunks import CHUNK
from odarchive.cli import main
from odarchive.correction.room import parse_ecc
from odarchive.digest import content_digest
from odarchive.librarian.asking import Asked
from odarchive.librarian.kin import kin_of
from odarchive.librarian.rescues import PAUSE
from odarchive.media import parse_medium
from odarchive.model import ContentId, DiscState, SlotState
from odarchive.parity.discset import parse
from odarchive.parity.layout import BLOCK
from odarchive.parity.piecemeal import Piecemeal
from odarchive.planning import Wish, make_plan
from robot.sim.world import World
from tests.odarchive.librarian.shop import Shop
from tests.odarchive.librarian.test_broken_disks import BrokenDisk
from tests.odarchive.librarian.test_librarian import cached
from tests.odarchive.librarian.test_parts import handed_out
from tests.odarchive.librarian.test_stack import INPUT, OUTPUT, StackShop
from tests.odarchive.repair.test_correction import needs_dvdisaster

MEDIUM = parse_medium("10MB")
FILMS = 4


class Wide(Shop):
    """With room for copies."""

    def make_world(self, blanks, kind):
        World.create(self.root / "world", slots=16, drives=2, blanks=range(1, 16), kind=kind)


@pytest.fixture(scope="module")
def built():
    """Shops that were burned, by what they are: each takes seconds."""
    return {}


def film(shop, number):
    return shop.contents[f"film{number}".encode()]


async def burned(built, root, kind="plain", parity=1, *, ecc="none", **options):
    """Four discs with a film and small files on each, and the parity discs of their set."""
    key = (kind, parity, ecc, *options.items())
    if key not in built:
        built[key] = await _burned(
            Wide(Path(tempfile.mkdtemp(dir=root.parent)), sealed=kind == "sealed", **options), parity, ecc
        )
    model = built[key]
    shop = replace(model, root=root)
    shutil.copytree(model.root, root, symlinks=True, dirs_exist_ok=True)
    return shop


async def _burned(shop, parity, ecc="none"):
    shop.build(files=1, size=10, blanks=range(1, 7))
    config = shop.root / "archive" / "archive.toml"
    config.write_text(config.read_text().replace("[burn]\n", f'[burn]\necc = "{ecc}"\n'))
    chance = random.Random(5)
    for number in range(FILMS):
        where = shop.root / "photos" / f"disc{number}"
        where.mkdir()
        body = shop.contents[f"film{number}".encode()] = chance.randbytes(4 * CHUNK + 70_000 + number * 100_000)
        (where / "film.mkv").write_bytes(body)
        for small in range(2):
            body = shop.contents[f"{number}/{small}".encode()] = chance.randbytes(300_000)
            (where / f"{small}.jpg").write_bytes(body)
    command = ["-a", str(shop.root / "archive")]
    assert main([*command, "scan", str(shop.root / "photos")]) == 0
    make_plan(shop.archive.catalogue, MEDIUM, Wish(parity=(FILMS, parity), ecc=parse_ecc(ecc)))
    with shop.archive.catalogue.write() as connection:
        paritysets.close(connection, 1, now_ns=0)
    main([*command, "burn", "all"])
    async with shop.life() as librarian:
        await shop.work(librarian)
        await trio.sleep(200)
        await shop.work(librarian)
        for bay in librarian.bays:
            await bay.clear()
    (found,) = the_sets(shop)
    assert found.made, [(job.state.value, job.why) for job in shop.jobs()]
    assert len(found.data) == FILMS, found
    return shop


def the_sets(shop):
    with shop.archive.catalogue.read() as connection:
        return paritysets.every(connection)


def content_id(shop, body):
    with shop.archive.catalogue.read() as connection:
        query = select(schema.content.c.id).where(schema.content.c.digest == content_digest(body))
        return ContentId(connection.scalars(query).one())


def place(shop, body):
    """The disc and the first sector of a content."""
    with shop.archive.catalogue.read() as connection:
        (extent,) = discs.extents(connection, content_id(shop, body))
        return discs.known_of(connection, extent.segment)[0], extent


def scratch(shop, label, *runs):
    sheet = shop.disc_file(f"{label} ").with_suffix(".json")
    sheet.write_text(json.dumps({**json.loads(sheet.read_text()), "bad_sectors": [list(run) for run in runs]}))


def take_away(shop, label):
    """Somebody took a disc out of its slot."""
    with shop.archive.catalogue.read() as connection:
        slot = discs.find(connection, label).slot
    World.open(shop.root / "world").remove_disc(f"slot {slot}")


def facing(shop, disc, other, sector):
    """A sector of another disc, in the stripe of a sector of a disc."""
    (found,) = the_sets(shop)
    of = parse((shop.root / "archive" / f"{found.uuid}.parity-set.json").read_bytes())
    numbers = [member.label for member in of.members]
    one, two = numbers.index(disc.label), numbers.index(other.label)
    block = of.layout.first(of.members[one].size) + sector * 2048 // BLOCK
    beside = of.layout.at(two, of.layout.stripe(one, block)) - of.layout.first(of.members[two].size)
    assert beside >= 0
    return beside * BLOCK // 2048 + 3


def told(shop, kind):
    with shop.archive.catalogue.read() as connection:
        return [row.message for row in connection.execute(schema.event.select()) if row.kind == kind]


async def part(librarian, shop, body, start, length, *, wait=20_000.0):
    return await librarian.recall_part(content_id(shop, body), Asked(start, length), wait)


@pytest.mark.parametrize("kind", ["plain", "sealed"])
async def test_scratched_chunks_come_from_the_set(autojump_clock, built, tmp_path, kind):
    shop = await burned(built, tmp_path, kind)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    scratch(shop, disc.label, (extent.sector + CHUNK // 2048 + 9, 3))
    async with shop.life() as librarian:
        before = sum(bay.drive.bytes_read for bay in librarian.bays)
        answer = await part(librarian, shop, body, CHUNK + 5, 10)
        assert answer.state == "done", answer
        assert handed_out(shop, CHUNK, CHUNK, body) == body[CHUNK : 2 * CHUNK]
        read = sum(bay.drive.bytes_read for bay in librarian.bays) - before
        assert read < 6 * 20 * 65536 + 1_000_000, "of other discs only the stripes of the chunk are read"
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")
        assert cached(shop, body) == body
        assert len(librarian.demand) == 0
    assert any(f"parity set 1: disc {disc.label} sectors" in line for line in told(shop, "repaired"))
    assert told(shop, "lost") == []
    assert place(shop, body)[0].state is DiscState.SUSPECT
    assert shop.violations() == []


@pytest.mark.parametrize(
    ("kind", "gone"),
    [("plain", "empty slot"), ("plain", "nowhere"), ("plain", "missing"), ("sealed", "illegible")],
)
async def test_a_disc_that_is_lost_whole_comes_from_the_set(autojump_clock, built, tmp_path, kind, gone):
    shop = await burned(built, tmp_path, kind)
    body, small = film(shop, 2), shop.contents[b"2/1"]
    disc, _ = place(shop, body)
    if gone == "illegible":
        scratch(shop, disc.label, (0, disc.image_size // 2048))
    else:
        take_away(shop, disc.label)
    with shop.archive.catalogue.write() as connection:
        if gone == "nowhere":
            discs.place(connection, disc.slot, SlotState.EMPTY, None, "seen empty", now_ns=0)
        if gone == "missing":
            discs.set_state(connection, disc.id, DiscState.MISSING)
    async with shop.life() as librarian:
        answers = []

        async def reader(content, start, length):
            answers.append((await part(librarian, shop, content, start, length)).state)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader, body, 2 * CHUNK - 10, 20)
            nursery.start_soon(reader, small, 0, 10)
            nursery.start_soon(reader, film(shop, 3), 5, 10)
        assert answers == ["done"] * 3
        assert handed_out(shop, CHUNK, 2 * CHUNK, body) == body[CHUNK : 3 * CHUNK]
        assert cached(shop, small) == small
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")
        assert cached(shop, body) == body
        assert len(librarian.demand) == 0
    assert any(disc.label in line for line in told(shop, "repaired"))
    assert place(shop, body)[0].state in (DiscState.SUSPECT, DiscState.MISSING) or gone == "illegible"
    assert shop.violations() == []


async def test_a_reader_whose_time_is_over_finds_it_the_next_time(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path)
    body = film(shop, 0)
    disc, extent = place(shop, body)
    scratch(shop, disc.label, (extent.sector, 1))
    async with shop.life() as librarian:
        answer = await part(librarian, shop, body, 0, 10, wait=60.0)
        assert (answer.state, "parity" in answer.why) == ("waiting", True)
        await trio.sleep(3600)
        begin = sum(bay.drive.bytes_read for bay in librarian.bays)
        assert (await part(librarian, shop, body, 0, 10, wait=0.0)).state == "done"
        assert sum(bay.drive.bytes_read for bay in librarian.bays) == begin
    assert list((shop.root / "archive" / "staging").iterdir()) == []


async def test_a_librarian_that_died_on_the_way_begins_anew(autojump_clock, built, tmp_path):
    """It is stopped after ever longer times until the recall is done in one life; no life leaves a wrong byte."""
    shop = await burned(built, tmp_path)
    body = film(shop, 0)
    disc, _ = place(shop, body)
    take_away(shop, disc.label)
    for seconds in range(10, 1000, 25):
        async with shop.life() as librarian:
            await librarian.recall(content_id(shop, body), seconds)
        assert cached(shop, body) in (None, body)
        assert list((shop.root / "archive" / "staging").iterdir()) == []
        if cached(shop, body) is not None:
            break
    assert seconds > 100, "some lives were cut off"
    assert cached(shop, body) == body
    assert shop.violations() == []


async def test_more_damage_than_the_set_has_parity_is_told_once_and_not_tried_again_and_again(
    autojump_clock, built, tmp_path
):
    shop = await burned(built, tmp_path)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    other, _ = place(shop, film(shop, 3))
    scratch(shop, disc.label, (extent.sector, 1), (extent.sector + 3 * CHUNK // 2048, 1))
    scratch(shop, other.label, (facing(shop, disc, other, extent.sector), 1))
    async with shop.life() as librarian:
        answer = await part(librarian, shop, body, 0, 10)
        assert answer.state == "failed"
        assert all(word in answer.why for word in ("film.mkv", disc.label, other.label, "parity set 1"))
        assert (await part(librarian, shop, body, 3 * CHUNK, 10)).state == "done", "what can be made is made"
        before = (await librarian.room.jukebox.status()).machine.moves
        assert (await part(librarian, shop, body, 0, 10)).state == "failed"
        assert (await librarian.room.jukebox.status()).machine.moves - before <= 2
        assert handed_out(shop, 0, 1, body) is None
    assert len([line for line in told(shop, "lost") if "parity set 1" in line]) == 1
    assert shop.violations() == []


async def test_another_parity_disc_takes_the_place_of_what_is_damaged_too(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path, parity=2)
    body = film(shop, 1)
    disc, _ = place(shop, body)
    other, extent = place(shop, film(shop, 3))
    take_away(shop, disc.label)
    scratch(shop, other.label, *((sector, 1) for sector in range(40, extent.sector + 2000, 97)))
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")
        assert cached(shop, body) == body
    assert place(shop, film(shop, 3))[0].state is DiscState.SUSPECT
    assert any(other.label in line for line in told(shop, "read-failed"))


async def test_a_block_that_is_silently_wrong_is_found_by_its_checksum(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path, parity=2)
    body = film(shop, 1)
    disc, _ = place(shop, body)
    other, extent = place(shop, film(shop, 3))
    take_away(shop, disc.label)
    with shop.disc_file(f"{other.label} ").open("r+b") as file:
        for sector in range(40, extent.sector + 2000, 97):
            file.seek(sector * 2048 + 7)
            file.write(b"!")
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")
        assert cached(shop, body) == body


async def test_a_disc_on_a_shelf_is_not_lost(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path)
    body = film(shop, 1)
    disc, _ = place(shop, body)
    take_away(shop, disc.label)
    with shop.archive.catalogue.write() as connection:
        discs.put_outside(connection, disc.id, "the shelf", now_ns=0)
    async with shop.life() as librarian:
        state, why = await librarian.recall(content_id(shop, body), 20_000)
        assert (state, "not in a slot" in why) == ("failed", True)
    assert told(shop, "repaired") == []
    assert place(shop, body)[0].state is DiscState.VERIFIED


async def test_too_many_lost_discs_are_named(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path)
    gone = [place(shop, film(shop, number))[0] for number in (0, 3)]
    with shop.archive.catalogue.write() as connection:
        for disc in gone:
            discs.set_state(connection, disc.id, DiscState.MISSING)
    async with shop.life() as librarian:
        state, why = await librarian.recall(content_id(shop, film(shop, 0)), 20_000)
    assert state == "failed"
    assert gone[1].label in why


async def test_without_its_description_a_set_is_known_from_the_catalogue(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path, parity=2)
    (found,) = the_sets(shop)
    path = shop.root / "archive" / f"{found.uuid}.parity-set.json"
    kept = parse(path.read_bytes())
    async with shop.life() as librarian:
        segment = found.data[1].id
        assert (await kin_of(librarian.room, segment)).of == kept
        path.unlink()
        derived = await kin_of(librarian.room, segment)
        plain = [replace(member, digest=None) for member in kept.members]
        assert [replace(member, digest=None) for member in derived.of.members] == plain
        assert (derived.of.layout, derived.of.payload) == (kept.layout, kept.payload)
        assert await kin_of(librarian.room, found.parity[0].id) is None


async def moves(librarian):
    return (await librarian.room.jukebox.status()).machine.moves


async def test_a_folder_of_a_lost_disc_costs_one_round_through_the_set(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path, "sealed")
    body = film(shop, 2)
    take_away(shop, place(shop, body)[0].label)
    files = sorted(
        (shop.contents[f"2/{number}".encode()] for number in range(2)), key=lambda one: place(shop, one)[1].sector
    )
    first = min((body, *files), key=lambda one: place(shop, one)[1].sector)
    async with shop.life() as librarian:
        before = await moves(librarian)
        assert (await part(librarian, shop, first, 0, 10)).state == "done"
        await trio.sleep(600)
        once = await moves(librarian) - before
        for one in (body, *files):
            for start in range(0, len(one), CHUNK):
                assert (await part(librarian, shop, one, start, 10)).state == "done"
                assert handed_out(shop, start, 10, one) == one[start : start + 10]
        assert await moves(librarian) - before == once, "all of it came along"
        assert len(librarian.demand) == 0


async def test_a_long_scratch_is_not_a_round_for_each_chunk(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path)
    body = film(shop, 3)
    disc, extent = place(shop, body)
    scratch(shop, disc.label, (extent.sector, len(body) // 2048))
    rounds = 0
    async with shop.life() as librarian:
        for start in range(0, len(body), CHUNK):
            before = await moves(librarian)
            assert (await part(librarian, shop, body, start, 10)).state == "done"
            await trio.sleep(600)
            rounds += await moves(librarian) > before
        assert rounds == 3, "of one chunk, of two, and of four"
    assert all(handed_out(shop, start, 1, body) == body[start : start + 1] for start in range(0, len(body), CHUNK))


async def test_what_a_scratched_disc_still_gives_helps_where_its_set_does_not(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    other, _ = place(shop, film(shop, 3))
    scratch(shop, disc.label, (extent.sector, 1))
    scratch(shop, other.label, (facing(shop, disc, other, extent.sector + 400), 1))
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")
        assert cached(shop, body) == body


@pytest.mark.parametrize("gone", [True, False])
async def test_more_than_one_round(autojump_clock, built, tmp_path, monkeypatch, gone):
    monkeypatch.setattr("odarchive.librarian.rescue.ROUND", 3 * CHUNK)
    shop = await burned(built, tmp_path)
    body = film(shop, 0)
    disc, extent = place(shop, body)
    if gone:
        take_away(shop, disc.label)
    else:
        scratch(shop, disc.label, (extent.sector, len(body) // 2048))
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, body), 40_000) == ("done", "")
        assert cached(shop, body) == body
        assert len(librarian.demand) == 0


async def test_a_staging_folder_without_room_is_told(autojump_clock, built, tmp_path, monkeypatch):
    shop = await burned(built, tmp_path)
    body = film(shop, 0)
    take_away(shop, place(shop, body)[0].label)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    async with shop.life() as librarian:
        monkeypatch.setattr("odarchive.parity.piecemeal.Piecemeal._add", full)
        state, why = await librarian.recall(content_id(shop, body), 20_000)
        assert (state, "staging" in why, "No space" in why) == ("failed", True, True)
        monkeypatch.undo()
        assert len(librarian.demand) == 0
        assert await librarian.recall(content_id(shop, body), 20_000) == ("failed", why)
        await trio.sleep(700)
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")


async def test_contents_without_chunk_digests_come_as_a_whole(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    with shop.archive.catalogue.write() as connection:
        connection.execute(schema.chunks.delete())
    scratch(shop, disc.label, (extent.sector + 700, 3))
    async with shop.life() as librarian:
        assert (await part(librarian, shop, body, CHUNK, 10)).state == "done"
        assert cached(shop, body) == body
        for bay in librarian.bays:
            await bay.clear()
    take_away(shop, place(shop, film(shop, 2))[0].label)
    scratch(shop, disc.label)
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, film(shop, 2)), 20_000) == ("done", "")
        assert cached(shop, film(shop, 2)) == film(shop, 2)
        assert len(librarian.demand) == 0


async def test_readers_at_random_of_a_set_with_a_lost_disc_are_given_the_true_bytes(autojump_clock, built, tmp_path):
    """Many readers, some of whom go away, of a disc that is gone, one that is scratched, and others."""
    shop = await burned(built, tmp_path, parity=2)
    take_away(shop, place(shop, film(shop, 0))[0].label)
    disc, extent = place(shop, film(shop, 1))
    scratch(shop, disc.label, (extent.sector + CHUNK // 2048, 700))
    bodies = [film(shop, 0), film(shop, 1), *shop.contents.values()]
    chance = random.Random(23)
    async with shop.life() as librarian:

        async def reader(moves):
            for body, start, length, patience in moves:
                with trio.move_on_after(patience):
                    assert (await part(librarian, shop, body, start, length)).state == "done"
                    assert handed_out(shop, start, length, body) == body[start : start + length]
                await trio.sleep(patience / 7)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                moves = []
                for _ in range(5):
                    body = chance.choice(bodies)
                    start, patience = chance.randrange(len(body)), chance.choice([3.0, 400.0, 1e5])
                    moves.append((body, start, chance.randint(1, 2 * CHUNK), patience))
                nursery.start_soon(reader, moves)
        await trio.sleep(7200)
        assert len(librarian.demand) == 0
    assert told(shop, "lost") == []
    assert shop.violations() == []


async def test_copies_of_one_image_carry_other_labels_and_help_all_the_same(autojump_clock, built, tmp_path):
    shop = await burned(built, tmp_path, copies=2)
    body = film(shop, 1)
    segment = place(shop, body)[0].segment
    with shop.archive.catalogue.read() as connection:
        for one in discs.known_of(connection, segment):
            take_away(shop, one.label)
    async with shop.life() as librarian:
        for content in (body, shop.contents[b"1/0"], shop.contents[b"1/1"]):
            assert await librarian.recall(content_id(shop, content), 40_000) == ("done", "")
            assert cached(shop, content) == content
    assert told(shop, "read-failed") == []


@needs_dvdisaster
@pytest.mark.parametrize("what", ["scratch", "gone"])
async def test_discs_with_error_correction_too(autojump_clock, built, tmp_path, what):
    shop = await burned(built, tmp_path, ecc="15%")
    (found,) = the_sets(shop)
    assert all(one.ecc_size and one.ecc_size > one.image_size for one in found.data), found
    body = film(shop, 1)
    disc, extent = place(shop, body)
    if what == "scratch":
        scratch(shop, disc.label, (extent.sector + 700, 3))
    else:
        take_away(shop, disc.label)
    async with shop.life() as librarian:
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")
        assert cached(shop, body) == body


async def test_a_person_brings_the_discs_of_the_set(autojump_clock, tmp_path):
    shop = StackShop(tmp_path, name="ras13")
    await _burned(shop, 1)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    scratch(shop, disc.label, (extent.sector + 700, 3))
    asked = set()
    async with shop.life() as librarian:

        async def reader():
            with trio.fail_after(20_000):
                while (answer := await part(librarian, shop, body, CHUNK, 10, wait=50)).state == "waiting":
                    asked.add(answer.why)
                    await trio.sleep(1)
            assert answer.state == "done"
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader)
            while True:
                await trio.sleep(300)
                shop.carry(OUTPUT, INPUT)
                await librarian.look_again()
    assert handed_out(shop, CHUNK, CHUNK, body) == body[CHUNK : 2 * CHUNK]
    assert any(f"{disc.label}: drive 0" in why and "parity: put disc SHOP_0002" in why for why in asked), asked


def unwell(*_, **__):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_the_disk_of_staging_may_be_gone_at_any_time(autojump_clock, built, tmp_path, monkeypatch):
    shop = await burned(built, tmp_path, parity=2)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    scratch(shop, disc.label, (extent.sector + CHUNK // 2048 + 9, 3))
    other, there = place(shop, film(shop, 3))
    scratch(shop, other.label, *((sector, 1) for sector in range(40, there.sector + 2000, 97)))
    broken, states = BrokenDisk(monkeypatch, tmp_path / "archive" / "staging"), []

    async with shop.life() as librarian:

        async def again(undo):
            """Have a chunk made again, then once more when the disk is well."""
            answer = await part(librarian, shop, body, CHUNK + 5, 10)
            undo()
            states.append(answer.state)
            assert answer.state == "done" or "Input/output error" in answer.why, answer
            await trio.sleep(PAUSE + 1)
            assert (await part(librarian, shop, body, CHUNK + 5, 10)).state == "done"
            assert handed_out(shop, CHUNK, CHUNK, body) == body[CHUNK : 2 * CHUNK]
            librarian.room.cache.drop(content_digest(body))
            assert len(librarian.demand) == 0

        for at in (1, 2, 3, 4, 5, 6, 100):
            broken.arm(at, on=True)
            await again(broken.disarm)
        for name in ("need", "read"):
            with monkeypatch.context() as patched:
                patched.setattr(Piecemeal, name, unwell)
                await again(patched.undo)
    assert states == ["failed"] * 9


async def test_a_block_begun_anew_on_a_broken_disk_fails_in_words(autojump_clock, built, tmp_path, monkeypatch):
    shop = await burned(built, tmp_path, parity=2)
    body = film(shop, 1)
    other, extent = place(shop, film(shop, 3))
    take_away(shop, place(shop, body)[0].label)
    scratch(shop, other.label, *((sector, 1) for sector in range(40, extent.sector + 2000, 97)))
    async with shop.life() as librarian:
        with monkeypatch.context() as patched:
            patched.setattr(Piecemeal, "begin_anew", unwell)
            state, why = await librarian.recall(content_id(shop, body), 20_000)
            assert (state, "Input/output error" in why) == ("failed", True), why
        await trio.sleep(PAUSE + 1)
        assert await librarian.recall(content_id(shop, body), 20_000) == ("done", "")


async def test_what_was_made_stays_until_it_is_handed_over(autojump_clock, built, tmp_path):
    """Another drive brings the last that somebody else waits for, while one still hands over."""
    shop = await burned(built, tmp_path)
    body = film(shop, 1)
    disc, extent = place(shop, body)
    scratch(shop, disc.label, (extent.sector + CHUNK // 2048 + 9, 3))
    async with shop.life() as librarian:
        rescues = librarian._recaller._rescues
        real = rescues._takers.mended

        async def slow(bay, sectors, want, lost):
            (rescue,) = rescues._running.values()
            await rescue._deliver(bay)
            await real(bay, sectors, want, lost)

        rescues._takers = replace(rescues._takers, mended=slow)
        answer = await part(librarian, shop, body, CHUNK + 5, 10)
        assert answer.state == "done", answer
        assert rescues._running == {}
    assert handed_out(shop, CHUNK, CHUNK, body) == body[CHUNK : 2 * CHUNK]
