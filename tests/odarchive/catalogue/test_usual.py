"""Usual files go into the catalogue as SQLite's own table or row by row from Python: the same rows, whatever comes."""

import os
import random
import shutil
import sqlite3
import subprocess
import sysconfig
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from catalogue_kit import new_catalogue, rows, sound
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import scanned, write

from odarchive.catalogue import bulk, contents, sources, usual
from odarchive.catalogue.contents import Filter
from odarchive.catalogue.database import Catalogue, driver
from odarchive.digest import content_digest
from odarchive.reading import native, sheet

HERE = Path(bulk.__file__).parent
COMPILER = shutil.which("gcc") or shutil.which("cc")
HAVE_SQLITE = Path("/usr/include/sqlite3.h").exists()
compiled = pytest.mark.skipif(bulk.functions is None, reason="without the extension")


def test_the_extension_is_there_where_it_can_be():
    """Everything else here would be skipped in silence."""
    if os.environ.get(native.SWITCH) == "0":
        pytest.skip(f"{native.SWITCH}=0: only Python's way is tested")
    assert bulk.functions is not None or COMPILER is None or not HAVE_SQLITE, "make install: _bulk is not built"


@compiled
@pytest.mark.parametrize("name", ["odarchive.reading._native", "odarchive.catalogue._bulk"])
def test_an_extension_that_was_built_before_a_change_is_left_alone(monkeypatch, name):
    assert native.built(name) is not None
    monkeypatch.setattr(native, "LAYOUT", sheet.LAYOUT + 1)
    assert native.built(name) is None


@pytest.mark.skipif(COMPILER is None or not HAVE_SQLITE, reason="no C compiler, or no header of SQLite")
def test_the_compiler_has_nothing_to_say(tmp_path):
    sources = sorted((HERE / "native_c").glob("*.c"))
    include = [f"-I{sysconfig.get_path('include')}", f"-I{Path(native.__file__).parent / 'native_c'}"]
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", *include]
    subprocess.run(
        [COMPILER, *flags, "-fPIC", "-shared", "-o", tmp_path / "bulk.so", *sources, "-lsqlite3"], check=True
    )


numbers = st.integers(-(2**63), 2**63 - 1)
halves = st.integers(0, 2**32 - 1)
a_name = st.one_of(
    st.binary(min_size=1, max_size=255).map(lambda name: name.replace(b"\0", b"0")),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60).map(str.encode),
)
facts = st.tuples(halves, halves, halves, st.sampled_from([0, 1, 5, 2**20 - 1]), numbers, numbers, numbers, numbers)
bodies = st.integers(0, 12).map(lambda number: content_digest(b"%d" % number))
folders = st.lists(st.dictionaries(a_name, st.tuples(facts, bodies), min_size=1, max_size=7), max_size=5)


def sheets(folders):
    """Parts for ``usual.record``: numbers and directories ascend in different order, as two readers bring them."""
    sizes: dict[bytes, int] = {}
    parts, number = [], 1000
    for parent, files in enumerate(folders):
        plain = []
        for name, (fact, digest) in files.items():
            size = sizes.setdefault(digest, fact[3] or 7) if fact[3] else 0  # one size for one content
            plain.append((name, *fact[:3], size, *fact[4:], digest if size else None))
        parts.append((900 - parent, number, sheet.packed(plain)))
        number += len(plain)
    return sorted(parts)


def test_a_sheet_gives_back_what_was_put_in():
    plain = [(b"b", 1, 2, 3, 4, -5, 6, 7, 8, content_digest(b"b")), (b"a\xff", 1, 2, 3, 0, 5, 6, 7, 8, None)]
    packed = sheet.packed(plain)
    assert list(sheet.rows(packed)) == sorted(plain)
    assert (sheet.names(packed), sheet.count(packed), sheet.total(packed)) == ([b"a\xff", b"b"], 2, 4)
    assert (list(sheet.rows(sheet.EMPTY)), sheet.names(sheet.EMPTY), sheet.total(sheet.EMPTY)) == ([], [], 0)


