"""Versions, differences, forgetting, worth: against trees as they were."""

import pytest
from catalogue_kit import sound
from trees import observed, recorded, scanned, write

from odarchive.catalogue import forget, history, worth
from odarchive.errors import NotFound, OdarchiveError
from odarchive.model import SnapshotId
from odarchive.scan.lock import scanning


def changes(catalogue, earlier, later):
    with catalogue.read() as connection:
        return [(one.kind, one.path, one.origin) for one in history.diff(connection, earlier, later)]


def forgotten(catalogue, path):
    with catalogue.read() as connection:
        what = forget.target(connection, path)
        expected = forget.files_below(connection, what)
    with scanning(catalogue.path, what.source, "it"):
        _, files = forget.forget_name(catalogue, what, 5)
    assert files == expected
    sound(catalogue)
    return files


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "d").mkdir(parents=True)
    write(folder / "f", b"one")
    write(folder / "d" / "g", b"two")
    (folder / "d" / "link").hardlink_to(folder / "f")
    return folder


def test_differences_and_versions(catalogue, source):
    first = scanned(catalogue, source).snapshot
    write(source / "new", b"new")
    (source / "d" / "g").rename(source / "moved")
    (source / "d").chmod(0o700)
    write(source / "f", b"other")
    second = scanned(catalogue, source).snapshot
    assert changes(catalogue, first, second) == [
        ("attributes", b"source", None),
        ("attributes", b"source/d", None),
        ("changed", b"source/d/link", None),
        ("changed", b"source/f", None),
        ("moved", b"source/moved", b"source/d/g"),
        ("added", b"source/new", None),
    ]
    back = {(kind, path) for kind, path, _ in changes(catalogue, second, first)}
    assert ("moved", b"source/d/g") in back
    assert ("removed", b"source/new") in back
    assert changes(catalogue, second, second) == []
    with catalogue.read() as connection:
        versions = history.versions(connection, b"/source/f")
        assert [(one.since, one.until, one.size) for one in versions] == [(first, second, 3), (second, None, 5)]
        gone = history.versions(connection, b"source/d/g")
        assert [(one.since, one.until) for one in gone] == [(first, second)]
        assert history.latest(connection, ["last", "last-1", "7"]) == [second, first, 7]
        for word in ("last-2", "x"):
            with pytest.raises(NotFound):
                history.latest(connection, [word])
        with pytest.raises(NotFound):
            history.versions(connection, b"source/never")
        with pytest.raises(NotFound):
            history.diff(connection, first, SnapshotId(99))


def test_a_folder_made_anew_goes_on_in_the_history(catalogue, source):
    scanned(catalogue, source)
    (source / "d" / "g").unlink()
    (source / "d" / "link").unlink()
    (source / "d").rmdir()
    scanned(catalogue, source)
    (source / "d").mkdir()
    write(source / "d" / "g", b"again")
    scanned(catalogue, source)
    with catalogue.read() as connection:
        assert [one.size for one in history.versions(connection, b"source/d/g")] == [3, 5]


def test_forgotten_names_stay_away_and_come_back(catalogue, source):
    whole = scanned(catalogue, source).snapshot
    before = observed(source)
    assert forgotten(catalogue, b"source/d") == 2
    assert set(recorded(catalogue, b"source")) == {b"", b"f"}
    assert recorded(catalogue, b"source", whole) == before
    result = scanned(catalogue, source)
    assert (result.files, result.problem_count) == (1, 0)
    assert set(recorded(catalogue, b"source")) == {b"", b"f"}
    with catalogue.write() as connection:
        assert forget.forgotten_names(connection) == [b"source/d"]
        forget.remember_name(connection, b"/source/d")
    result = scanned(catalogue, source)
    assert (result.files, result.new_bytes) == (3, 0)
    assert recorded(catalogue, b"source") == observed(source)
    sound(catalogue)


def test_what_cannot_be_forgotten(catalogue, source):
    scanned(catalogue, source)
    with catalogue.write() as connection:
        with pytest.raises(OdarchiveError, match="whole source"):
            forget.target(connection, b"source")
        with pytest.raises(NotFound):
            forget.target(connection, b"source/none")
        with pytest.raises(NotFound):
            forget.target(connection, b"other/none")
        with pytest.raises(NotFound):
            forget.remember_name(connection, b"source/f")


def test_forgotten_snapshots_make_discs_die(populated, tmp_path):
    with populated.read() as connection:
        (only,) = worth.worth(connection)
        assert (only.present, only.kept, only.dead, only.living) == (only.payload, 0, 0, 1.0)
    (tmp_path / "source" / "f").unlink()
    newest = scanned(populated, tmp_path / "source").snapshot
    with populated.write() as connection:
        (only,) = worth.worth(connection)
        assert (only.present, only.kept, only.dead) == (only.payload - 3, 3, 0)
        with pytest.raises(OdarchiveError, match="present state"):
            forget.forget_snapshot(connection, newest, 9)
        for number in range(1, newest):
            forget.forget_snapshot(connection, SnapshotId(number), 9)
        (only,) = worth.worth(connection)
        assert (only.present, only.kept, only.dead) == (only.payload - 3, 0, 3)
    sound(populated)
