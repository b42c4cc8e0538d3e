"""What may be asked of a plan: topping up, waiting, order, other media, copies, room kept free."""

import os
import random

import pytest
from planted import plant, rows
from sqlalchemy import insert, update
from test_planning import MEDIUM, begin, fill, pieces_cover_everything

from odarchive.catalogue import discs, paritysets, schema
from odarchive.image import ondisc
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.imaging import build_image
from odarchive.imaging.disctree import DiscTree, DiscWish
from odarchive.imaging.making import selected, set_catalogue
from odarchive.media import Medium, parse_medium
from odarchive.planning import Reserve, Wish, make_plan
from odarchive.planning.exact import Exact
from odarchive.planning.order import Order
from tests.odarchive.hostile_trees import hostile

WITH_PARITY = parse_medium("8MB")


def more(catalogue, tmp_path, name, size):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(size))
    plant(catalogue, folder, name=name.encode())


def test_a_plan_nobody_began_is_topped_up_under_its_number(catalogue, source, tmp_path):
    fill(source, folders=1)
    plant(catalogue, source)
    first = make_plan(catalogue, MEDIUM)
    more(catalogue, tmp_path, "more", 300_000)
    dry = make_plan(catalogue, MEDIUM, dry_run=True)
    second = make_plan(catalogue, MEDIUM)
    assert [one.id for one in first.segments] == [one.id for one in second.segments] == [1]
    assert (dry.topped_up, second.topped_up, second.new_bytes) == ((1,), (1,), 300_000)
    assert second.segments[0].payload_bytes == 700_000
    assert pieces_cover_everything(catalogue)
    assert all(row.carrier == 1 for row in rows(catalogue, schema.entry) if row.content is None and row.parent)


def test_what_is_built_or_queued_or_asked_for_otherwise_is_not_planned_anew(catalogue, source, tmp_path):
    fill(source, folders=1)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    with catalogue.write() as connection:
        job = {"kind": "burn", "state": "queued", "segment": 1, "created_ns": 0, "updated_ns": 0}
        connection.execute(insert(schema.job).values(**job))
    more(catalogue, tmp_path, "b", 50_000)
    assert [one.id for one in make_plan(catalogue, MEDIUM, Wish(copies=2)).segments] == [2]
    more(catalogue, tmp_path, "c", 50_000)
    assert [one.id for one in make_plan(catalogue, MEDIUM).segments] == [3]
    more(catalogue, tmp_path, "d", 50_000)
    assert [one.id for one in make_plan(catalogue, parse_medium("3MB")).segments] == [4]
    with catalogue.write() as connection:
        connection.execute(update(schema.segment).values(ecc_size=2_000_000))
    more(catalogue, tmp_path, "e", 50_000)
    assert [one.id for one in make_plan(catalogue, MEDIUM).segments] == [5]
    begin(catalogue)
    more(catalogue, tmp_path, "f", 50_000)
    assert [one.id for one in make_plan(catalogue, MEDIUM).segments] == [6]
    assert pieces_cover_everything(catalogue)


def test_a_plan_without_parity_leaves_the_sets_with_parity_alone(catalogue, source, tmp_path):
    fill(source, folders=1)
    plant(catalogue, source)
    make_plan(catalogue, WITH_PARITY, Wish(parity=(3, 1)))
    members = rows(catalogue, schema.parity_member)
    assert {(row.segment, row.kind) for row in members} == {(1, "data"), (2, "parity")}
    for name, wish in (("a", Wish()), ("b", Wish(parity=(4, 1)))):
        more(catalogue, tmp_path, name, 50_000)
        assert 1 not in make_plan(catalogue, WITH_PARITY, wish).topped_up
        assert set(members) <= set(rows(catalogue, schema.parity_member))
    more(catalogue, tmp_path, "c", 50_000)
    assert make_plan(catalogue, WITH_PARITY, Wish(parity=(3, 1))).topped_up == (1,)
    assert set(members) <= set(rows(catalogue, schema.parity_member))
    with catalogue.write() as connection:
        connection.execute(update(schema.parity_set).values(closed_ns=1))
    more(catalogue, tmp_path, "d", 50_000)
    assert make_plan(catalogue, WITH_PARITY, Wish(parity=(3, 1))).topped_up == ()
    assert set(members) <= set(rows(catalogue, schema.parity_member))
    assert pieces_cover_everything(catalogue)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (3, 2)])
def test_a_dry_run_foresees_the_parity_discs_of_plans_made_anew(catalogue, source, tmp_path, shape):
    fill(source, folders=1)
    plant(catalogue, source)
    wish = Wish(parity=shape)
    make_plan(catalogue, WITH_PARITY, wish)
    for number, size in enumerate((50_000, 9_000_000, 50_000, 20_000_000)):
        more(catalogue, tmp_path, str(number), size)
        foreseen = make_plan(catalogue, WITH_PARITY, wish, dry_run=True)
        made = make_plan(catalogue, WITH_PARITY, wish)
        assert (foreseen.topped_up, foreseen.parity) == (made.topped_up, made.parity)
        assert made.topped_up, "or nothing is made anew"


