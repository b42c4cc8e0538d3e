"""Plans in the catalogue: what is new gets segments, once."""

import os

import pytest
from planted import new_catalogue, plant, rows
from sqlalchemy import delete, update

from odarchive.catalogue import schema
from odarchive.errors import MediumTooSmall
from odarchive.image.identity import is_label
from odarchive.media import parse_medium
from odarchive.planning import LATER, make_plan

MEDIUM = parse_medium("2MB")


def fill(source, folders=3, files=4, size=100_000):
    for folder in range(folders):
        (source / f"d{folder}").mkdir()
        for number in range(files):
            (source / f"d{folder}" / f"f{number}").write_bytes(bytes([folder, number]) * (size // 2))


def begin(catalogue):
    """As if images had been built of all plans."""
    with catalogue.write() as connection:
        connection.execute(update(schema.segment).values(state="imaged", image_size=65536, image_digest=bytes(32)))


def pieces_cover_everything(catalogue):
    sizes = {row.id: row.size for row in rows(catalogue, schema.content)}
    reach = dict.fromkeys(sizes, 0)
    for piece in rows(catalogue, schema.piece, schema.piece.c.content, schema.piece.c.start):
        assert piece.start == reach[piece.content]
        reach[piece.content] += piece.length
    return reach == sizes


def test_a_plan_places_every_content_once_and_a_second_one_nothing(catalogue, source):
    fill(source)
    plant(catalogue, source)
    result = make_plan(catalogue, MEDIUM)
    assert result.new_bytes == 1_200_000
    assert sum(segment.payload_bytes for segment in result.segments) == 1_200_000
    assert sum(segment.files for segment in result.segments) == 12
    assert pieces_cover_everything(catalogue)
    assert all(entry.carrier is not None for entry in rows(catalogue, schema.entry) if entry.content is None)
    again = make_plan(catalogue, MEDIUM)
    assert (again.new_bytes, again.segments) == (0, ())
    assert len(rows(catalogue, schema.segment)) == len(result.segments)


def test_segments_say_what_they_are(catalogue, source):
    fill(source)
    plant(catalogue, source)
    result = make_plan(catalogue, MEDIUM, now_ns=7)
    found = rows(catalogue, schema.segment)
    assert [segment.id for segment in result.segments] == [row.id for row in found] == [1, 2][: len(found)]
    for segment, row in zip(result.segments, found, strict=True):
        assert row.label == segment.label == f"TEST_{row.id:04d}"
        assert is_label(row.label)
        assert row.state == "planned"
        assert row.media == "2000000"
        assert row.capacity == segment.capacity == 2_000_000
        assert row.payload_bytes < row.planned_bytes == segment.planned_bytes <= row.capacity
        assert row.created_ns == 7


def test_a_dry_run_says_the_same_and_writes_nothing(catalogue, source):
    fill(source)
    plant(catalogue, source)
    before = rows(catalogue, schema.entry)
    dry = make_plan(catalogue, MEDIUM, dry_run=True)
    assert rows(catalogue, schema.segment) == []
    assert rows(catalogue, schema.entry) == before
    real = make_plan(catalogue, MEDIUM)
    assert [s.id for s in dry.segments] == [None] * len(real.segments)
    assert [s.label for s in dry.segments] == [s.label for s in real.segments]
    assert dry.new_bytes == real.new_bytes


def test_equal_contents_are_planned_once(catalogue, source):
    for name in ("a", "b", "c"):
        (source / name).write_bytes(b"same" * 1000)
    os.link(source / "a", source / "hard")
    plant(catalogue, source)
    result = make_plan(catalogue, MEDIUM)
    assert result.new_bytes == 4000
    assert [segment.files for segment in result.segments] == [4]


def test_a_file_above_the_medium_is_split(catalogue, source):
    (source / "big").write_bytes(os.urandom(3_000_000))
    plant(catalogue, source)
    result = make_plan(catalogue, MEDIUM)
    assert len(result.segments) == 4
    assert result.new_bytes == 3_000_000
    assert pieces_cover_everything(catalogue)


def test_what_a_piece_lost_is_planned_again_and_only_that(catalogue, source):
    (source / "big").write_bytes(os.urandom(3_000_000))
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    gone = rows(catalogue, schema.piece, schema.piece.c.start)[1]
    with catalogue.write() as connection:
        connection.execute(delete(schema.piece).where(schema.piece.c.start == gone.start))
    again = make_plan(catalogue, MEDIUM)
    assert again.new_bytes == gone.length
    assert pieces_cover_everything(catalogue)


def test_entries_without_content_ride_on_the_disc_of_their_siblings(catalogue, source):
    fill(source, folders=4, files=3, size=250_000)
    for folder in range(4):
        (source / f"d{folder}" / "empty").touch()
        (source / f"d{folder}" / "link").symlink_to("f0")
        (source / f"d{folder}" / "hollow").mkdir()
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    entries = rows(catalogue, schema.entry)
    where = {piece.content: piece.segment for piece in rows(catalogue, schema.piece)}
    for directory in (entry for entry in entries if entry.name.startswith(b"d") and not entry.target):
        inside = [entry for entry in entries if entry.parent == directory.ino]
        holding = {where[entry.content] for entry in inside if entry.content is not None}
        for entry in (*inside, directory):
            if entry.content is None:
                assert entry.carrier in holding


def test_an_archive_of_names_alone_gets_one_disc_and_later_names_wait(catalogue, source, tmp_path):
    (source / "empty").touch()
    (source / "link").symlink_to("nowhere")
    plant(catalogue, source)
    result = make_plan(catalogue, MEDIUM)
    assert result.new_bytes == 0
    assert [(segment.files, segment.payload_bytes) for segment in result.segments] == [(1, 0)]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "hollow").mkdir()
    plant(catalogue, tmp_path / "other", name=b"other")
    assert make_plan(catalogue, MEDIUM).segments == ()
    later = [entry for entry in rows(catalogue, schema.entry) if entry.since == 2]
    assert [entry.carrier for entry in later] == [LATER, LATER]
    assert all(entry.shown for entry in later)


def test_an_empty_catalogue_needs_nothing(catalogue):
    assert make_plan(catalogue, MEDIUM).segments == ()


def test_a_scan_that_runs_or_broke_off_is_not_planned(catalogue, source):
    fill(source)
    plant(catalogue, source, state="running")
    assert make_plan(catalogue, MEDIUM).segments == ()
    assert rows(catalogue, schema.segment) == []


def test_names_a_broken_scan_closed_still_count_and_closed_ones_do_not(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 5000)
    (source / "b").write_bytes(b"b" * 6000)
    plant(catalogue, source)
    (tmp_path / "other").mkdir()
    running = plant(catalogue, tmp_path / "other", name=b"other", state="running")
    with catalogue.write() as connection:
        close = update(schema.entry)
        connection.execute(close.where(schema.entry.c.name == b"a").values(until=running))
        connection.execute(close.where(schema.entry.c.name == b"b").values(until=1))
    assert make_plan(catalogue, MEDIUM).new_bytes == 5000


def test_a_medium_that_is_too_small_says_so_and_leaves_nothing(catalogue, source):
    fill(source)
    plant(catalogue, source)
    with pytest.raises(MediumTooSmall, match="name a larger medium"):
        make_plan(catalogue, parse_medium("600k"))
    assert rows(catalogue, schema.segment) == []
    assert rows(catalogue, schema.piece) == []


def test_segment_numbers_go_on_and_labels_stay_short(tmp_path, source):
    catalogue = new_catalogue(tmp_path / "long.db", prefix="P" * 40)
    (source / "a").write_bytes(b"a" * 5000)
    plant(catalogue, source)
    first = make_plan(catalogue, MEDIUM).segments[0]
    begin(catalogue)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b").write_bytes(b"b" * 5000)
    plant(catalogue, tmp_path / "more", name=b"more")
    second = make_plan(catalogue, MEDIUM).segments[0]
    assert (first.id, second.id) == (1, 2)
    assert first.label != second.label
    assert is_label(second.label + "_2")
    catalogue.close()