_DUMPS = (
    "SELECT parent, name, since, ino, nlink, content, mode, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino,"
    " apart, typeof(name), until, target, xattrs, shown FROM entry WHERE parent > 500 ORDER BY 1, 2",
    "SELECT id, digest, size, typeof(digest) FROM content ORDER BY 1",
    "SELECT * FROM run ORDER BY 1",
    "SELECT term, doc FROM temp.terms ORDER BY 1, 2",
)


class Undo(Exception):
    """The transaction is taken back."""


def recorded_by(catalogue, batches, filtered, *, in_c, monkeypatch):
    """What the batches make of a new catalogue, and what each of them was said to bring."""
    with monkeypatch.context() as patch, suppress(Undo), catalogue.write() as connection:
        raw = driver(connection)
        source = sources.claim(connection, b"/s", b"s", b"s", 0)
        snapshot = sources.begin(connection, source.id, 0)
        if not in_c:
            patch.setattr(bulk, "functions", None)
        assert (bulk.usable(raw) is not None) == in_c
        known = Filter.of(raw) if filtered else None
        raw.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, name_words, instance)")
        told = [usual.record(raw, snapshot, parts, known) for parts in batches]
        dumps = [raw.execute(dump).fetchall() for dump in _DUMPS]
        raise Undo
    return told, dumps


@compiled
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(folders, st.integers(0, 5), st.booleans())
def test_both_ways_record_the_same(catalogue, monkeypatch, found, cut, filtered):
    parts = sheets(found)
    batches = [parts[:cut], parts[cut:]]
    ways = [recorded_by(catalogue, batches, filtered, in_c=in_c, monkeypatch=monkeypatch) for in_c in (True, False)]
    assert ways[0] == ways[1]
    told, (entries, kept, _, terms) = ways[0]
    assert len(entries) == sum(map(len, found))
    assert (sum(count for count, _ in told), sum(size for _, size in told)) == (len(kept), sum(row[2] for row in kept))
    assert terms or not any(name.isalnum() for files in found for name in files)


@compiled
def test_what_is_no_sheet_is_refused():
    whole = sheet.packed([(b"a", 1, 2, 3, 4, 5, 6, 7, 8, content_digest(b"a")), (b"b", *range(8), None)])
    bits = bytearray(1 << 10)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="no sheet"):
            bulk.functions.lay_out([(1, 2, whole[:length])], bits, 3)
    with pytest.raises(ValueError, match="no sheet"):
        bulk.functions.lay_out([(1, 2, b"\xff" * 200)], bits, 3)
    for wrong in (bytearray(100), bytearray(8)):
        with pytest.raises(ValueError, match="no filter"):
            bulk.functions.lay_out([(1, 2, whole)], wrong, 3)
    for part in (None, (1, 2), (1, 2, "text"), [1, 2, whole], (1, 1 << 70, whole)):
        with pytest.raises((TypeError, ValueError, SystemError, OverflowError)):
            bulk.functions.lay_out([part], bits, 3)
    batch = bulk.functions.lay_out([(1, 2, whole)], bits, 3)[0]
    bulk.functions.settle(batch, 1, 5, False)
    with pytest.raises(IndexError):
        bulk.functions.settle(batch, 2, 5, False)
    for wrong in (bytearray(b"\xff" * 100), bytearray(), bytearray(7)):
        with pytest.raises(ValueError, match="no batch"):
            bulk.functions.settle(wrong, 0, 5, True)
        with pytest.raises(ValueError, match="no batch"):
            bulk.functions.fresh_among(wrong, set())