def test_a_set_is_looked_up_without_reading_the_others(catalogue, tmp_path, monkeypatch):
    for number in range(3):
        more(catalogue, tmp_path, str(number), 4_000_000)
    make_plan(catalogue, WITH_PARITY, Wish(parity=(1, 1)))
    read = []
    real = discs.segment
    monkeypatch.setattr(discs, "segment", lambda connection, number: read.append(number) or real(connection, number))
    with catalogue.read() as connection:
        found = paritysets.of(connection, 1, "data")
        assert [one.id for one in found.data] == [1]
        assert len(read) == 2
        assert len(paritysets.every(connection)) > 2
        read.clear()
        assert paritysets.of(connection, 1, "parity") is None
    assert read == []


def test_a_last_disc_that_is_not_full_enough_waits_until_more_comes(catalogue, source, tmp_path):
    fill(source, folders=5, files=6)
    plant(catalogue, source)
    wish = Wish(least_fill=0.95)
    first = make_plan(catalogue, MEDIUM, wish)
    assert first.new_bytes == 3_000_000
    assert first.waiting_bytes == 3_000_000 - sum(one.payload_bytes for one in first.segments) > 0
    assert all(one.planned_bytes >= 0.8 * MEDIUM.usable for one in first.segments)
    begin(catalogue)
    again = make_plan(catalogue, MEDIUM, wish)
    assert (again.segments, again.waiting_bytes) == ((), first.waiting_bytes)
    more(catalogue, tmp_path, "more", 1_300_000)
    last = make_plan(catalogue, MEDIUM, wish)
    assert last.segments
    assert make_plan(catalogue, MEDIUM).waiting_bytes == 0
    assert pieces_cover_everything(catalogue)


def test_what_comes_first_is_on_the_first_discs(catalogue, source):
    fill(source, folders=6, files=5)
    (source / "d2" / "also.raw").write_bytes(b"r" * 70_000)
    plant(catalogue, source)
    wish = Wish(first=("src/d4/", "*.raw", "nowhere/"))
    result = make_plan(catalogue, MEDIUM, wish)
    assert result.unmet == ("nowhere/",)
    where = {row.content: row.segment for row in rows(catalogue, schema.piece)}
    entries = [row for row in rows(catalogue, schema.entry) if row.content is not None]
    folders = {row.ino: row.name for row in rows(catalogue, schema.entry)}
    assert len(set(where.values())) > 1
    assert {where[row.content] for row in entries if folders[row.parent] == b"d4"} == {1}
    assert {where[row.content] for row in entries if row.name == b"also.raw"} == {1}
    assert pieces_cover_everything(catalogue)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("photos/", b"photos", True),
        ("/photos/2023", b"photos/2023", True),
        ("photos/", b"photos2", False),
        ("*.raw", b"photos/a/b.raw", True),
        ("*.raw", b"photos/b.raw.txt", False),
        ("photos/*/best", b"photos/2023/x/best", True),
        ("caf\u00e9/", "caf\u00e9".encode(), True),
        ("\udcff*", b"photos/\xffname", True),
        ("[", b"[", False),
    ],
)
def test_patterns(pattern, path, matches):
    assert (Order([pattern]).of(path, 1) == 0) is matches


def test_a_pattern_behind_one_that_matches_too_is_met():
    order = Order(["photos", "*.raw", "nothing"])
    folder = order.of(b"photos", order.last)
    assert order.of(b"photos/x.raw", folder) == 0
    assert order.unmet == ("nothing",)
    assert order.of(b"other/x.raw", order.last) == 1
    assert order.of(b"other/x.jpg", order.last) == 3


def test_what_is_left_over_goes_onto_smaller_discs(catalogue, source):
    chance = random.Random(3)
    for number in range(38):
        (source / f"f{number:02}").write_bytes(chance.randbytes(200_000))
    plant(catalogue, source)
    small = parse_medium("2MB")
    result = make_plan(catalogue, parse_medium("8MB"), Wish(others=(small,)))
    assert [one.medium.capacity for one in result.segments] == [8_000_000, 2_000_000]
    assert pieces_cover_everything(catalogue)
    assert {(row.media, row.capacity) for row in rows(catalogue, schema.segment)} == {
        ("8000000", 8_000_000),
        ("2000000", 2_000_000),
    }


def test_a_price_decides_where_what_is_left_over_goes(catalogue, source):
    (source / "f").write_bytes(os.urandom(500_000))
    plant(catalogue, source)
    large, small = Medium("large", 8_000_000, 8_000_000), Medium("small", 2_000_000, 2_000_000)
    for prices, name in (({}, "small"), ({"large": 1, "small": 2}, "large"), ({"large": 1}, "small")):
        result = make_plan(catalogue, large, Wish(others=(small,), prices=prices), dry_run=True)
        assert [one.medium.name for one in result.segments] == [name]


