"""Importing: another archive, discs of other programs; damaged catalogues leave nothing behind."""

import hashlib
import json
import os

import pytest
from catalogue_kit import rows, run, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from story import Story
from trees import observed, recorded, scanned, write

from odarchive import ancestor
from odarchive.catalogue import archive, coalesce, foreign, lookup
from odarchive.catalogue.unplanned import unplanned
from odarchive.errors import DamageFound, OdarchiveError


class Certain:
    random = staticmethod(lambda: 0.0)
    choice = staticmethod(lambda options: options[-1])


@pytest.fixture
def other(tmp_path):
    """A small archive with history: two snapshots, discs, a hard link, an empty folder."""
    made = archive.create(tmp_path / "other.db", archive.Facts("00000000-1111", "ODA", 5))
    folder = tmp_path / "second"
    (folder / "d").mkdir(parents=True)
    write(folder / "f", b"one")
    write(folder / "d" / "g", b"other bytes")
    (folder / "d" / "h").hardlink_to(folder / "f")
    scanned(made, folder, b"stuff/second")
    story = Story(made, folder, Certain())
    story.plan()
    story.burn()
    run(made, "UPDATE disc SET uuid = 'other ' || uuid")
    write(folder / "f", b"changed")
    scanned(made, folder)
    sound(made)
    yield made, folder
    made.close()


@pytest.mark.parametrize("prefix", [None, b"from/usb"])
def test_an_archive_becomes_a_part(populated, other, prefix, tmp_path):
    theirs, folder = other
    before = rows(theirs, "SELECT * FROM entry")
    merged = coalesce.take_over(populated, theirs.path, prefix, 77)
    name = b"stuff/second" if prefix is None else b"from/usb/stuff/second"
    assert merged.sources == (name,)
    assert recorded(populated, name) == observed(folder)
    assert recorded(populated, b"source") == observed(tmp_path / "source")
    sound(populated)
    with populated.read() as connection:
        shown = lookup.whereis(connection, name + b"/d/g")
        assert shown.entry.archived
        assert shown.copies >= 1
        old = [one.id for one in lookup.snapshots(connection)][-2]
        assert lookup.resolve(connection, name + b"/f", old).size == 3
    assert rows(theirs, "SELECT * FROM entry") == before
    with pytest.raises(OdarchiveError, match="imported already"):
        coalesce.take_over(populated, theirs.path, b"again", 78)
    scanned(populated, folder, name)
    sound(populated)


def test_what_cannot_be_taken_over(populated, other, tmp_path):
    theirs, folder = other
    with pytest.raises(OdarchiveError, match="into itself"):
        coalesce.take_over(populated, populated.path, None, 1)
    scanned(populated, folder, b"stuff/second")
    with pytest.raises(OdarchiveError, match="source stuff/second already"):
        coalesce.take_over(populated, theirs.path, None, 1)
    (tmp_path / "no.db").write_bytes(b"no database" * 100)
    with pytest.raises(OdarchiveError, match="not a catalogue"):
        coalesce.take_over(populated, tmp_path / "no.db", None, 1)
    sound(populated)


def sha(data):
    return hashlib.sha512(data).hexdigest()


VERSION_2 = {
    "version": 2,
    "client_name": "host",
    "date": "2015-03-01T10:00:00",
    "guid": "g",
    "job_name": "photos",
    "job_id": 7,
    "iso_path_root": "/DATA",
    "segment_size": None,
    "source_path": "/home/x",
    "files": {
        sha(b"a"): {"filenames": {"/DATA/x/a": None, "/DATA/a2": None}, "size": 1, "mtime": "2015-02-01T10:00:00"},
        sha(b"bb"): {"filenames": {"/DATA/b ü": None}, "size": 2, "mtime": "2015-02-01T10:00:00", "disc_num": 3},
        sha(b""): {"filenames": {"/DATA/empty": None}, "size": 0, "mtime": "2015-02-01T10:00:00"},
    },
}


def imported(catalogue, parsed, **changes):
    values = {"origin": "c", "label": "photos", "source": b"old", "path": b"/old", "sizes": {}, "times": {}, "read": {}}
    with catalogue.write() as connection:
        return foreign.record(
            connection, foreign.ForeignSet(**{**values, "files": parsed.files, "now_ns": 9, **changes})
        )


def test_version_2(catalogue):
    parsed = ancestor.parse_json(json.dumps(VERSION_2).encode(), "c")
    result = imported(catalogue, parsed)
    assert (result.files, result.bytes, result.new, result.discs) == (4, 4, 2, ("photos", "photos-3"))
    tree = recorded(catalogue, b"old")
    assert set(tree) == {b"", b"x", b"x/a", b"a2", "b ü".encode(), b"empty"}
    assert tree[b"a2"][4] == 1_422_784_800 * 10**9
    with catalogue.read() as connection:
        content = lookup.resolve(connection, "old/b ü".encode()).content
        assert foreign.places(connection, content) == [("photos-3", "DATA/b ü".encode(), False)]
        with unplanned(connection) as todo:
            assert (todo.contents, list(todo.names())) == (0, [])
    sound(catalogue)


