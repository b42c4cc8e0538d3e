"""The database is lost: discs alone give back names, digests and a working archive."""

import os
import random
import shutil
import sqlite3

import pytest
import trio

from odarchive.catalogue.archive import open_catalogue
from odarchive.catalogue.check import check
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.cli import main
from odarchive.offline.disc import open_disc
from odarchive.rebuild.rebuild import rebuild, sort_out
from tests.odarchive.librarian.shop import ARCHIVE_UUID, Shop
from tests.odarchive.librarian.test_librarian import cached, content_id


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    extra = tmp_path / "photos" / "extra"
    extra.mkdir(parents=True)
    (extra / "torn.bin").write_bytes(random.Random(3).randbytes(13_000_000))
    (extra / "one").write_bytes(b"linked" * 999)
    (extra / "two").hardlink_to(extra / "one")
    (extra / "empty").touch()
    (extra / "nothing").mkdir(mode=0o711)
    (extra / "away").symlink_to("/etc/passwd")
    os.close(os.open(os.fsencode(extra) + b"/bad\xff\nname", os.O_CREAT))
    return shop


def view(path):
    """Everything the mount shows: ls -lR with digests."""
    found = {}
    with CatalogueNamespace(path) as names:
        waiting = [(1, b"")]
        while waiting:
            ino, at = waiting.pop()
            for name, entry in names.children(ino, b"", 10_000):
                content = None if entry.content is None else names.content(entry.content)
                link = names.readlink(entry.ino)
                found[at + b"/" + name] = (
                    *(entry.mode, entry.nlink, entry.uid, entry.gid, entry.size, entry.mtime_ns, link),
                    content and content.digest,
                )
                if entry.mode & 0o170000 == 0o040000:
                    waiting.append((entry.ino, at + b"/" + name))
    return found


def chunks(path):
    """Every chunk digest there is, by the content's digest."""
    with sqlite3.connect(path) as raw:
        rows = raw.execute("SELECT digest, start, length, digests FROM chunks JOIN content ON content.id = content")
        return sorted(rows.fetchall())


def images(shop, folder):
    folder.mkdir()
    for number, disc in enumerate(sorted((shop.root / "world" / "discs").glob("*.disc"))):
        if disc.stat().st_size > 100_000:
            shutil.copy(disc, folder / f"{number}.iso")
    return sorted(folder.glob("*.iso"))


def opened(paths):
    return [(str(path), lambda path=path: open_disc(path)) for path in paths]


async def burned(shop, **build):
    shop.build(blanks=range(1, 9), **build)
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert {job.state.value for job in shop.jobs()} == {"done"}


async def test_the_same_names_and_digests_and_the_archive_works_again(autojump_clock, shop, tmp_path, capsys):
    await burned(shop, folders=3, files=8, size=1_000_000)
    database = shop.root / "archive" / "catalogue.db"
    before, before_chunks = view(database), chunks(database)
    assert len(before) > 30
    assert sum(length for _, _, length, _ in before_chunks) == 13_000_000, "the one content of several chunks"
    found = images(shop, tmp_path / "images")
    assert main(["-a", str(shop.root / "archive"), "rebuild-catalog", "--from-discs", str(tmp_path / "images")]) == 3
    for path in database.parent.glob("catalogue.db*"):
        path.unlink()
    code = main(["-a", str(shop.root / "archive"), "rebuild-catalog", "--from-discs", str(tmp_path / "images")])
    assert (code, capsys.readouterr().err.count("\n")) == (0, 1)
    assert (view(database), chunks(database)) == (before, before_chunks)
    assert check(open_catalogue(database)) == []
    assert shop.tally() == {"verified": len(found)}
    async with shop.life() as librarian:
        await trio.sleep(3600)  # the inventory looks into every slot
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body
    assert shop.violations() == []


async def test_without_a_catalogue_of_the_set_each_disc_tells_its_names(autojump_clock, shop, tmp_path, monkeypatch):
    await burned(shop, folders=3, files=8, size=1_000_000)
    before = view(shop.root / "archive" / "catalogue.db")
    found = images(shop, tmp_path / "images")
    random.Random(1).shuffle(found)
    monkeypatch.setattr("odarchive.rebuild.rebuild._names", lambda *_: "")
    path, told = tmp_path / "catalogue.db", []
    done = rebuild(path, sort_out(opened(found)), tell=told.append)
    assert done.notes == ()
    count = len(found)
    told = [line.partition(": ")[0] for line in told]
    assert told[:count] == [f"disc {number} of {count} into the catalogue" for number in range(1, count + 1)]
    after = view(path)
    assert {n: (before[n], after.get(n)) for n in before if before[n] != after.get(n)} == {}
    assert after == before


async def test_the_newest_disc_is_lost(autojump_clock, shop, tmp_path):
    await burned(shop, folders=3, files=8, size=1_000_000)
    found = images(shop, tmp_path / "images")
    pile = sort_out(opened(found))
    rest = pile.discs[1:]
    path = tmp_path / "catalogue.db"
    done = rebuild(path, sort_out(rest))
    assert done.discs == len(found) - 1
    assert check(open_catalogue(path)) == []
    whole = view(shop.root / "archive" / "catalogue.db")
    assert set(view(path)) < set(whole)
    older = tmp_path / "older.db"
    done = rebuild(older, sort_out(pile.discs[:1]))
    assert done.notes
    assert all("not among these" in note for note in done.notes)
    assert set(view(older)) - set(whole) == set()
    assert len(view(older)) >= len(whole) - 9


async def test_damage_foreign_discs_and_duplicates_are_told(autojump_clock, shop, tmp_path):
    await burned(shop, folders=2, files=8, size=1_000_000)
    found = images(shop, tmp_path / "images")
    newest = sort_out(opened(found)).discs[0][0]
    descriptor = os.open(newest, os.O_WRONLY)
    os.pwrite(descriptor, b"?" * 5000, 6_000_000)
    os.close(descriptor)
    (tmp_path / "images" / "foreign.iso").write_bytes(bytes(100_000))
    shutil.copy(newest, tmp_path / "images" / "twice.iso")
    everything = sorted((tmp_path / "images").iterdir())
    done = rebuild(tmp_path / "catalogue.db", sort_out(opened(everything)))
    notes = "\n".join(done.notes)
    assert "is damaged" in notes
    assert "foreign.iso is no disc of an archive" in notes
    assert "is the same disc as" in notes
    assert check(open_catalogue(tmp_path / "catalogue.db")) == []


async def test_discs_of_two_archives(autojump_clock, tmp_path, monkeypatch, capsys):
    for number in (1, 2):
        monkeypatch.setattr("tests.odarchive.librarian.shop.ARCHIVE_UUID", ARCHIVE_UUID[:-1] + str(number))
        shop = Shop(tmp_path / str(number))
        shop.root.mkdir()
        await burned(shop)
        images(shop, tmp_path / str(number) / "images")
    places = [arg for n in (1, 2) for arg in ("--from-discs", str(tmp_path / str(n) / "images"))]
    new = ["-a", str(tmp_path / "new"), "rebuild-catalog"]
    assert main([*new, *places]) == 3
    assert "2 archives" in capsys.readouterr().err
    assert main([*new, *places, "--only", ARCHIVE_UUID]) == 1
    assert view(tmp_path / "new" / "catalogue.db") == view(tmp_path / "1" / "archive" / "catalogue.db")


def test_no_disc_at_all(tmp_path):
    (tmp_path / "discs").mkdir()
    assert main(["-a", str(tmp_path / "new"), "rebuild-catalog", "--from-discs", str(tmp_path / "discs")]) == 16
