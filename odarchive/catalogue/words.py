"""The full-text index of names: what it is given, and whether it has everything. Questions to it: ``search``.

One document per name of an inode, never changed and never removed (an inode number is never used again); so what it
finds may be gone, and is looked up before it is believed. Its rowid is the inode number, which costs no table of its
own; further names of one inode have negative rowids and a row in ``name_alias``.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from odarchive.catalogue.schema import WORDS

Named = tuple[int, str]
"""Inode number, name."""

_BATCH = 5_000
_INDEX = "INSERT INTO {0} (rowid, name) VALUES (?, ?)"

# The index writes what it has in memory whenever a number is not higher than the one before.
ADD_ALL = f"""INSERT INTO {WORDS} (rowid, name) SELECT ino, words FROM usual_files(?1) WHERE words IS NOT NULL
 ORDER BY ino"""  # noqa: S608  a constant of this package
"""Index the names of a batch (``bulk``) that are UTF-8."""


def add(raw: sqlite3.Connection, single: Sequence[Named], several: Sequence[Named]) -> None:
    """Index new names, in the caller's transaction; ``several``: names of inodes that may have more than one."""
    raw.executemany(_INDEX.format(WORDS), single)
    for ino, name in several:
        key = raw.execute("INSERT INTO name_alias (ino) VALUES (?)", (ino,)).lastrowid
        raw.execute(_INDEX.format(WORDS), (-(key or 0), name))


def missing(raw: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    """Inodes and words of their names that the index does not lead to. Seconds per million names."""
    for statement in (
        "DROP TABLE IF EXISTS temp.all_words",
        "DROP TABLE IF EXISTS temp.all_terms",
        "DROP TABLE IF EXISTS temp.real_terms",
        "CREATE VIRTUAL TABLE temp.all_words USING fts5(name, content='', detail=none, columnsize=0,"
        " tokenize='unicode61 remove_diacritics 2')",
        "CREATE VIRTUAL TABLE temp.all_terms USING fts5vocab(temp, all_words, instance)",
        f"CREATE VIRTUAL TABLE temp.real_terms USING fts5vocab(main, {WORDS}, instance)",
        "DROP TABLE IF EXISTS temp.all_names",
        "CREATE TABLE temp.all_names (id INTEGER PRIMARY KEY, ino)",
    ):
        raw.execute(statement)
    rows = raw.execute("SELECT DISTINCT ino, parent, name FROM entry WHERE parent <> 0")
    number = 0
    while batch := rows.fetchmany(_BATCH):
        names = [(at, ino, name.decode("utf-8", "replace")) for at, (ino, _, name) in enumerate(batch, number + 1)]
        raw.executemany("INSERT INTO temp.all_names VALUES (?, ?)", [(at, ino) for at, ino, _ in names])
        raw.executemany("INSERT INTO temp.all_words (rowid, name) VALUES (?, ?)", [(at, name) for at, _, name in names])
        number += len(batch)
    yield from raw.execute(
        "SELECT ino, term FROM temp.all_terms JOIN temp.all_names ON all_names.id = doc EXCEPT"
        " SELECT coalesce((SELECT ino FROM name_alias WHERE id = -doc), doc), term FROM temp.real_terms"
    )