def test_reading_gives_the_true_digest_later(catalogue, source):
    write(source / "same", b"bb")
    scanned(catalogue, source)
    parsed = ancestor.parse_json(json.dumps(VERSION_2).encode(), "c")
    imported(catalogue, parsed)
    from odarchive.digest import content_digest

    read = {file.path: foreign.Read(content_digest(b"bb"), 2, 5) for file in parsed.files if file.size == 2}
    imported(catalogue, parsed, source=b"again", read=read)
    with catalogue.read() as connection:
        ours = lookup.resolve(connection, b"source/same").content
        assert lookup.resolve(connection, "again/b ü".encode()).content == ours
        # What lies on a disc of another program, read and right, is not burned again.
        with unplanned(connection) as todo:
            assert (todo.contents, list(todo.names())) == (0, [])
    sound(catalogue)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def test_version_1_and_checksums(catalogue):
    one = {"version": 1, "files": {sha(b"a"): {"filenames": {"dir/a": None}, "size": 1, "mtime": 1_422_784_800}}}
    parsed = ancestor.parse_json(json.dumps(one).encode(), "c")
    assert [(file.path, file.mtime_ns) for file in parsed.files] == [(b"dir/a", 1_422_784_800 * 10**9)]
    sums = f"{sha(b'a')}  ./dir/a\n\\{sha(b'b')} *new\\nline\n# comment\n".encode()
    parsed = ancestor.parse_sums(sums, "SHA512SUMS")
    assert [file.path for file in parsed.files] == [b"dir/a", b"new\nline"]
    with pytest.raises(OdarchiveError, match=r"size of dir/a is not known"):
        imported(catalogue, parsed)
    imported(catalogue, parsed, sizes={b"dir/a": 1, b"new\nline": 1})
    sound(catalogue)


BROKEN = [
    (b"", "no JSON"),
    (b"[1]", "not an object"),
    (b"{}", "version None"),
    (b'{"version": 3}', "version 3"),
    (b'{"version": 1}', '"files" is missing'),
    (b'{"version": 1, "files": {"00": {}}}', "no SHA-512"),
    (json.dumps({"version": 1, "files": {sha(b"a"): {}}}).encode(), '"filenames"'),
    (json.dumps({"version": 1, "files": {sha(b"a"): {"filenames": {"a": None}, "size": -1}}}).encode(), '"size"'),
    (json.dumps({"version": 1, "files": {sha(b"a"): {"filenames": {"../a": None}, "size": 1}}}).encode(), "no path"),
    (
        json.dumps({"version": 1, "files": {sha(b"a"): {"filenames": {"a": 0, "a/b": 0}, "size": 1}}}).encode(),
        "at once",
    ),
]


@pytest.mark.parametrize(("data", "message"), BROKEN)
def test_broken_catalogues_are_named(data, message):
    with pytest.raises(DamageFound, match=message):
        ancestor.parse_json(data, "disc/catalogue.json")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
RECORD = st.fixed_dictionaries(
    {},
    optional={key: ANY | st.dictionaries(st.text(max_size=4), ANY, max_size=2) for key in ("filenames", "size")}
    | {"mtime": ANY, "disc_num": ANY, "size": st.integers(-1, 5)},
)
FILES = st.dictionaries(st.sampled_from([sha(b"a"), sha(b"b"), "ab", ""]), RECORD, max_size=3)
DOCUMENT = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 2, 2, 3]) | ANY}, optional={"files": FILES | ANY, "iso_path_root": ANY}
)


@given(DOCUMENT.map(json.dumps).map(str.encode) | st.binary(max_size=60))
@settings(derandomize=True, max_examples=400, deadline=None)
def test_any_input_is_a_catalogue_or_a_named_error(tmp_path_factory, data):
    for parse in (ancestor.parse_json, ancestor.parse_sums):
        try:
            parsed = parse(data, "here")
        except DamageFound as error:
            assert str(error).startswith("here")
            continue
        catalogue = archive.create(tmp_path_factory.mktemp("fuzz") / "c.db", archive.Facts("u", "T", 1))
        imported(catalogue, parsed, sizes={file.path: 1 for file in parsed.files})
        sound(catalogue)
        catalogue.close()


def test_an_import_that_fails_leaves_nothing(catalogue):
    document = json.loads(json.dumps(VERSION_2))
    imported(catalogue, ancestor.parse_json(json.dumps(document).encode(), "c"))
    before = rows(catalogue, "SELECT count(*) FROM entry")
    document["files"][sha(b"bb")]["size"] = 99
    with pytest.raises(OdarchiveError, match="is damaged"):
        imported(catalogue, ancestor.parse_json(json.dumps(document).encode(), "c"), source=b"new")
    with pytest.raises(OdarchiveError, match="already"):
        imported(catalogue, ancestor.parse_json(json.dumps(VERSION_2).encode(), "c"))
    assert rows(catalogue, "SELECT count(*) FROM entry") == before
    with catalogue.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM source")).scalar_one() == 1
    sound(catalogue)
    assert os.path.exists(catalogue.path)
