"""The union of all archived discs as the mount asks for it: ``odfs.ports.Namespace`` over the catalogue.

Prepared statements on the driver's own connection (SQLAlchemy costs 3 to 15 times as much per lookup); every answer is
one probe of the clustered index ``(parent, name)`` or goes by the inode (``runs``). Not for history or commands:
``lookup``.

Concurrency: for one thread. Answers are never older than the last commit before the question, except between ``hold``
and ``let_go``.
"""
# ruff: noqa: S608 - statements are put together from constants of this module; values are always bound

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from odarchive.catalogue.onlooker import look_into
from odarchive.catalogue.runs import by_number
from odarchive.chunks import CHUNK, Grid, Part
from odarchive.model import Content, ContentId
from odfs.ports import ROOT, Attributes, Inode, Totals

BUSY_SECONDS = 30.0
TOTALS_SECONDS = 5.0
"""Totals are counted anew no more often than this,"""
TOTALS_SHARE = 50
"""nor more often than this many times the time that counting took: at most 2 % of the time goes there."""
CACHE_KIB = 64_000

_ATTRIBUTES = "ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, content"
_LOOKUP = f"SELECT {_ATTRIBUTES} FROM entry WHERE parent = ? AND name = ? AND shown = 1"
_BY_INO = f"{by_number(_ATTRIBUTES, '?1', 'shown = 1')} LIMIT 1"
_CHILDREN = f"SELECT name, {_ATTRIBUTES} FROM entry WHERE parent = ? AND name > ? AND shown = 1 ORDER BY name LIMIT ?"
_PLACE = f"{by_number('parent, name', '?1', 'shown = 1')} LIMIT 1"
_TARGET = f"{by_number('target', '?1', 'shown = 1')} LIMIT 1"
_CONTENT = f"SELECT id, digest, size FROM content WHERE id IN ({by_number('content', '?1', 'shown = 1')})"

TOTALS = "SELECT count(*), coalesce(sum(CASE WHEN content IS NULL THEN 0 ELSE size END), 0) FROM entry WHERE shown = 1"


class CatalogueNamespace:
    """Implements ``odfs.ports.Namespace``; a context manager.

    Raises:
        NoArchive: there is no catalogue at the path.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic, *, counts: bool = True) -> None:
        """``counts``: whether ``totals`` counts for itself; else it answers what ``told_totals`` said last."""
        self._db = look_into(path, busy=BUSY_SECONDS, any_thread=True)
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._clock = clock
        self._version = self._data_version()
        self._totals: Totals | None = None if counts else Totals(0, 0)
        self._counts = counts
        self._totals_version = self._version
        self._totals_until = 0.0

    def lookup(self, parent: Inode, name: bytes) -> Attributes | None:
        """The child ``name`` of a directory, or None."""
        row = self._db.execute(_LOOKUP, (parent, name)).fetchone()
        return None if row is None else Attributes._make(row)

    def attributes(self, ino: Inode) -> Attributes | None:
        """The attributes of an inode, or None if it is gone."""
        row = self._db.execute(_BY_INO, (ino,)).fetchone()
        return None if row is None else Attributes._make(row)

    def parent(self, ino: Inode) -> Inode | None:
        """The parent of a directory (the root is its own)."""
        if ino == ROOT:
            return ROOT
        row = self._db.execute(_PLACE, (ino,)).fetchone()
        return None if row is None else Inode(row[0])

    def children(self, parent: Inode, after: bytes, limit: int) -> Sequence[tuple[bytes, Attributes]]:
        """Up to ``limit`` children with names greater than ``after``, in byte order."""
        rows = self._db.execute(_CHILDREN, (parent, after, limit)).fetchall()
        return [(row[0], Attributes._make(row[1:])) for row in rows]

    def readlink(self, ino: Inode) -> bytes | None:
        """The target of a symlink, or None."""
        row = self._db.execute(_TARGET, (ino,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def path(self, ino: Inode) -> bytes:
        """A path below the mount's root (one of them, for hard links); what is known of it if the inode is gone."""
        parts: list[bytes] = []
        here: int = ino
        while here != ROOT:
            row = self._db.execute(_PLACE, (here,)).fetchone()
            if row is None:
                parts.append(b"?")
                break
            here = row[0]
            parts.append(row[1])
        return b"/".join(reversed(parts))

    def totals(self) -> Totals:
        """Files (of every type) and bytes shown; some seconds old, longer where counting is slow."""
        now = self._clock()
        if self._totals is None or (
            self._counts and now >= self._totals_until and self._totals_version != self._data_version()
        ):
            self._totals_version = self._data_version()
            self._totals = Totals(*self._db.execute(TOTALS).fetchone())
            self._totals_until = self._clock() + max(TOTALS_SECONDS, TOTALS_SHARE * (self._clock() - now))
        return self._totals

    def told_totals(self, totals: Totals) -> None:
        """Somebody else has counted, where it holds up nobody."""
        self._totals = totals

    def content(self, number: ContentId) -> Content | None:
        """The content of a number, as ``Attributes.content`` tells it."""
        row = self._db.execute("SELECT digest, size FROM content WHERE id = ?", (number,)).fetchone()
        return None if row is None else Content(number, row[0], row[1])

    def grid(self, content: Content) -> Grid | None:
        """The chunks of a content; None if it is believed as a whole only."""
        if content.size <= CHUNK:
            return None
        rows = self._db.execute("SELECT start, length, digests FROM chunks WHERE content = ?", (content.id,))
        return Grid.of(content.size, map(Part._make, rows.fetchall()))

    def content_of(self, ino: Inode) -> Content | None:
        """The content of a regular file; None for empty files, other types, and inodes that are not there."""
        row = self._db.execute(_CONTENT, (ino,)).fetchone()
        return None if row is None else Content(ContentId(row[0]), row[1], row[2])

    def changed(self) -> bool:
        """Whether anybody committed anything since the last question: time to drop kernel caches if names matter."""
        version = self._data_version()
        changed, self._version = version != self._version, version
        return changed

    def hold(self) -> None:
        """Answer as of now until ``let_go``: one read transaction, not one per question, takes a quarter off a lookup.

        Only while nobody writes: a held transaction keeps SQLite's write-ahead log from starting again.
        """
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
            self._data_version()

    def let_go(self) -> None:
        """End what ``hold`` began; harmless without."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def _data_version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the catalogue."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
