"""Making and opening catalogues; migrations end in the schema."""
# ruff: noqa: S608 - statements are put together from constants of this module

import os
import re
import sqlite3
import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from catalogue_kit import FACTS, new_catalogue, rows, run, sound
from sqlalchemy import create_engine

from odarchive.catalogue import archive, contents, database, migrations, views
from odarchive.catalogue.database import Catalogue, driver
from odarchive.catalogue.schema import WORDS, metadata
from odarchive.errors import DamageFound, NoArchive, OdarchiveError
from tests.new_catalogues import Migrated


@pytest.fixture(autouse=True)
def led_by_the_migrations(monkeypatch):
    """Not by what other tests take in their place."""
    if isinstance(archive._migrate, Migrated):
        monkeypatch.setattr(archive, "_migrate", archive._migrate.real)


def test_other_tests_have_the_catalogue_that_the_migrations_make(tmp_path, monkeypatch, catalogue):
    assert not isinstance(archive._migrate, Migrated)
    monkeypatch.setattr(archive, "_migrate", Migrated(archive._migrate))
    for name in ("first", "second"):
        copied = new_catalogue(tmp_path / name)
        kept = rows(catalogue, "SELECT name, type, sql FROM sqlite_master ORDER BY rowid")
        assert rows(copied, "SELECT name, type, sql FROM sqlite_master ORDER BY rowid") == kept
        for table in (name for name, kind, sql in kept if kind == "table" and not sql.startswith("CREATE VIRTUAL")):
            asked = f'SELECT * FROM "{table}" ORDER BY 1'
            assert rows(copied, asked) == rows(catalogue, asked), table
        copied.close()


def test_a_new_catalogue_has_its_facts_and_a_root(catalogue):
    with catalogue.read() as connection:
        assert archive.facts(connection) == FACTS
    assert rows(catalogue, "SELECT parent, name, ino, shown FROM entry") == [(0, b"", 1, 1)]
    assert rows(catalogue, "SELECT * FROM counter") == [("ino", 2)]
    sound(catalogue)
    assert not list(catalogue.path.parent.glob("*.new*"))


def test_an_existing_catalogue_is_never_replaced(catalogue):
    with catalogue.write() as connection:
        connection.exec_driver_sql("INSERT INTO machine VALUES ('mark', 'kept')")
    with pytest.raises(OdarchiveError, match="exists already"):
        archive.create(catalogue.path, FACTS)
    assert rows(catalogue, "SELECT value FROM machine WHERE key = 'mark'") == [("kept",)]


def test_a_half_made_catalogue_is_made_again(tmp_path):
    (tmp_path / "catalogue.db.new").write_bytes(b"half")
    sound(new_catalogue(tmp_path))


def test_opening_what_is_no_catalogue(tmp_path, catalogue):
    path = tmp_path / "catalogue.db"
    with pytest.raises(NoArchive, match="has no catalogue"):
        archive.open_catalogue(path)
    assert not path.exists()
    path.write_bytes(b"something else entirely, and long enough to be looked at " * 20)
    with pytest.raises(DamageFound, match="is not a catalogue"):
        archive.open_catalogue(path)
    path.unlink()
    sqlite3.connect(path).close()
    with pytest.raises(DamageFound, match="is not a catalogue"):
        archive.open_catalogue(path)


def test_a_newer_catalogue_is_refused(catalogue):
    run(catalogue, "UPDATE alembic_version SET version_num = '9999'")
    catalogue.close()
    with pytest.raises(OdarchiveError, match="newer odarchive"):
        archive.open_catalogue(catalogue.path)


def test_an_older_catalogue_is_led_here(tmp_path):
    path = tmp_path / "catalogue.db"
    old = Catalogue(path)
    with old.write() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    old.close()
    opened = archive.open_catalogue(path)
    assert rows(opened, "SELECT version_num FROM alembic_version") == [(archive.REVISION,)]
    opened.close()


