"""The rule of what the mount shows, and its computation for the whole catalogue.

A version *qualifies* if it counts (its snapshot is complete) and
(a) it has a content, every byte of which lies in pieces of proven segments; or
(b) it has no content (directory, symlink, empty file) and its carrier is 0 or a proven segment; or
(c) it is a directory above something shown.
A segment is *proven* once a disc of it has been verified. It stays so when that disc later fails a read or is not in
its place: files that vanish from a mounted tree make a mirror delete its copies, an error names the disc instead.

Per name at most one version is shown: the newest that qualifies among the unbroken row of versions that leads to the
present one. So a changed file keeps its old version until the new one is on a disc, and a deleted one is hidden.

Not for changing flags: that is ``publish``.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from stat import S_ISDIR
from typing import NamedTuple

from odarchive.catalogue.entries import COMPLETE, INCOMPLETE

PROVEN = "(SELECT segment FROM disc WHERE state IN ('verified', 'suspect', 'missing'))"
"""Segments of which a disc has been read back right, whatever became of it."""


class Candidate(NamedTuple):
    """A version that counts. ``until`` is None while its end does not count; ``own`` is (a) or (b)."""

    parent: int
    name: bytes
    since: int
    until: int | None
    ino: int
    mode: int
    shown: bool
    own: bool

    @property
    def key(self) -> tuple[int, bytes, int]:
        """Primary key in ``entry``."""
        return self[:3]


class Difference(NamedTuple):
    """A stored flag that is not what the rule says."""

    parent: int
    name: bytes
    since: int
    wanted: bool


UNTIL = f"CASE WHEN until IN {INCOMPLETE} THEN NULL ELSE until END"
CARRIED = f"(carrier = 0 OR carrier IN {PROVEN})"


def chosen(versions: Sequence[Candidate], qualifies: Callable[[Candidate], bool]) -> Candidate | None:
    """Which version of one name is shown; ``versions`` ascend by ``since``."""
    end: int | None = None
    for version in reversed(versions):
        if version.until != end:
            return None  # closed, and nothing took its place then
        if qualifies(version):
            return version
        end = version.since
    return None


def covered(size: int, ranges: Iterable[tuple[int, int]]) -> bool:
    """Whether (start, length) ranges, ascending by start, leave no byte of 0..size out."""
    reach = 0
    for start, length in ranges:
        if start > reach:
            return False
        reach = max(reach, start + length)
    return reach >= size


def whole_contents(raw: sqlite3.Connection, table: str) -> None:
    """Fill a temporary table (id) with the contents of which every byte is on proven segments."""
    raw.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY)")
    raw.execute(f"DELETE FROM temp.{table}")
    raw.execute(
        f"INSERT OR IGNORE INTO temp.{table} SELECT piece.content FROM piece JOIN content ON content.id = piece.content"
        f" WHERE piece.start = 0 AND piece.length >= content.size AND piece.segment IN {PROVEN}"
    )
    parts = raw.execute(
        "SELECT piece.content, content.size, piece.start, piece.length"
        f" FROM piece JOIN content ON content.id = piece.content WHERE piece.length < content.size"
        f" AND piece.segment IN {PROVEN} ORDER BY piece.content, piece.start"
    )
    split = ((key[0], covered(key[1], ((row[2], row[3]) for row in rows))) for key, rows in _by(parts, 0, 1))
    raw.executemany(f"INSERT OR IGNORE INTO temp.{table} VALUES (?)", [(number,) for number, whole in split if whole])


def differences(raw: sqlite3.Connection) -> Iterator[Difference]:
    """Recompute everything and tell where the stored flags differ.

    Takes seconds per million entries and memory per directory.
    """
    whole_contents(raw, "whole")
    for parent, name, since in raw.execute(
        f"SELECT parent, name, since FROM entry WHERE shown <> 0 AND since IN {INCOMPLETE}"
    ):
        yield Difference(parent, name, since, wanted=False)
    rows = map(
        Candidate._make,
        raw.execute(
            f"SELECT parent, name, since, {UNTIL}, ino, mode, shown, CASE WHEN content IS NULL THEN {CARRIED}"
            f" ELSE content IN (SELECT id FROM temp.whole) END FROM entry WHERE {COMPLETE} ORDER BY parent, name, since"
        ),
    )
    lit: set[int] = set()
    folders: list[list[Candidate]] = []
    for _, group in groupby(rows, itemgetter(0, 1)):
        versions = list(group)
        if len(versions) == 1 and not S_ISDIR(versions[0].mode):  # nearly all names: what follows, at once
            (version,) = versions
            wanted = version.until is None and bool(version.own)
            if wanted:
                lit.add(version.parent)
            if bool(version.shown) != wanted:
                yield Difference(*version.key, wanted=wanted)
            continue
        if any(S_ISDIR(version.mode) for version in versions):
            folders.append(versions)
            continue
        shown = chosen(versions, lambda version: bool(version.own))
        if shown is not None:
            lit.add(shown.parent)
        yield from _differing(versions, shown)
    _light(folders, lit)
    for versions in folders:
        yield from _differing(versions, chosen(versions, lambda version: qualified(version, lit)))


def qualified(version: Candidate, lit: set[int]) -> bool:
    """(a), (b) or (c), given the directories that have something shown in them."""
    return bool(version.own) or (version.ino in lit and S_ISDIR(version.mode))


def _light(folders: list[list[Candidate]], lit: set[int]) -> None:
    """Add to ``lit`` every directory that comes to have something shown in it through the directories below."""
    by_ino: dict[int, list[list[Candidate]]] = {}
    for versions in folders:
        for ino in {version.ino for version in versions}:
            by_ino.setdefault(ino, []).append(versions)
    waiting = list(folders)
    while waiting:
        versions = waiting.pop()
        shown = chosen(versions, lambda version: qualified(version, lit))
        if shown is not None and shown.parent not in lit:
            lit.add(shown.parent)
            waiting.extend(by_ino.get(shown.parent, ()))


def _differing(versions: Sequence[Candidate], shown: Candidate | None) -> Iterator[Difference]:
    for version in versions:
        if bool(version.shown) != (version is shown):
            yield Difference(*version.key, wanted=version is shown)


def _by(rows: Iterable[tuple[int, ...]], *columns: int) -> Iterator[tuple[tuple[int, ...], Iterator[tuple[int, ...]]]]:
    return groupby(rows, itemgetter(*columns))
