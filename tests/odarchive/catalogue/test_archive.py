"""Making and opening catalogues; migrations end in the schema."""

import os
import re
import sqlite3
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from catalogue_kit import FACTS, new_catalogue, rows, run, sound
from sqlalchemy import create_engine

from odarchive.catalogue import archive, migrations
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.schema import WORDS, metadata
from odarchive.errors import DamageFound, NoArchive, OdarchiveError


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


def test_the_last_migration_is_the_known_one():
    assert ScriptDirectory.from_config(migrations.configuration()).get_heads() == [archive.REVISION]


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
    """SQLAlchemy knows no virtual tables."""
    return not (name or "").startswith(WORDS)


def statements(connection):
    """Every table and index, the clauses of each in alphabetical order."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE sql NOT LIKE '%alembic%' AND name NOT LIKE 'name_words%'"
    )
    return {
        name: sorted(filter(None, (re.sub(r"\s+", " ", clause).strip() for clause in re.split(r",|\n", sql))))
        for name, sql in rows
    }


def test_opening_does_not_import_alembic(catalogue):
    program = (
        "import sys, pathlib; from odarchive.catalogue.archive import open_catalogue;"
        "open_catalogue(pathlib.Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, os.fspath(catalogue.path)], check=False).returncode == 0