def test_what_an_older_catalogue_holds_is_kept(tmp_path):
    """Contents of 0009 have numbers of their own, which new inode numbers must not meet."""
    path = tmp_path / "catalogue.db"
    old = Catalogue(path)
    with old.write() as connection:
        command.upgrade(migrations.configuration(connection), "0009")
        archive._begin(connection, FACTS)
        raw = driver(connection)
        raw.executemany("INSERT INTO content (digest, size) VALUES (?, 3)", [(bytes([n]) * 32,) for n in range(9)])
        raw.execute("INSERT INTO source (id, name, path, created_ns) VALUES (1, X'73', X'2F73', 1)")
        raw.execute(
            "INSERT INTO snapshot (id, source, state, started_ns, finished_ns, files, bytes)"
            " VALUES (1, 1, 'complete', 1, 2, 9, 27)"
        )
        put = (
            "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
            " src_ino, content) VALUES (?, ?, 1, ?, ?, ?, 0, 0, ?, 1, 1, 1, 1, ?)"
        )
        raw.execute(put, (1, b"s", 2, 0o40755, 2, 0, None))
        raw.executemany(put, [(2, b"%d" % n, 3 + n, 0o100644, 1, 3, 9 - n) for n in range(9)])
        raw.executemany(
            "INSERT INTO name_words (rowid, name) VALUES (?, ?)", [(2, "s"), *((3 + n, str(n)) for n in range(9))]
        )
        raw.execute("UPDATE counter SET value = 12")
    old.close()
    opened = archive.open_catalogue(path)
    assert rows(opened, "SELECT name, content FROM entry WHERE parent = 2") == [(b"%d" % n, 9 - n) for n in range(9)]
    with opened.read() as connection:
        for number in range(9):
            assert contents.number_of(driver(connection), bytes([number]) * 32) == number + 1
            asked = contents.named_by("name", "(SELECT ?1 AS id)")
            assert driver(connection).execute(asked, (number + 1,)).fetchall() == [(b"%d" % (8 - number),)]
    sound(opened)
    opened.close()


def test_broken_references_stop_a_migration(tmp_path):
    path = tmp_path / "catalogue.db"
    old = Catalogue(path)
    with old.write() as connection:
        command.upgrade(migrations.configuration(connection), "0009")
        archive._begin(connection, FACTS)
    old.close()
    with sqlite3.connect(path) as loose:
        loose.execute("INSERT INTO piece (content, segment, start, length) VALUES (7, 7, 0, 1)")
    loose.close()
    before = path.read_bytes()
    with pytest.raises(DamageFound, match="a row of piece refers to a row of"):
        archive.open_catalogue(path)
    with sqlite3.connect(path) as again:
        assert again.execute("SELECT version_num FROM alembic_version").fetchall() == [("0009",)]
    again.close()
    assert len(before) == path.stat().st_size


def test_names_are_found_by_content_through_indexes(catalogue):
    """Also of a whole set of contents: a disc's worth must not read every name."""
    with catalogue.read() as connection:
        for contents_ in ("(SELECT ?1 AS id)", "(SELECT DISTINCT content AS id FROM piece WHERE segment = ?1)"):
            asked = f"EXPLAIN QUERY PLAN {contents.named_by('name', contents_)}"
            plan = " ".join(row[3] for row in driver(connection).execute(asked, (1,)))
            assert "entry_apart" in plan, plan
            assert "entry_content" in plan, plan
            assert "SCAN entry" not in plan, plan


def test_the_folders_of_a_disc_are_found_through_indexes(catalogue):
    """After every commit, so it must not read every name."""
    looking = views.Views(catalogue.path)
    found = looking._db.execute(f"EXPLAIN QUERY PLAN {views._ABOVE}", {"view": 1})
    plan = " ".join(row[3] for row in found)
    looking.close()
    assert "entry_apart" in plan, plan
    assert "entry_content" in plan, plan
    assert "SCAN entry" not in plan, plan


def test_the_last_migration_is_the_known_one():
    assert ScriptDirectory.from_config(migrations.configuration()).get_heads() == [archive.REVISION]


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index content_digest")
def test_migrations_end_in_the_schema(catalogue):
    """By alembic's comparison, and by the statements SQLite keeps: alembic does not compare WITHOUT ROWID and WHERE."""
    with catalogue.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": not_of_the_index})
        assert compare_metadata(context, metadata) == []
        migrated = statements(connection)
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        assert statements(connection) == migrated
    engine.dispose()


def not_of_the_index(_thing, name, *_):
    """SQLAlchemy knows no virtual tables, and sees no index over an expression."""
    return not (name or "").startswith((WORDS, "content_digest"))


