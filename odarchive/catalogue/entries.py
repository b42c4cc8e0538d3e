"""Rows of the tree as a scan reads and records them, and the one statement of which rows count.

A scan records into a *running* snapshot: new versions carry ``since`` = that snapshot, superseded and vanished ones get
``until`` = that snapshot. Neither counts until the snapshot is complete (``CURRENT``), so a scan ends by changing one
word and a broken scan shows nothing. The next scan of the source goes on in the same snapshot: the rows of the broken
one (*pending*) are looked at again, their hashes are reused.

Not for deciding what a name becomes (``odarchive.scan``) nor for what the mount shows (``publish``).

Concurrency: one Recorder per scan, one thread. Reads see what was flushed; every flush is one short transaction.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import itemgetter
from stat import S_ISDIR
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from odarchive.catalogue import contents, runs, usual
from odarchive.catalogue import words as search
from odarchive.catalogue.bulk import Part
from odarchive.catalogue.contents import HAS_DIGEST, Known, number_of
from odarchive.catalogue.database import Catalogue, driver
from odarchive.digest import content_digest
from odarchive.errors import OdarchiveError
from odarchive.model import Ino, SnapshotId
from odarchive.reading.sheet import Sheet, count

INCOMPLETE = "(SELECT id FROM snapshot WHERE state <> 'complete')"
"""Snapshots whose rows do not count. A handful at most: one per source."""

COMPLETE = f"since NOT IN {INCOMPLETE}"
"""SQL condition on ``entry``: the version counts."""

CURRENT = f"({COMPLETE} AND (until IS NULL OR until IN {INCOMPLETE}))"
"""SQL condition on ``entry``: the version is what the last complete scan of its source saw."""

BATCH = 20_000
"""Rows per transaction: about 0.1 s of holding the write lock, twice that without the extension."""
INO_BLOCK = 4_096
XATTRS_KEY = 16
"""Bytes of the key of a set of extended attributes."""


class Version(NamedTuple):
    """One version of a name, columns as in ``entry``. ``version[3:13]`` is its state, ``[8:]`` what stat tells."""

    name: bytes
    since: int
    until: int | None
    ino: int
    nlink: int
    content: int | None
    target: bytes | None
    xattrs: bytes | None
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    src_dev: int
    src_ino: int

    @property
    def state(self) -> tuple[object, ...]:
        """What makes a new version when it differs: everything but validity and hints."""
        return self[3:13]

    @property
    def hints(self) -> tuple[int, int, int]:
        """What only tells the next scan whether to read again."""
        return self[13:16]


_COLUMNS = ", ".join(Version._fields)
# A scan may look only at its own source's rows: at most one of them per name is open and one pending.
_MINE = "parent = ? AND (since = ? OR until IS NULL OR until = ?)"
_CHILDREN = f"SELECT {_COLUMNS} FROM entry WHERE {_MINE} ORDER BY name, since"
_NAME = f"SELECT {_COLUMNS} FROM entry WHERE {_MINE} AND name = ? ORDER BY since"
_PUT = (
    "INSERT OR REPLACE INTO entry (parent, name, since, ino, nlink, content, target, xattrs, mode, uid, gid, size,"
    " mtime_ns, ctime_ns, src_dev, src_ino, apart) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PLACE = itemgetter(0, 1)
"""Directory and name of a row of ``_PUT``; directory and first number of a part."""
_CLOSE = "UPDATE entry SET until = ? WHERE parent = ? AND name = ? AND since = ?"
_DROP = "DELETE FROM entry WHERE parent = ? AND name = ? AND since = ?"
_REFRESH = "UPDATE entry SET ctime_ns = ?, src_dev = ?, src_ino = ? WHERE parent = ? AND name = ? AND since = ?"


class Recorder:
    """Records one scan in batches."""

    def __init__(
        self,
        catalogue: Catalogue,
        look: sqlite3.Connection,
        snapshot: SnapshotId,
        batch: int = BATCH,
    ) -> None:
        """``look`` is a reading connection outside of transactions."""
        self.snapshot = snapshot
        self.new_contents = 0
        self.new_bytes = 0
        self._catalogue = catalogue
        self._look = look
        self._batch = batch
        self._contents: list[tuple[bytes, int, int]] = []
        self._known = Known()
        self._plain: list[Part] = []
        self._puts: list[tuple[Any, ...]] = []
        self._new: list[runs.Row] = []
        self._closes: list[tuple[int | None, int, bytes, int]] = []
        self._drops: list[tuple[int, bytes, int]] = []
        self._refreshes: list[tuple[int, int, int, int, bytes, int]] = []
        self._problems: list[tuple[int, bytes, str]] = []
        self._words: list[tuple[int, str]] = []
        self._aliases: list[tuple[int, str]] = []
        self._sets: dict[bytes, bytes] = {}
        self._holes: list[tuple[bytes, bytes]] = []
        self._waiting = 0
        self._next_ino = self._last_ino = 0

    # Reading.

    def children(self, parent: int) -> Iterator[Version]:
        """The open and the pending versions in a directory, by name (bytes order); per name the pending one last."""
        return map(Version._make, self.rows(parent))

    def rows(self, parent: int) -> Iterator[tuple[Any, ...]]:
        """``children`` as the database gives them, which is half of the work of reading them."""
        return self._look.execute(_CHILDREN, (parent, self.snapshot, self.snapshot))

    def versions(self, parent: int, name: bytes) -> tuple[Version | None, Version | None]:
        """The open and the pending version of one name."""
        return self.pair(self._look.execute(_NAME, (parent, self.snapshot, self.snapshot, name)))

    def pair(self, rows: Iterable[tuple[Any, ...]]) -> tuple[Version | None, Version | None]:
        """The same of rows of one name, as ``rows`` gives them."""
        base = pending = None
        for row in map(Version._make, rows):
            if row.since == self.snapshot:
                pending = row
            else:
                base = row
        return base, pending

    def content_id(self, digest: bytes) -> int | None:
        """The id of a recorded content; None also for one that waits in the present batch."""
        return number_of(self._look, digest)

    # Recording.

    def new_ino(self, count: int = 1) -> Ino:
        """The first of ``count`` numbers in a row never used before; blocks are taken from the catalogue as needed."""
        if self._next_ino + count > self._last_ino:
            block = max(INO_BLOCK, count)
            with self._catalogue.write() as connection:
                raw = driver(connection)
                raw.execute("UPDATE counter SET value = value + ? WHERE name = 'ino'", (block,))
                (self._last_ino,) = raw.execute("SELECT value FROM counter WHERE name = 'ino'").fetchone()
            self._next_ino = self._last_ino - block
        self._next_ino += count
        return Ino(self._next_ino - count)

    def put(
        self, parent: int, version: Version, digest: bytes | None, *, named: bool = False, new: bool = False
    ) -> None:
        """Record a pending version.

        Args:
            parent: ino of its directory.
            version: the version.
            digest: names a content that is not in the catalogue yet.
            named: whether another version of this name has this ino, so that the name can be searched already.
            new: nothing was recorded of its directory before; a file or symlink of one name, whose ino is new.
        """
        if digest is not None:
            self._contents.append((digest, version.ino, version.size))
        if not named:
            several = version.nlink > 1 and not S_ISDIR(version.mode)
            words = self._aliases if several else self._words
            words.append((version.ino, version.name.decode("utf-8", "replace")))
        self._puts.append((parent, version.name, self.snapshot, *version[3:6], digest, *version[6:]))
        if new:
            self._new.append((parent, version.ino, version.name))
        self._count()

    def add(self, parent: int, files: Sheet) -> None:
        """Record usual files, one or more, of a directory of which nothing is recorded yet; their numbers follow."""
        number = count(files)
        self._plain.append((parent, self.new_ino(number), files))
        self._waiting += number - 1
        self._count()

    def close(self, parent: int, version: Version) -> None:
        """The version is gone or different in this snapshot."""
        self._closes.append((self.snapshot, parent, version.name, version.since))
        self._count()

    def reopen(self, parent: int, version: Version) -> None:
        """The version is as it was after all: an earlier, broken attempt at this snapshot had closed it."""
        self._closes.append((None, parent, version.name, version.since))
        self._count()

    def drop(self, parent: int, version: Version) -> None:
        """Take back a pending version."""
        self._drops.append((parent, version.name, version.since))
        self._count()

    def refresh(self, parent: int, version: Version) -> None:
        """Record new hints of a version whose state did not change."""
        self._refreshes.append((*version.hints, parent, version.name, version.since))
        self._count()

    def problem(self, path: bytes, reason: str) -> None:
        """Record what could not be archived."""
        self._problems.append((self.snapshot, path, reason))
        self._count()

    def keep_xattrs(self, data: bytes) -> bytes:
        """Record a set of extended attributes; returns its key."""
        key = content_digest(data)[:XATTRS_KEY]
        self._sets[key] = data
        return key

    def keep_holes(self, digest: bytes, data: bytes) -> None:
        """Record the holes of a content that is in the catalogue or in this batch."""
        self._holes.append((digest, data))

    def _count(self) -> None:
        self._waiting += 1
        if self._waiting >= self._batch:
            self.flush()

    def flush(self) -> None:
        """Make everything recorded so far durable, in one transaction."""
        if not self._waiting:
            return
        with self._catalogue.write() as connection:
            contents, size = self._write(driver(connection))
        self.new_contents += contents
        self.new_bytes += size
        self._waiting = 0
        for waiting in (self._contents, self._puts, self._closes, self._drops, self._refreshes, self._problems):
            waiting.clear()
        for more in (self._plain, self._new, self._words, self._aliases, self._sets, self._holes):
            more.clear()

    def break_off(self) -> None:
        """Keep what was read and say that it does not count.

        Done as far as possible: if it fails too (disk full), the next scan finds a running snapshot and goes on in it
        all the same.
        """
        with suppress(OdarchiveError, SQLAlchemyError, sqlite3.Error):
            self.flush()
            with self._catalogue.write() as connection:
                driver(connection).execute("UPDATE snapshot SET state = 'aborted' WHERE id = ?", (self.snapshot,))

    def _write(self, raw: sqlite3.Connection) -> tuple[int, int]:
        raw.executemany(_DROP, self._drops)
        known = self._known.filter(raw, self._waiting)
        self._plain.sort(key=_PLACE)
        usual_contents, usual_bytes = usual.record(raw, self.snapshot, self._plain, known)
        numbers, other_contents, other_bytes = contents.record(raw, self._contents, known)
        new_contents, new_bytes = usual_contents + other_contents, usual_bytes + other_bytes
        self._known.recorded(new_contents)
        raw.execute("UPDATE snapshot SET new_bytes = new_bytes + ? WHERE id = ?", (new_bytes, self.snapshot))
        self._write_puts(raw, numbers)
        raw.executemany(_CLOSE, self._closes)
        raw.executemany(_REFRESH, self._refreshes)
        raw.executemany("INSERT INTO problem (snapshot, path, reason) VALUES (?, ?, ?)", self._problems)
        raw.executemany("INSERT OR IGNORE INTO xattrs VALUES (?, ?)", self._sets.items())
        raw.executemany(f"INSERT OR IGNORE INTO holes SELECT id, ?2 FROM content WHERE {HAS_DIGEST}", self._holes)
        search.add(raw, self._words, self._aliases)
        return new_contents, new_bytes

    def _write_puts(self, raw: sqlite3.Connection, numbers: dict[bytes, int]) -> None:
        """``numbers``: of the contents whose digests are in the rows."""
        found = list(runs.among(raw, self._new))
        within = {ino for (first, *_), count in found for ino in range(first, first + count)}
        raw.executemany(runs.PUT, (run for run, _ in found))
        self._puts.sort(key=_PLACE)
        contents = (row[5] or (row[6] and numbers[row[6]]) for row in self._puts)
        rows = zip(self._puts, contents, strict=True)
        raw.executemany(_PUT, [(*row[:5], content, *row[7:], row[3] not in within) for row, content in rows])
