"""Names by the number of their inode, almost without an index.

One of all numbers would be a fifth of the catalogue. But the files that a scan finds in a new directory get numbers in
a row, in the order of their names, and the tree is clustered by directory and name. So table ``run`` says of a few
dozen numbers at once between which names of which directory they stand; the row of a number is found by reading these.

Rows outside of runs are *apart* and in an index of their own: directories (so that ways to the root are short), hard
links, symlinks, names that come to a directory later. A number may have rows of both kinds. Which kind a row is matters
to nobody but this module, ``entries`` that makes both, and the rule ``run``.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

LONGEST = 32
"""Numbers in a run: half of it is read for each name that is looked for."""
SHORTEST = 3
"""Fewer take less room in the index."""

Run = tuple[int, int, bytes, bytes]
"""First number, directory, first and last name."""
Row = tuple[int, int, bytes]
"""Directory, number, name."""

PUT = "INSERT INTO run (first, folder, low, high) VALUES (?, ?, ?, ?)"

_OF = "run.first = (SELECT max(first) FROM run WHERE first <= {0})"
_STANDS = f"SELECT 1 FROM run WHERE {_OF.format('entry.ino')} AND folder = parent AND name BETWEEN low AND high"
_WITHIN = "entry.parent = run.folder AND entry.name BETWEEN run.low AND run.high AND entry.ino = {0} AND apart = 0"
_BETWEEN = f"SELECT count(*) FROM (SELECT 1 FROM entry WHERE parent = ? AND name BETWEEN ? AND ? LIMIT {LONGEST + 1})"
_IS_DIRECTORY = "(mode & 61440) = 16384"

DIRECTORY = "apart = 1"
"""SQL condition on ``entry``, with ``ino = ?``: leads to the row of a directory; may miss a file of that number."""
STRAY = f"(apart <> 1 AND (apart <> 0 OR {_IS_DIRECTORY} OR NOT EXISTS ({_STANDS})))"
"""SQL condition on ``entry``: it is not found by its number."""


def by_number(columns: str, number: str, where: str = "1") -> str:
    """SELECT of the rows of one inode; ``number``: its parameter, such as ``?1``."""
    return (
        f"SELECT {columns} FROM entry WHERE entry.ino = {number} AND apart = 1 AND {where}"
        f" UNION ALL SELECT {columns} FROM run CROSS JOIN entry"
        f" WHERE {_OF.format(number)} AND {_WITHIN.format(number)} AND {where}"
    )


def by_numbers(columns: str, numbers: str, where: str = "1") -> tuple[str, str]:
    """The two halves of a SELECT of the rows of many inodes.

    ``numbers``: a table or query in parentheses, known as ``wanted``, whose column ``id`` has them.
    """
    return (
        f"SELECT {columns} FROM {numbers} AS wanted CROSS JOIN entry"
        f" WHERE entry.ino = wanted.id AND apart = 1 AND {where}",
        f"SELECT {columns} FROM {numbers} AS wanted CROSS JOIN run CROSS JOIN entry"
        f" WHERE {_OF.format('wanted.id')} AND {_WITHIN.format('wanted.id')} AND {where}",
    )


def of(folder: int, first: int, names: Sequence[bytes]) -> Iterator[Run]:
    """The runs of names, ascending, whose numbers follow one another."""
    for at in range(0, len(names), LONGEST):
        yield first + at, folder, names[at], names[min(at + LONGEST, len(names)) - 1]


def among(raw: sqlite3.Connection, rows: Iterable[Row]) -> Iterator[tuple[Run, int]]:
    """Runs among new rows that are not in the tree yet, and how many numbers each has.

    Args:
        raw: the catalogue.
        rows: directory, number and name, in the order in which numbers were given out. Of a directory's names only
            those are taken between which few others stand: what stands between is read as well.
    """
    for names in _neighbours(rows):
        if len(names) < SHORTEST:
            continue
        folder, first, low = names[0]
        high = names[-1][2]
        (others,) = raw.execute(_BETWEEN, (folder, low, high)).fetchone()
        if others <= LONGEST:
            yield (first, folder, low, high), len(names)


def _neighbours(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows of one directory whose numbers follow one another, names ascending."""
    found: list[Row] = []
    for row in rows:
        if found:
            folder, number, name = found[-1]
            if len(found) == LONGEST or row[0] != folder or row[1] != number + 1 or row[2] <= name:
                yield found
                found = []
        found.append(row)
    if found:
        yield found


def arrange(raw: sqlite3.Connection) -> None:
    """Find the runs in a tree that came in another way than by a scan; a second or two per million names."""
    raw.execute("DELETE FROM run")
    raw.execute("UPDATE entry SET apart = 1 WHERE apart <> 1")
    raw.executemany("INSERT OR IGNORE INTO run (first, folder, low, high) VALUES (?, ?, ?, ?)", list(_found(raw)))
    raw.execute(f"UPDATE entry SET apart = 0 WHERE NOT {_IS_DIRECTORY} AND EXISTS ({_STANDS})")


def _found(raw: sqlite3.Connection) -> Iterator[Run]:
    rows = raw.execute(f"SELECT parent, ino, name FROM entry WHERE NOT {_IS_DIRECTORY} ORDER BY parent, name")
    for folder, group in groupby(rows, itemgetter(0)):
        first = last = 0
        names: list[bytes] = []
        for _, ino, name in sorted(set(group)):
            if not names or ino != last + 1 or name <= names[-1]:
                yield from _long(folder, first, names)
                first, names = ino, []
            names.append(name)
            last = ino
        yield from _long(folder, first, names)


def _long(folder: int, first: int, names: Sequence[bytes]) -> Iterator[Run]:
    return of(folder, first, names) if len(names) >= SHORTEST else iter(())
