"""An encrypted archive at work: burned and verified without a key, read with it, put together again with it alone."""

import json

import pytest
import trio

from odarchive.catalogue import fixity, schema
from odarchive.catalogue.check import check
from odarchive.cli import main
from odarchive.errors import KeyNeeded
from odarchive.librarian.unsealing import NO_KEY
from odarchive.model import DiscState
from odarchive.seal import keys
from tests.odarchive.fixity.test_verify import known, queue, sheet
from tests.odarchive.librarian.shop import Shop
from tests.odarchive.librarian.test_librarian import cached, content_id
from tests.odarchive.rebuild.test_rebuild import chunks, images, view


@pytest.fixture(params=["file", "stream"])
def shop(tmp_path, request):
    return Shop(tmp_path, sealed=True, staging=request.param)


async def burned(shop):
    (shop.root / "photos").mkdir(exist_ok=True)
    shop.contents[b"large"] = bytes(range(256)) * 50_000
    (shop.root / "photos" / "large").write_bytes(shop.contents[b"large"])
    shop.build(folders=2, files=6, size=900_000, blanks=range(1, 9))
    key = shop.root / "key"
    key.rename(shop.root / "away")  # neither burning nor verifying needs it
    async with shop.life() as librarian:
        await shop.work(librarian)
        queue(shop)
        librarian.wake()
        await shop.work(librarian)
    assert {job.state.value for job in shop.jobs()} == {"done"}
    with shop.archive.catalogue.read() as connection:
        assert {row.seal for row in connection.execute(schema.segment.select())} == {None}
    return key


async def test_it_is_read_with_the_key_and_says_so_without(autojump_clock, shop):
    key = await burned(shop)
    async with shop.life() as librarian:
        wanted = content_id(shop, shop.contents[b"large"])
        assert await librarian.recall(wanted, 600) == ("failed", NO_KEY)
        assert "archive.toml" in NO_KEY
    assert set(shop.tally()) == {"verified"}, "no disc is suspected for a key that is missing"
    keys.new_identity(key, created="")
    with pytest.raises(KeyNeeded, match="does not open this archive"):
        async with shop.life():
            pass
    (shop.root / "away").rename(key)
    async with shop.life() as librarian:
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body
    assert shop.violations() == []


async def test_damage_is_found_without_the_key(autojump_clock, shop):
    await burned(shop)
    with shop.archive.catalogue.read() as connection:
        label = "SHOP_0001"
        piece = fixity.placed(connection, 1)[0]
    sheet(shop, label, bad_sectors=[[piece.sector + 20, 3]])
    async with shop.life() as librarian:
        queue(shop, label)
        librarian.wake()
        await shop.work(librarian)
    one, readings = known(shop, label)
    assert one.state is DiscState.SUSPECT
    assert [reading.damaged for reading in readings if reading.unreadable] == [1]


async def test_the_catalogue_comes_back_with_the_key_alone(autojump_clock, shop, tmp_path, capsys):
    await burned(shop)
    database = shop.root / "archive" / "catalogue.db"
    before = view(database), chunks(database)
    images(shop, tmp_path / "images")
    for path in database.parent.glob("catalogue.db*"):
        path.unlink()
    keys.new_identity(shop.root / "wrong", created="")
    command = ["-a", str(shop.root / "archive"), "rebuild-catalog", "--from-discs", str(tmp_path / "images")]
    for words, message in (([], "--key FILE"), (["--key", str(shop.root / "wrong")], "none of the keys")):
        assert main([*command, *words]) == KeyNeeded.exit_code
        assert message in capsys.readouterr().err
        assert not database.exists()
    assert main([*command, "--key", str(shop.root / "away"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
    assert (view(database), chunks(database)) == before
    assert check(shop.archive.catalogue) == []
    (shop.root / "away").rename(shop.root / "key")
    async with shop.life() as librarian:
        await trio.sleep(3600)  # the inventory looks into every slot
        body = shop.contents[b"large"]
        assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
        assert cached(shop, body) == body
        queue(shop)
        librarian.wake()
        await shop.work(librarian)
    assert set(shop.tally()) == {"verified"}


async def test_a_person_restores_from_discs_with_the_key(autojump_clock, shop, tmp_path, capsys):
    await burned(shop)
    found = images(shop, tmp_path / "images")
    command = ["-a", str(shop.root / "archive"), "restore", "photos", "--to", str(tmp_path / "back")]
    command += [word for path in found for word in ("--from", str(path))]
    assert main(command) != 0
    assert "--key FILE" in capsys.readouterr().err
    assert main([*command, "--key", str(shop.root / "away")]) == 0, capsys.readouterr().err
    for name, body in shop.contents.items():
        assert (tmp_path / "back" / "photos" / name.decode()).read_bytes() == body