@compiled
def test_what_is_no_batch_is_refused_by_the_table(catalogue):
    plain = [(b"name %d" % n, *range(8), content_digest(b"%d" % n)) for n in range(3)]
    batch, *_ = bulk.functions.lay_out([(1, 2, sheet.packed(plain))], bytearray(1 << 10), 3)
    chance = random.Random(3)
    with catalogue.look() as raw:
        assert raw.execute("SELECT ino FROM usual_files(?)", (batch,)).fetchall() == [(2,), (3,), (4,)]
        assert [row[0] for row in raw.execute("SELECT ino FROM usual_files(?) ORDER BY ino DESC", (batch,))] == [
            4,
            3,
            2,
        ]
        for wrong in (None, b"", 5, "text", *(batch[:length] for length in range(0, len(batch), 7))):
            with pytest.raises(sqlite3.Error):
                raw.execute("SELECT * FROM usual_files(?)", (wrong,)).fetchall()
        with pytest.raises(sqlite3.Error):
            raw.execute("SELECT * FROM usual_files").fetchall()
        for _ in range(300):  # bytes that changed: other rows or an error, and nothing outside of it is read
            wrong = bytearray(batch)
            for _ in range(chance.randint(1, 4)):
                wrong[chance.randrange(len(wrong))] = chance.randrange(256)
            try:
                found = raw.execute("SELECT * FROM usual_files(?)", (wrong,)).fetchall()
            except sqlite3.Error:
                continue
            assert len(found) <= 3


@compiled
def test_an_sqlite_that_python_brings_itself_is_served_from_python(tmp_path, monkeypatch):
    """It knows nothing of the table: asked for, it says so, and the scan goes the other way."""
    (tmp_path / "source").mkdir()
    write(tmp_path / "source" / "a", b"a")
    catalogue = new_catalogue(tmp_path / "archive")
    with catalogue.look() as raw:
        assert bulk.usable(raw) is bulk.functions
    monkeypatch.setattr(bulk, "_IS_KNOWN", "SELECT 1 FROM pragma_module_list WHERE name = 'nobody'")
    with catalogue.look() as raw:
        assert bulk.usable(raw) is None
    scanned(catalogue, tmp_path / "source", workers=1)
    assert rows(catalogue, "SELECT size FROM content") == [(1,)]
    sound(catalogue)


class Beside(Catalogue):
    """While one scan writes its Nth batch is about to be written, another one of another source is made whole."""

    def __init__(self, path, at, other):
        super().__init__(path)
        self.left, self.other = at, other

    @contextmanager
    def write(self):
        self.left -= 1
        if self.left == 0:
            self.other()
        with super().write() as connection:
            yield connection


@pytest.mark.parametrize("at", [6, 7, 8, 9, 10])
def test_two_scans_side_by_side_record_equal_contents_once(tmp_path, monkeypatch, at):
    monkeypatch.setattr("odarchive.catalogue.contents.FILTER_PAYS", 1)
    for place, numbers in (("one", range(60)), ("two", range(59, 20, -1))):
        for number in numbers:
            (tmp_path / place / f"{number % 6}").mkdir(parents=True, exist_ok=True)
            write(tmp_path / place / f"{number % 6}" / f"{number}", b"bytes %d" % number)
    path = new_catalogue(tmp_path / "archive").path
    done = []

    def other():
        scanned(Catalogue(path), tmp_path / "two", workers=0, batch=4)
        done.append(True)

    catalogue = Beside(path, at, other)
    scanned(catalogue, tmp_path / "one", workers=1, batch=8)
    assert done == [True]
    assert rows(catalogue, "SELECT count(*), count(DISTINCT digest) FROM content") == [(60, 60)]
    sound(catalogue)


def test_the_filter_is_kept_while_nobody_else_records_contents(catalogue, tmp_path):
    known = contents.Known()
    with catalogue.write() as connection:
        assert known.filter(driver(connection), contents.FILTER_PAYS - 1) is None
        kept = known.filter(driver(connection), contents.FILTER_PAYS)
    assert kept is not None
    other = Catalogue(catalogue.path)
    with other.write() as connection:
        driver(connection).execute("UPDATE counter SET value = value + 1 WHERE name = 'ino'")
    with catalogue.write() as connection:
        assert known.filter(driver(connection), 1) is kept
    with other.write() as connection:
        contents.keep(driver(connection), content_digest(b"new"), 3)
    with catalogue.write() as connection:
        assert known.filter(driver(connection), contents.FILTER_PAYS) is None
        assert known.filter(driver(connection), contents.FILTER_PAYS) is None