def test_copies_and_places_are_recorded_with_the_plan(catalogue, source):
    fill(source)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM, Wish(copies=3, places=2))
    assert {(row.copies, row.places) for row in rows(catalogue, schema.segment)} == {(3, 2)}


def test_room_for_error_correction_stays_free(catalogue, source):
    fill(source, folders=6, files=6)
    plant(catalogue, source)
    reserve = Reserve(share=0.2, bytes=10_000)
    result = make_plan(catalogue, MEDIUM, Wish(reserve=reserve))
    room = MEDIUM.usable - reserve.of(MEDIUM)
    assert reserve.of(MEDIUM) >= 0.2 * MEDIUM.usable + 10_000
    assert max(one.planned_bytes for one in result.segments) <= room
    assert any(one.planned_bytes > 0.8 * room for one in result.segments)
    assert pieces_cover_everything(catalogue)


@pytest.mark.parametrize("size", ["2MB", "3500k"])
def test_the_planned_size_is_the_size_of_the_image(catalogue, source, tmp_path, size):
    """Of split files, hostile names, hard links and the set's catalogue; nothing is left to filling up but that."""
    hostile(source)
    (source / "big").write_bytes(random.Random(1).randbytes(4_000_000))
    os.link(source / "big", source / "sub" / "big too")
    plant(catalogue, source)
    medium = parse_medium(size)
    result = make_plan(catalogue, medium)
    dry = [one.planned_bytes for one in result.segments]
    assert len(dry) > 1
    for segment in result.segments:
        selection = selected(catalogue, segment.id)
        with set_catalogue(catalogue, selection, tmp_path) as extra:
            tree = DiscTree(selection, (), DiscWish(extra), BridgeWriter())
            reserved = DiscTree(selection, (), DiscWish(), BridgeWriter())
        assert reserved.prepared.size <= tree.prepared.size <= segment.planned_bytes
        assert segment.planned_bytes - reserved.prepared.size <= medium.usable // 16 + 2 * 65_536
        built = build_image(catalogue, segment.id, tmp_path / "out")
        assert built.path.stat().st_size == segment.planned_bytes
        assert ondisc.CATALOGUE


def test_a_dry_run_tells_an_upper_bound(catalogue, source):
    hostile(source)
    plant(catalogue, source)
    dry = make_plan(catalogue, MEDIUM, dry_run=True)
    real = make_plan(catalogue, MEDIUM)
    for bound, exact in zip(dry.segments, real.segments, strict=True):
        assert exact.planned_bytes <= bound.planned_bytes <= MEDIUM.usable


def test_a_closed_name_does_not_come_back_with_a_plan_made_anew(catalogue, source, tmp_path):
    fill(source, folders=2)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    with catalogue.write() as connection:
        connection.execute(update(schema.entry).where(schema.entry.c.name == b"f1").values(until=1))
    more(catalogue, tmp_path, "more", 100_000)
    result = make_plan(catalogue, MEDIUM)
    assert sum(one.payload_bytes for one in result.segments) == 6 * 100_000 + 100_000


def test_numbers_of_contents_may_be_far_apart(catalogue, source):
    fill(source)
    os.link(source / "d0" / "f0", source / "d1" / "linked")
    plant(catalogue, source)
    with catalogue.look() as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("UPDATE content SET id = id << 40")
        raw.execute("UPDATE entry SET content = content << 40")
        raw.execute("PRAGMA foreign_keys = ON")
    assert make_plan(catalogue, MEDIUM).new_bytes == 1_200_000
    assert pieces_cover_everything(catalogue)


def test_what_comes_between_thinking_and_writing_is_planned_too(catalogue, source, tmp_path, monkeypatch):
    fill(source)
    plant(catalogue, source)
    laid_out = Exact.size
    came = []

    def size(self, segment, parts):
        if not came:
            came.append(True)
            more(catalogue, tmp_path, "between", 50_000)
        return laid_out(self, segment, parts)

    monkeypatch.setattr(Exact, "size", size)
    assert make_plan(catalogue, MEDIUM).new_bytes == 1_250_000
    assert came
    assert pieces_cover_everything(catalogue)


def test_nobody_waits_while_a_plan_is_thought_out(catalogue, source, monkeypatch):
    fill(source)
    plant(catalogue, source)
    laid_out = Exact.size

    def size(self, segment, parts):
        with catalogue.write() as connection:
            connection.exec_driver_sql("INSERT OR REPLACE INTO machine VALUES ('progress', 'going on')")
        return laid_out(self, segment, parts)

    monkeypatch.setattr(Exact, "size", size)
    make_plan(catalogue, MEDIUM)
    assert [row.value for row in rows(catalogue, schema.machine)] == ["going on"]
    assert pieces_cover_everything(catalogue)
