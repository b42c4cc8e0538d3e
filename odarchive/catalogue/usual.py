"""Usual files into the tree, thousands at once: of directories of which nothing is recorded yet.

Two ways with one result: SQLite reads them from one buffer (``bulk``), or takes row by row from Python.
"""

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import repeat

from odarchive.catalogue import contents, runs, words
from odarchive.catalogue.bulk import Doubted, Native, Part, usable
from odarchive.catalogue.contents import Filter
from odarchive.reading import sheet

_FACTS = "mode, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino"
# Without REPLACE, which costs as much again: nothing can be there.
_INTO_ENTRY = f"INSERT INTO entry (parent, name, since, ino, nlink, content, {_FACTS}, apart)"
_ADD = f"{_INTO_ENTRY} VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_ALL = f"{_INTO_ENTRY} SELECT parent, name, ?2, ino, 1, content, {_FACTS}, apart FROM usual_files(?1)"
# Ascending rows fill their pages.
_CONTENTS = """INSERT INTO content (id, digest, size) SELECT ino, digest, size FROM usual_files(?1) WHERE fresh
 ORDER BY ino"""
_ASK = bytearray(b"\xff" * 16)
"""A filter that doubts everything."""
_SIZE = 3
"""Of the columns between name and digest."""


def record(raw: sqlite3.Connection, snapshot: int, parts: Sequence[Part], known: Filter | None) -> tuple[int, int]:
    """Record files, in the caller's transaction.

    Args:
        raw: the catalogue.
        snapshot: in which they appear.
        parts: ascending by directory and number, so that rows fill pages and their neighbours are in memory.
        known: a filter that every recorded content is in; None: there is none.

    Returns:
        How many contents are new, their bytes.
    """
    raw.executemany(runs.PUT, (run for part in parts for run in _runs(*part)))
    native = usable(raw)
    if native is None:
        return _record_each(raw, snapshot, parts, known)
    return _record_all(raw, snapshot, parts, (native, _ASK if known is None else known.bits))


def _runs(parent: int, first: int, files: sheet.Sheet) -> Iterator[runs.Run]:
    if sheet.count(files) < runs.SHORTEST:
        return iter(())
    return runs.of(parent, first, sheet.names(files))


def _record_each(
    raw: sqlite3.Connection, snapshot: int, parts: Sequence[Part], known: Filter | None
) -> tuple[int, int]:
    """Columns go through here whole: a step for each file takes longer than writing it."""
    rows = [row for _, _, files in parts for row in sheet.rows(files)]
    if not rows:
        return 0, 0
    parents = [parent for parent, _, files in parts for _ in range(sheet.count(files))]
    inos = [ino for _, first, files in parts for ino in range(first, first + sheet.count(files))]
    apart = (sheet.count(files) < runs.SHORTEST for _, _, files in parts for _ in range(sheet.count(files)))
    names, *facts, digests = zip(*rows, strict=True)
    new = [(digest, ino, size) for digest, ino, size in zip(digests, inos, facts[_SIZE], strict=True) if digest]
    numbers, count, size = contents.record(raw, new, known)
    of = map(numbers.get, digests)
    raw.executemany(_ADD, zip(parents, names, repeat(snapshot), inos, of, *facts, apart, strict=False))
    shown = sorted(zip(inos, names, strict=True))  # as in ``words.ADD_ALL``
    words.add(raw, [(ino, name.decode("utf-8", "replace")) for ino, name in shown], ())
    return count, size


def _record_all(
    raw: sqlite3.Connection, snapshot: int, parts: Sequence[Part], by: tuple[Native, bytearray]
) -> tuple[int, int]:
    native, bits = by
    batch, doubted, illegible, count, size = native.lay_out(parts, bits, runs.SHORTEST)
    for at, content, digest_size in _settled(raw, native, batch, doubted):
        native.settle(batch, at, content, digest_size is not None)
        if digest_size is not None:
            count, size = count + 1, size + digest_size
    raw.execute(_CONTENTS, (batch,))
    raw.execute(_ADD_ALL, (batch, snapshot))
    raw.execute(words.ADD_ALL, (batch,))
    words.add(raw, illegible, ())
    return count, size


def _settled(
    raw: sqlite3.Connection, native: Native, batch: bytearray, doubted: Sequence[Doubted]
) -> Iterator[tuple[int, int, int | None]]:
    """Place, content, and if that is new its size, of files whose content may be known, in the batch or before it."""
    numbers = {digest: contents.number_of(raw, digest) for _, _, digest, _ in doubted}
    unknown = {digest for digest, number in numbers.items() if number is None}
    here = native.fresh_among(batch, unknown) if unknown else {}
    for at, ino, digest, size in doubted:
        number = numbers[digest] or here.get(digest)
        yield at, number or ino, None if number else size
        if number is None:
            here[digest] = ino