def statements(connection):
    """Every table and index, the clauses of each in alphabetical order."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql NOT LIKE '%alembic%' AND name NOT LIKE 'name_words%'"
    )
    return {
        name: sorted(
            filter(None, (re.sub(r"\s+", " ", clause.replace('"', "")).strip() for clause in re.split(r",|\n", sql)))
        )
        for name, sql in rows
    }


def test_opening_does_not_import_alembic(catalogue):
    program = (
        "import sys, pathlib; from odarchive.catalogue.archive import open_catalogue;"
        "open_catalogue(pathlib.Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, os.fspath(catalogue.path)], check=False).returncode == 0


EVERY = [f"{number:04}" for number in range(1, int(archive.REVISION))]


@pytest.mark.parametrize("revision", EVERY)
def test_every_older_catalogue_is_led_here_with_what_it_holds(grown, tmp_path, revision):
    """Rows of today are put into the tables as they were; what these do not have cannot come through."""
    path = tmp_path / "old" / "catalogue.db"
    older(path, revision, grown)
    led = archive.open_catalogue(path)
    sound(led)
    for table in ("source", "snapshot", "content", "segment", "piece", "disc"):
        asked = f"SELECT * FROM {table} ORDER BY 1, 2, 3"
        assert rows(led, asked) == rows(grown, asked), table
    columns = [name for name in columns_of(grown, "entry") if name != "apart"]
    asked = f"SELECT {', '.join(columns)} FROM entry ORDER BY parent, name, since"
    assert rows(led, asked) == rows(grown, asked)
    assert rows(led, "SELECT count(*) FROM run") > [(0,)]
    led.close()


def test_a_migration_that_dies_leaves_what_was_there(grown, tmp_path):
    path = tmp_path / "old" / "catalogue.db"
    older(path, "0013", grown)
    program = (
        "import os, pathlib, sys; from alembic import op; op.rename_table = lambda *_: os._exit(7);"
        "from odarchive.catalogue.archive import open_catalogue; open_catalogue(pathlib.Path(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", program, os.fspath(path)], check=False).returncode == 7
    with sqlite3.connect(path) as there:
        assert there.execute("SELECT version_num FROM alembic_version").fetchall() == [("0013",)]
        assert there.execute("SELECT count(*) FROM entry WHERE ino > 0").fetchall() == rows(
            grown, "SELECT count(*) FROM entry"
        )
    there.close()
    led = archive.open_catalogue(path)
    sound(led)
    led.close()


def test_a_large_catalogue_says_what_is_done_with_it_and_keeps_no_empty_pages(grown, tmp_path, monkeypatch, caplog):
    path = tmp_path / "old" / "catalogue.db"
    older(path, "0001", grown)
    archive.open_catalogue(path).close()
    assert not caplog.records
    path.unlink()
    path.parent.rmdir()
    older(path, "0001", grown)
    monkeypatch.setattr(archive, "_LARGE", 0)
    monkeypatch.setattr(database, "_SPARSE", 10_000)
    led = archive.open_catalogue(path)
    (told,) = caplog.messages
    assert str(path) in told
    assert "may be stopped" in told
    assert rows(led, "PRAGMA freelist_count") == [(0,)]
    with led.look() as raw:
        assert raw.execute("PRAGMA temp_store").fetchone() == (2,)
    sound(led)
    led.close()


def test_where_there_is_no_room_to_compact_the_catalogue_is_used_as_it_is(grown, tmp_path, monkeypatch):
    path = tmp_path / "old" / "catalogue.db"
    older(path, "0001", grown)
    monkeypatch.setattr(database, "_SPARSE", 10_000)

    class Full(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement == "VACUUM":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(statement, *values)

    real = sqlite3.dbapi2.connect
    monkeypatch.setattr(sqlite3.dbapi2, "connect", lambda *given, **named: real(*given, **{**named, "factory": Full}))
    led = archive.open_catalogue(path)
    monkeypatch.undo()
    assert rows(led, "PRAGMA freelist_count") > [(0,)]
    sound(led)
    led.close()


def columns_of(catalogue, table):
    return [row[1] for row in rows(catalogue, f"PRAGMA table_info({table})")]


def older(path, revision, like):
    """A catalogue of an older revision with the rows of one of today, as far as it has tables and columns for them."""
    path.parent.mkdir()
    old = Catalogue(path)
    with old.rebuild() as connection:
        command.upgrade(migrations.configuration(connection), revision)
        raw = driver(connection)
        tables = {row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in metadata.sorted_tables:
            if table.name not in tables:
                continue
            there = {row[1] for row in raw.execute(f"PRAGMA table_info({table.name})")}
            wanted = [name for name in columns_of(like, table.name) if name in there]
            found = rows(like, f"SELECT {', '.join(wanted)} FROM {table.name}")
            marks = ", ".join("?" * len(wanted))
            raw.executemany(f"INSERT INTO {table.name} ({', '.join(wanted)}) VALUES ({marks})", found)
        if WORDS in tables:
            names = {}
            for ino, name in rows(like, "SELECT DISTINCT ino, name FROM entry WHERE parent <> 0"):
                names.setdefault(ino, []).append(name.decode())
            raw.executemany(
                f"INSERT INTO {WORDS} (rowid, name) VALUES (?, ?)",
                [(ino, " ".join(several)) for ino, several in names.items()],
            )
    old.close()
