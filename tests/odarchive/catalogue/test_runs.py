"""Names are found by their inode's number, whether they stand in a run or apart, and whatever came after the scan."""
# ruff: noqa: S608 - statements are put together from constants

import itertools
import random

from catalogue_kit import MANY, new_catalogue, rows, run, sound
from trees import scanned, write

from odarchive.catalogue import contents, runs
from odarchive.catalogue.archive import open_catalogue
from odarchive.catalogue.coalesce import take_over
from odarchive.catalogue.database import driver
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.catalogue.search import Wanted, find


def everything(catalogue):
    return rows(catalogue, "SELECT ino, parent, name, since, content FROM entry ORDER BY 1, 2, 3, 4")


def check_numbers(catalogue):
    """Every row is found by its number, and by its content, as a look at all rows finds it."""
    known = everything(catalogue)
    columns = "ino, parent, name, entry.since, content"
    with catalogue.read() as connection:
        raw = driver(connection)
        for ino, group in itertools.groupby(known, lambda row: row[0]):
            assert sorted(raw.execute(runs.by_number(columns, "?1"), (ino,))) == list(group)
        assert raw.execute(runs.by_number(columns, "?1"), (known[-1][0] + 1,)).fetchall() == []
        numbers = "(SELECT DISTINCT ino AS id FROM entry)"
        found = [row for way in runs.by_numbers(columns, numbers) for row in raw.execute(way)]
        assert sorted(found, key=str) == sorted(known, key=str)
        for content in {row[4] for row in known} - {None}:
            found = sorted(raw.execute(contents.named_by(columns, "(SELECT ?1 AS id)"), (content,)))
            assert found == [row for row in known if row[4] == content]


def kept_apart(catalogue):
    return {row[0] for row in rows(catalogue, "SELECT DISTINCT name FROM entry WHERE apart = 1")}


def test_rows_are_found_by_number_after_changes(grown):
    sound(grown)
    check_numbers(grown)


def test_a_scan_puts_files_of_new_directories_into_runs(grown):
    """Their names without what came later, which is apart as directories are."""
    lengths = rows(
        grown,
        "SELECT count(*) FROM run JOIN entry ON parent = folder AND name BETWEEN low AND high AND apart = 0"
        " GROUP BY run.first ORDER BY 1",
    )
    assert lengths == [(runs.SHORTEST,), (5,), (runs.LONGEST,), (runs.LONGEST,)]
    apart = kept_apart(grown)
    assert {b"", b"source", b"many", b"few", b"one", b"f", b"linked", b"f030 folder", b"f031 link"} < apart
    assert b"f001" not in apart
    assert b"f000 later" in apart
    assert {b"f010", b"f011", b"f013"} < apart  # their present versions


def test_the_index_by_number_is_small_and_used(catalogue):
    with catalogue.read() as connection:
        for asked in (runs.by_number("name", "?1"), contents.named_by("name", "(SELECT ?1 AS id)")):
            plan = [row[3] for row in driver(connection).execute(f"EXPLAIN QUERY PLAN {asked}", (1,))]
            assert not any("SCAN entry" in line or "SCAN run" in line for line in plan), plan
            assert any("entry_apart (ino=?)" in line for line in plan), plan
            assert any("PRIMARY KEY (parent=? AND name>? AND name<?)" in line for line in plan), plan


def test_runs_are_found_anew_in_a_tree_that_came_otherwise(grown):
    before = kept_apart(grown)
    run(grown, "UPDATE entry SET apart = 1")
    run(grown, "DELETE FROM run")
    check_numbers(grown)
    with grown.write() as connection:
        runs.arrange(driver(connection))
    sound(grown)
    check_numbers(grown)
    assert kept_apart(grown) <= before


def test_numbers_in_any_order_are_found_all_the_same(catalogue):
    """As in catalogues of other programs, or of hostile discs: same numbers at several places, rows in disorder."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    put = (
        "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
        " src_ino) VALUES (?, ?, ?, ?, ?, 1, 0, 0, 0, 0, 0, 0, 0)"
    )
    with catalogue.write() as connection:
        raw = driver(connection)
        for parent in range(2, 8):
            first = rng.randrange(2, 60)
            for number in range(rng.randrange(80)):
                ino = first + number if rng.random() < 0.9 else rng.randrange(2, 100)
                mode = 0o40755 if rng.random() < 0.1 else 0o100644
                for since in range(1, rng.choice((2, 2, 3))):
                    raw.execute(put, (parent, b"%03d" % number, since, ino, mode))
        runs.arrange(raw)
    check_numbers(catalogue)
    assert rows(catalogue, f"SELECT * FROM entry WHERE {runs.STRAY}") == []


def test_the_mount_and_the_search_find_names_in_runs(grown):
    run(grown, "UPDATE entry SET shown = 1 WHERE until IS NULL")
    with CatalogueNamespace(grown.path) as space, grown.read() as connection:
        for ino, name in rows(grown, "SELECT ino, name FROM entry WHERE apart = 0 AND shown = 1"):
            about = space.attributes(ino)
            assert about is not None
            assert about.ino == ino
            assert space.path(ino).endswith(name)
        (found,) = find(connection, Wanted(("f014",)))
        assert found.path == b"source/many/f014"


def test_an_archive_that_is_taken_over_is_in_runs_too(grown, tmp_path):
    other = tmp_path / "other"
    grown.close()
    ours = new_catalogue(other)
    run(ours, "UPDATE archive SET value = 'another' WHERE key = 'uuid'")
    take_over(ours, grown.path, None, 5)
    sound(ours)
    check_numbers(ours)
    assert rows(ours, "SELECT count(*) FROM entry WHERE apart = 0")[0][0] >= MANY // 2
    ours.close()
    open_catalogue(ours.path).close()


def test_files_that_are_not_usual_are_in_runs_where_few_others_stand_between(catalogue, tmp_path):
    """Links here; as are files of a MiB and more, sparse ones and those with attributes, all of some file systems."""
    source = tmp_path / "source"
    (source / "links").mkdir(parents=True)
    (source / "mixed").mkdir()
    for number in range(MANY):
        (source / "links" / f"l{number:03}").symlink_to(f"target {number}")
        write(source / "mixed" / f"f{number:03}", b"bytes %d" % number)
    for folder in range(5):
        (source / "links" / f"l{folder:03} folder").mkdir()
    for number in (0, 40, 70):
        (source / "mixed" / f"f{number:03} link").symlink_to("f000")
    scanned(catalogue, source, workers=1)
    sound(catalogue)
    check_numbers(catalogue)
    inside = {row[0] for row in rows(catalogue, "SELECT name FROM entry WHERE apart = 0")}
    assert {b"l%03d" % number for number in range(MANY)} <= inside
    assert b"f040 link" not in inside
    assert {b"f%03d" % number for number in range(MANY)} <= inside
