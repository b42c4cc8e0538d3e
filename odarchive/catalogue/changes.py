"""What a mount must tell the kernel after others changed the catalogue: names and inodes that mean something else now.

Names that are new need no word, they are looked up when asked for. What has to be told is every name whose shown
version was replaced or hidden: its file was deleted or changed in a new snapshot, or its newer version has just reached
a disc or a plan. The question is put per new snapshot, newly proven segment and new plan; nothing is kept per file.

Not for the mount's answers (``namespace``): this has a connection of its own, for a thread of its own.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from odarchive.catalogue.contents import named_by, number_of, on_segment
from odarchive.catalogue.namespace import TOTALS, TOTALS_SECONDS, TOTALS_SHARE
from odarchive.catalogue.onlooker import look_into
from odarchive.catalogue.runs import DIRECTORY
from odarchive.catalogue.shown import PROVEN
from odarchive.errors import DamageFound
from odfs.ports import Totals

BUSY_SECONDS = 30.0
KNOWN = (b"security.selinux", b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default")
"""Extended attributes that programs ask every file for."""
ACLS = frozenset(KNOWN[2:])

_REPLACED = (
    "EXISTS (SELECT 1 FROM entry AS other"
    " WHERE other.parent = entry.parent AND other.name = entry.name AND other.since <> entry.since)"
)
_BY_SNAPSHOT = "SELECT parent, name FROM entry WHERE until = ?"
_NAMES = on_segment("parent, name", _REPLACED)
_FOLDERS = f"SELECT DISTINCT parent FROM ({on_segment('parent')})"
_PLACES = f"SELECT parent, name, {_REPLACED} FROM entry WHERE ino = ? AND {DIRECTORY}"
_ABOVE = f"SELECT DISTINCT parent, name FROM entry WHERE ino = ? AND {DIRECTORY}"
_NEXT_CATALOGUE = 0
"""Carrier of entries that no disc of their own needs (``publish``); a plan gives it."""

_TALLIES = (
    ("discs", "state", "disc"),
    ("slots", "state", "slot"),
    ("open_jobs", "kind", "job WHERE state IN ('queued', 'running', 'waiting')"),
)

Name = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Changes:
    """Names that the kernel must look up anew, and inodes whose attributes it must ask for anew."""

    entries: set[Name] = field(default_factory=set)
    inodes: set[int] = field(default_factory=set)


class ChangeWatch:
    """Remembers what it saw last; a context manager.

    Raises:
        NoArchive: there is no catalogue at the path.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = look_into(path, busy=BUSY_SECONDS, any_thread=True)
        self._clock = clock
        self._counted: int | None = None
        self._count_again = 0.0
        self._version = self._data_version()
        self._snapshots, self._proven, self._planned = self._state()

    def look(self) -> Changes | None:
        """What has to be told since the last question; None if nobody committed anything, which costs microseconds.

        A scan that ended costs a second per some million entries.

        Raises:
            DamageFound: the catalogue cannot be read now.
        """
        try:
            version = self._data_version()
            if version == self._version:
                return None
            changes = self._changes()
        except sqlite3.Error as error:
            raise DamageFound(f"the catalogue cannot be read: {error}") from error
        self._version = version
        return changes

    def _changes(self) -> Changes:
        snapshots, proven, planned = self._state()
        touched: set[Name] = set()
        for snapshot in snapshots - self._snapshots:
            touched.update(self._db.execute(_BY_SNAPSHOT, (snapshot,)))
        segments = proven - self._proven
        if planned != self._planned:
            segments.add(_NEXT_CATALOGUE)
        for segment in segments:
            touched.update(self._db.execute(_NAMES, {"segment": segment}))
            touched |= self._above(row[0] for row in self._db.execute(_FOLDERS, {"segment": segment}))
        self._snapshots, self._proven, self._planned = snapshots, proven, planned
        return self._consequences(touched)

    def totals(self) -> Totals | None:
        """Entries and bytes shown, counted anew if something was committed and counting is not too much of the time.

        Takes a second per some million entries.

        Raises:
            DamageFound: the catalogue cannot be read now.
        """
        began = self._clock()
        if self._counted == self._version or began < self._count_again:
            return None
        try:
            files, size = self._db.execute(TOTALS).fetchone()
        except sqlite3.Error as error:
            raise DamageFound(f"the catalogue cannot be read: {error}") from error
        self._counted = self._version
        self._count_again = self._clock() + max(TOTALS_SECONDS, TOTALS_SHARE * (self._clock() - began))
        return Totals(files, size)

    # For who looks at the cache in the same thread.

    def numbers(self, digests: Iterable[bytes]) -> Mapping[bytes, int]:
        """The contents with these digests, as far as the catalogue knows them."""
        found = {}
        for digest in digests:
            number = number_of(self._db, digest)
            if number is not None:
                found[digest] = number
        return found

    def tally(self) -> Mapping[str, Any]:
        """Numbers for a person: complete snapshots, discs by state, open jobs by kind, slots by state.

        Raises:
            DamageFound: the catalogue cannot be read now.
        """
        found: dict[str, Any] = {}
        try:
            for name, what, where in _TALLIES:
                rows = self._db.execute(f"SELECT {what}, count(*) FROM {where} GROUP BY 1")
                found[name] = {word: number for word, number in rows if word}
            (found["snapshots"],) = self._db.execute(
                "SELECT count(*) FROM snapshot WHERE state = 'complete'"
            ).fetchone()
        except sqlite3.Error as error:
            raise DamageFound(f"the catalogue cannot be read: {error}") from error
        return found

    def attribute_names(self) -> frozenset[bytes]:
        """Which of the ``KNOWN`` extended attributes any file of the archive has; of the two ACLs, both or none.

        cp(1) takes a file system with one of them for broken.

        Raises:
            DamageFound: the catalogue cannot be read now.
        """
        statement = "SELECT EXISTS (SELECT 1 FROM xattrs WHERE instr(data, ?) > 0)"
        try:
            found = frozenset(name for name in KNOWN if self._db.execute(statement, (name,)).fetchone()[0])
            return found | ACLS if found & ACLS else found
        except sqlite3.Error as error:
            raise DamageFound(f"the catalogue cannot be read: {error}") from error

    def shown_inodes(self, contents: Iterable[int]) -> set[int]:
        """The inodes that the mount shows with these contents."""
        statement = named_by("ino", "(SELECT ?1 AS id)", "shown = 1")
        return {row[0] for content in contents for row in self._db.execute(statement, (content,))}

    def _above(self, folders: Iterable[int]) -> set[Name]:
        """The names, up to the root, of folders with several versions: which is shown depends on what is in them."""
        found: set[Name] = set()
        waiting, known = list(folders), set[int]()
        while waiting:
            ino = waiting.pop()
            if ino in known:
                continue
            known.add(ino)
            for parent, name, replaced in self._db.execute(_PLACES, (ino,)).fetchall():
                waiting.append(parent)
                if replaced:
                    found.add((parent, name))
        return found

    def _consequences(self, touched: set[Name]) -> Changes:
        """The kernel may hold any version of a touched name, and folders above that are not shown any more."""
        changes = Changes()
        waiting = list(touched)
        while waiting:
            parent, name = waiting.pop()
            rows = self._db.execute("SELECT ino, shown FROM entry WHERE parent = ? AND name = ?", (parent, name))
            versions = rows.fetchall()
            changes.inodes.update(ino for ino, _ in versions)
            if any(shown for _, shown in versions) and len({ino for ino, _ in versions}) == 1:
                continue  # the same inode with other attributes
            changes.entries.add((parent, name))
            if not any(shown for _, shown in versions):
                above = self._db.execute(_ABOVE, (parent,)).fetchall()
                waiting.extend(place for place in above if place not in changes.entries and place not in touched)
                touched.update(above)
        return changes

    def _state(self) -> tuple[set[int], set[int], int]:
        snapshots = {row[0] for row in self._db.execute("SELECT id FROM snapshot WHERE state = 'complete'")}
        proven = {row[0] for row in self._db.execute(f"SELECT DISTINCT segment FROM ({PROVEN[1:-1]})")}
        (planned,) = self._db.execute("SELECT coalesce(max(id), 0) FROM segment").fetchone()
        return snapshots, proven, planned

    def _data_version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the catalogue."""
        self._db.close()
