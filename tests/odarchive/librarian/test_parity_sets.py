"""Parity as a policy: planned with its room, made when its set is burned, burned by the librarian, and worth it."""

import json
import random
import shutil

import pytest

pytest.importorskip("numpy")

from odarchive.catalogue import discs, paritysets
from odarchive.catalogue.check import check
from odarchive.cli import main
from odarchive.errors import MediumTooSmall, OdarchiveError
from odarchive.media import parse_medium
from odarchive.parity.discset import Member
from odarchive.parity.layout import BLOCK, Layout, disc_bytes, parse_shape, room
from odarchive.parity.sets import Wish as SetWish
from odarchive.parity.sets import make_set
from odarchive.planning import Wish, make_plan
from tests.odarchive.librarian.shop import ARCHIVE_UUID, Shop
from tests.odarchive.repair.test_repair import images

MEDIUM = parse_medium("10MB")


@pytest.mark.parametrize(("data", "parity"), [(1, 1), (2, 1), (5, 2), (16, 4)])
def test_parity_discs_fit_what_was_planned(tmp_path, data, parity):
    usable = 12_000_000
    largest = room(data, parity, usable) // BLOCK * BLOCK
    assert largest > usable - 3_500_000 - BLOCK * (data + parity)
    layout = Layout.of(data, parity, BLOCK, largest)
    (tmp_path / "a.iso").write_bytes(random.Random(1).randbytes(largest))
    members = [(tmp_path / "a.iso", Member("A" * 32, number, largest, bytes(32))) for number in range(data)]
    labels = tuple(f"{'P' * 29}{number:03}" for number in range(parity))
    wish = SetWish(parity, labels, tuple(range(parity)), ARCHIVE_UUID, 10**18)
    for path in make_set(members, wish, tmp_path / "out"):
        assert layout.length * BLOCK < path.stat().st_size <= disc_bytes(layout) <= usable


@pytest.mark.parametrize("text", ["", "4", "0+1", "1+0", "200+57", "16+", "a+b", "1+1+1"])
def test_what_no_set_is(text):
    with pytest.raises(OdarchiveError, match="write data"):
        parse_shape(text)


def test_a_medium_can_be_too_small():
    with pytest.raises(MediumTooSmall):
        Wish(parity=(16, 4)).usable(parse_medium("1MB"))


def archive_of(shop):
    return ["-a", str(shop.root / "archive")]


def planned(shop, folders, parity):
    """A shop that plans folders of 4.2 MB, two to a disc, into sets."""
    shop.build(files=1, size=10, blanks=range(1, 9))
    chance = random.Random(5)
    add(shop, chance, range(folders))
    return make_plan(shop.archive.catalogue, MEDIUM, Wish(parity=parity))


def add(shop, chance, numbers):
    for number in numbers:
        where = shop.root / "photos" / f"more{number}"
        where.mkdir()
        for part in range(3):
            body = shop.contents[f"more{number}/{part}".encode()] = chance.randbytes(1_000_000)
            (where / str(part)).write_bytes(body)
    assert main([*archive_of(shop), "scan", str(shop.root / "photos")]) == 0


async def burned(shop):
    main([*archive_of(shop), "burn", "all"])
    async with shop.life() as librarian:
        await shop.work(librarian)
        import trio

        await trio.sleep(200)  # what waited for the rest of its set is tried again
        await shop.work(librarian)


def sets(shop):
    with shop.archive.catalogue.read() as connection:
        return paritysets.every(connection)


async def test_parity_discs_are_planned_burned_and_bring_lost_discs_back(autojump_clock, tmp_path, capsys):
    shop = Shop(tmp_path)
    result = planned(shop, 5, (3, 2))
    assert (len(result.segments), result.parity) == (3, 2)
    (found,) = sets(shop)
    assert all(one.planned_bytes <= MEDIUM.usable for one in found.parity)
    await burned(shop)
    (found,) = sets(shop)
    assert found.made, [(job.state.value, job.why) for job in shop.jobs()]
    assert shop.violations() == []
    assert list((shop.root / "archive" / "staging").glob("*.iso")) == []
    everything = images(shop, tmp_path / "images")
    whole = {path.name: path.read_bytes() for path in everything}
    for one in (found.data[0], found.data[2]):
        (tmp_path / "images" / f"{one.label}.iso").unlink()
    out = tmp_path / "mended"
    names = [found.data[0].label, found.data[2].label]
    assert main([*archive_of(shop), "repair", *names, "--from", str(tmp_path / "images"), "--out", str(out)]) == 0
    for name in names:
        assert (out / f"{name}.iso").read_bytes() == whole[f"{name}.iso"]
    # without a database the parity discs are known, and the archive is the same
    shutil.rmtree(tmp_path / "images")
    images(shop, tmp_path / "images")
    capsys.readouterr()
    command = ["-a", str(tmp_path / "again"), "rebuild-catalog", "--from-discs", str(tmp_path / "images"), "--json"]
    assert main(command) in (0, 1)
    told = json.loads(capsys.readouterr().out)
    assert not [note for note in told["notes"] if "catalogue.json" in note]
    from odarchive.catalogue.archive import open_catalogue

    assert check(open_catalogue(tmp_path / "again" / "catalogue.db")) == []


async def test_an_open_set_takes_the_next_plan_and_can_be_closed(autojump_clock, tmp_path, capsys):
    shop = Shop(tmp_path)
    planned(shop, 2, (3, 1))
    await burned(shop)
    (found,) = sets(shop)
    before = len(found.data)
    assert (found.closed, before < 3) == (False, True)
    staged = sorted(path.stem for path in (shop.root / "archive" / "staging").glob("*.iso"))
    assert staged == [one.label for one in found.data], "parity is still to be made from them"
    add(shop, random.Random(8), [7])
    again = make_plan(shop.archive.catalogue, MEDIUM, Wish(parity=(3, 1)))
    assert again.parity == 0
    (found,) = sets(shop)
    assert len(found.data) == before + len(again.segments)
    if not found.closed:
        capsys.readouterr()
        assert main([*archive_of(shop), "parity-set", "list"]) == 0
        assert "takes more discs" in capsys.readouterr().out
        assert main([*archive_of(shop), "parity-set", "close", "1"]) == 0
    assert main([*archive_of(shop), "parity-set", "close", "9"]) == 16
    async with shop.life() as librarian:  # a new life keeps the images of the set
        await shop.work(librarian)
    await burned(shop)
    (found,) = sets(shop)
    assert found.made, [(job.state.value, job.why) for job in shop.jobs()]
    with shop.archive.catalogue.read() as connection:
        assert all(discs.copies_of(connection, one.id) for one in (*found.data, *found.parity))
    assert list((shop.root / "archive" / "staging").glob("*.iso")) == []
    assert shop.violations() == []
