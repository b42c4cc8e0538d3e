"""Discs that stand in for each other are not all of one maker where the stock allows; no disc is loaded to find out."""

import json

import trio

from odarchive.catalogue import machine, motions, schema
from odarchive.cli import main
from tests.odarchive.librarian.shop import Shop
from tests.odarchive.librarian.test_parity_sets import planned

A, B, C = "CMCMAG/BA5/0", "RITEK/BR2/0", "VERBAT/IMe/0"


def make(shop, makers):
    """Makers of the discs in the slots from 1 on."""
    sheets = sorted((shop.root / "world" / "discs").glob("*.json"))
    for sheet, maker in zip(sheets, makers, strict=True):
        sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"maker": maker}))


def burned(shop):
    with shop.archive.catalogue.read() as connection:
        rows = connection.execute(schema.disc.select().order_by(schema.disc.c.id)).all()
    return [row.profile.partition(" ")[2] for row in rows]


def loads(shop):
    with shop.archive.catalogue.read() as connection:
        return motions.loads(connection)


async def told_then_burned(shop, *, known):
    """A person has the slots ``known`` looked into; then the queue runs."""
    with shop.archive.catalogue.write() as connection:
        machine.remember(connection, "queue", "paused")
        machine.quarantine(connection, 1, "not today")  # a blank that lies in another drive could not be chosen
    async with shop.life() as librarian:
        librarian.inventory.order(set(known))
        librarian.wake()
        await trio.sleep(1800)
        before = loads(shop)
        with shop.archive.catalogue.write() as connection:
            machine.remember(connection, "queue", "running")
        librarian.wake()
        await shop.work(librarian)
    assert {job.state.value for job in shop.jobs()} == {"done"}
    return loads(shop) - before


async def test_copies_are_of_different_makers(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=3)
    shop.build(blanks=range(1, 6))
    make(shop, [A, A, A, B, C])
    await told_then_burned(shop, known=range(1, 6))
    assert sorted(burned(shop)) == [A, B, C]


async def test_a_set_is_spread_evenly(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    planned(shop, 5, (3, 2))
    make(shop, [A, A, A, A, A, B, B, B])
    main(["-a", str(shop.root / "archive"), "burn", "all"])
    await told_then_burned(shop, known=range(1, 9))
    members = schema.parity_member
    query = schema.disc.select().join(members, members.c.segment == schema.disc.c.segment)
    with shop.archive.catalogue.read() as connection:
        makers = [row.profile for row in connection.execute(query)]
    assert sorted(makers.count(f"bd-r {maker}") for maker in (A, B)) == [2, 3]


async def test_makers_nobody_knows_are_not_looked_for(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=3)
    shop.build(blanks=range(1, 6))
    make(shop, [A, A, A, B, C])
    assert await told_then_burned(shop, known=()) == 3, "each load was a burn"
    assert burned(shop) == [A, A, A]


async def test_a_blank_whose_maker_is_known_is_preferred_and_one_too_small_is_left(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=2)
    shop.build(blanks=range(1, 6))
    make(shop, [A, A, B, C, A])
    sheet = sorted((shop.root / "world" / "discs").glob("*.json"))[2]
    sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"capacity": 2048}))
    assert await told_then_burned(shop, known=(1, 3, 4)) <= 2
    assert sorted(burned(shop)) == [A, C]
