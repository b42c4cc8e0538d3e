"""Whole restores: through the librarian with few loads, from images in any order, broken off and repeated."""

import json
import os
import random
import shutil

import pytest

from odarchive.cache import CacheReader
from odarchive.catalogue import wanted
from odarchive.cli import main
from odarchive.restore.by_hand import ByHand
from odarchive.restore.needs import needs
from odarchive.restore.recalled import Recall
from odarchive.restore.target import Manner, Target
from odarchive.restore.work import Work
from tests.odarchive.librarian.shop import ARCHIVE_UUID, Shop


class Direct:
    """The librarian without HTTP in between."""

    def __init__(self, librarian):
        self._librarian = librarian

    async def recall(self, content, wait):
        state, why = await self._librarian.recall(content, wait)
        return {"state": state, "why": why}


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    extra = tmp_path / "photos" / "extra"
    extra.mkdir(parents=True)
    chance = random.Random(3)
    (extra / "torn.bin").write_bytes(chance.randbytes(13_000_000))
    (extra / "one").write_bytes(b"linked" * 999)
    (extra / "two").hardlink_to(extra / "one")
    (extra / "same").write_bytes(b"linked" * 999)
    (extra / "empty").touch()
    (extra / "nothing").mkdir(mode=0o711)
    (extra / "away").symlink_to("/etc/passwd")
    (extra / "sparse").write_bytes(bytes(500_000) + b"!")
    os.close(os.open(os.fsencode(extra) + b"/bad\xff\nname", os.O_CREAT))
    os.utime(extra / "one", ns=(1, 987_654_321_012_345_678))
    os.utime(extra, ns=(1, 123_456_789))
    return shop


def work_of(shop, target, paths=(b"",)):
    with shop.archive.catalogue.read() as connection:
        items = wanted.items(connection, paths)
        contents = wanted.wanted(connection, {item.content for item in items if item.content is not None})
    done = {item.path for item in items if target.there(item)}
    return Work(target, needs(items, contents, done))


def same(shop, folder):
    """Names, kinds, bytes, modes, times and links equal."""

    def look(top):
        found, first = {}, {}
        for path, folders, files in os.walk(os.fsencode(top)):
            for name in [*folders, *files, b"."]:
                at = os.path.join(path, name)
                stat = os.lstat(at)
                what = None
                if stat.st_mode & 0o170000 == 0o100000:
                    with open(at, "rb") as file:
                        what = file.read()
                elif stat.st_mode & 0o170000 == 0o120000:
                    what = os.readlink(at)
                relative = os.path.relpath(at, os.fsencode(top))
                link = first.setdefault(stat.st_ino, relative)
                size = stat.st_size if what is not None else 0
                found[relative] = (stat.st_mode, stat.st_uid, stat.st_mtime_ns, size, what, link)
        return found

    left, right = look(shop.root / "photos"), look(folder / "photos")
    assert left.keys() == right.keys()
    assert [name for name in left if left[name] != right[name]] == []


def images(shop, folder):
    folder.mkdir()
    for number, disc in enumerate(sorted((shop.root / "world" / "discs").glob("*.disc"))):
        if disc.stat().st_size > 100_000:
            shutil.copy(disc, folder / f"{number}.iso")
    return sorted(folder.glob("*.iso"))


async def test_through_the_librarian_each_disc_is_loaded_once(autojump_clock, shop, tmp_path):
    shop.build(folders=4, files=8, size=1_000_000, blanks=range(1, 9))
    async with shop.life() as librarian:
        await shop.work(librarian)
        for bay in librarian.bays:
            await bay.clear()
        before = (await librarian.room.jukebox.status()).machine.moves
        with Target(tmp_path / "to", Manner(owners=os.geteuid() == 0)) as target:
            work = work_of(shop, target)
            discs = len(work.needs.segments)
            work.begin()
            await Recall(work, Direct(librarian), CacheReader(shop.archive.config.cache), shop.cache_bytes).run()
            outcome = work.end()
        after = (await librarian.room.jukebox.status()).machine.moves
    assert outcome.problems == []
    assert discs >= 4
    assert after - before <= 2 * discs
    same(shop, tmp_path / "to")


async def test_a_cache_smaller_than_the_restore(autojump_clock, tmp_path):
    shop = Shop(tmp_path, cache_bytes=8_000_000)
    shop.build(folders=3, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
        with Target(tmp_path / "to", Manner(owners=False)) as target:
            work = work_of(shop, target)
            work.begin()
            await Recall(work, Direct(librarian), CacheReader(shop.archive.config.cache), shop.cache_bytes).run()
            assert work.end().problems == []
    same(shop, tmp_path / "to")


async def test_from_images_in_any_order_in_several_runs(autojump_clock, shop, tmp_path):
    shop.build(folders=4, files=8, size=1_000_000, blanks=range(1, 9))
    async with shop.life() as librarian:
        await shop.work(librarian)
    found = images(shop, tmp_path / "images")
    assert len(found) >= 4
    random.Random(5).shuffle(found)
    with Target(tmp_path / "to", Manner(owners=os.geteuid() == 0)) as target:
        work = work_of(shop, target)
        work.begin()
        with ByHand(work, ARCHIVE_UUID) as hand:
            hand.disc(found[0])
            assert hand.missing
        work.end("stopped")
    with Target(tmp_path / "to", Manner(owners=os.geteuid() == 0)) as target:
        work = work_of(shop, target)
        work.begin()
        with ByHand(work, ARCHIVE_UUID) as hand:
            for path in reversed(found):
                hand.disc(path)
            assert hand.missing == {}
        assert work.end().problems == []
    same(shop, tmp_path / "to")


async def test_the_command(autojump_clock, shop, tmp_path, capsys):
    shop.build(folders=2, files=8, size=1_000_000)
    async with shop.life() as librarian:
        await shop.work(librarian)
    images(shop, tmp_path / "images")
    to = tmp_path / "to"
    common = ["--archive", str(shop.root / "archive"), "restore", "photos", "--to", str(to)]
    assert main([*common, "--plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["loads"]) >= 3
    assert not to.exists()
    one = tmp_path / "images" / "0.iso"
    assert main([*common, "--from", str(one)]) == 20
    assert main([*common, "--from", str(tmp_path / "images")]) == 0
    same(shop, to)
    capsys.readouterr()
    assert main([*common, "--from", str(tmp_path / "images"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["files"], again["bytes"]) == (1, 0)  # the hard link is looked at again
    assert main([*common[:-1], str(tmp_path / "other")]) == 21


def test_a_path_that_is_not_there(tmp_path):
    shop = Shop(tmp_path)
    shop.build()
    assert main(["--archive", str(tmp_path / "archive"), "restore", "nowhere", "--to", str(tmp_path / "to")]) == 16
    assert main(["--archive", str(tmp_path / "archive"), "restore", "photos", "--to", str(tmp_path / "to")]) == 1
