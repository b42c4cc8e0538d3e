"""Discs that fade are burned anew without anybody asking, as long as something of them can be read."""

import json

import trio

from odarchive.catalogue import fixity
from odarchive.catalogue.fixity import Outcome
from odarchive.cli import main
from odarchive.model import DiscState, JobKind
from robot.errors import ReadFailed
from tests.odarchive.fixity.test_verify import known, queue, sheet
from tests.odarchive.librarian.shop import InlineDrive, Shop
from tests.odarchive.librarian.test_librarian import cached, content_id


async def burned(shop, **build):
    shop.build(files=6, **build)
    async with shop.life() as librarian:
        await shop.work(librarian)


async def verified(shop):
    async with shop.life() as librarian:
        queue(shop)
        librarian.wake()
        await shop.work(librarian)
        await trio.sleep(100)  # what waited for a disc in the other drive is tried again
        await shop.work(librarian)


def burns(shop):
    return [(job.state.value, job.why) for job in shop.jobs() if job.kind is JobKind.BURN]


async def test_a_disc_that_needs_too_many_second_tries_is_copied_while_it_reads(
    autojump_clock, tmp_path, monkeypatch, capsys
):
    shop = Shop(tmp_path)
    await burned(shop)
    whole = InlineDrive.read

    async def weak(self, sector, count):
        if count > 16 and sector + count > 300:
            raise ReadFailed("a long read fails", sector=sector)
        return await whole(self, sector, count)

    with monkeypatch.context() as patched:
        patched.setattr(InlineDrive, "read", weak)
        patched.setattr("odarchive.librarian.settle.image_digest", _in_clusters)  # the new disc reads well
        await verified(shop)
    old, (reading,) = known(shop, "SHOP_0001")
    new, _ = known(shop, "SHOP_0001_2")
    assert (old.state, reading.outcome) == (DiscState.SUSPECT, Outcome.WEAK)
    assert (new.state, new.segment) == (DiscState.VERIFIED, old.segment)
    assert [state for state, _ in burns(shop)] == ["done", "done"]
    assert shop.violations() == []
    assert main(["-a", str(shop.root / "archive"), "disc", "show", "SHOP_0001", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (first,) = told["readings"]
    assert first["retries"] > 0
    assert (first["unreadable_sectors"], first["outcome"], first["drive"] is None) == (0, "weak", False)
    assert any(event["kind"] == "renewal" for event in told["events"])
    assert main(["-a", str(shop.root / "archive"), "disc", "show", "SHOP_0001"]) == 0
    assert "retried, 0 unreadable sectors" in capsys.readouterr().out


async def _in_clusters(drive, size, progress=None):
    from blake3 import blake3

    hasher = blake3()
    for sector in range(0, size // 2048, 16):
        hasher.update(await drive.read(sector, 16))
    return hasher.digest()


async def test_another_copy_is_read_and_the_new_one_serves(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=2)
    await burned(shop)
    sheet(shop, "SHOP_0001", bad_sectors=[[300, 40]])
    await verified(shop)
    assert known(shop, "SHOP_0001")[0].state is DiscState.SUSPECT
    assert {known(shop, f"SHOP_0001_{n}")[0].state for n in (2, 3)} == {DiscState.VERIFIED}
    async with shop.life() as librarian:
        for body in shop.contents.values():
            assert await librarian.recall(content_id(shop, body), 3600) == ("done", "")
            assert cached(shop, body) == body
    assert shop.violations() == []
    assert list((shop.root / "archive" / "staging").iterdir()) == []


async def test_the_only_copy_is_damaged_so_a_person_is_told_what_to_give(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    await burned(shop)
    sheet(shop, "SHOP_0001", bad_sectors=[[300, 40]])
    await verified(shop)
    first, second = burns(shop)
    assert (first[0], second[0]) == ("done", "failed")
    assert "odarchive repair SHOP_0001 --from" in second[1]
    assert list((shop.root / "archive" / "staging").iterdir()) == []
    sheet(shop, "SHOP_0001", bad_sectors=[])  # cleaned
    await verified(shop)
    assert known(shop, "SHOP_0001")[0].state is DiscState.VERIFIED
    assert shop.violations() == []


async def test_the_threshold_is_a_setting(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    shop.build(files=6)
    path = shop.root / "archive" / "archive.toml"
    path.write_text(path.read_text() + "[verify]\nrenew_at = 0.5\n")
    assert shop.archive.config.renew_at == 0.5
    assert fixity.judge(2048 * 100, 40, 0, 0, 0.5) is Outcome.RIGHT
    assert fixity.judge(2048 * 100, 51, 0, 0, 0.5) is Outcome.WEAK
    assert fixity.judge(2048 * 100, 100, 0, 0, 0) is Outcome.RIGHT
