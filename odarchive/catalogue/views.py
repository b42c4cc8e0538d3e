"""Other ways to look at the archive than the present union: as a snapshot left it, and what one disc carries.

For the mount's folder of views, which names them; each answer is one statement. Concurrency: for one thread.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odarchive.catalogue.contents import named_by
from odarchive.catalogue.entries import COMPLETE, INCOMPLETE
from odarchive.catalogue.onlooker import look_into
from odarchive.catalogue.runs import DIRECTORY, by_number
from odarchive.catalogue.shown import PROVEN
from odarchive.catalogue.standing import unpacked

BUSY_SECONDS = 2.0

_COLUMNS = "ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, content"
_READABLE = f"(content IS NULL OR EXISTS (SELECT 1 FROM piece WHERE content = entry.content AND segment IN {PROVEN}))"
_THEN = f"{COMPLETE} AND since <= :view AND (until IS NULL OR until > :view OR until IN {INCOMPLETE}) AND {_READABLE}"
_HELD = "(SELECT DISTINCT content AS id FROM piece WHERE segment = :view)"
_ON_DISC = f"shown = 1 AND (content IN {_HELD} OR ino IN (SELECT ino FROM temp.above WHERE segment = :view))"
_ABOVE = (
    "WITH RECURSIVE up(ino) AS ("
    f" SELECT DISTINCT parent FROM ({named_by('parent', _HELD, 'shown = 1')})"
    " UNION SELECT entry.parent FROM up JOIN entry ON entry.ino = up.ino"
    f" WHERE {DIRECTORY} AND entry.shown = 1 AND entry.parent > 0"
    ") INSERT OR IGNORE INTO temp.above SELECT :view, ino FROM up"
)

Row = tuple[int, int, int, int, int, int, int, int, int | None]
"""ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, content."""


@dataclass(frozen=True, slots=True)
class View:
    """A tree: of a snapshot's number, or of a segment's if ``disc``."""

    number: int
    disc: bool

    @property
    def condition(self) -> str:
        """Which entries are in it."""
        return _ON_DISC if self.disc else _THEN


class Views:
    """Answers about views.

    Raises:
        NoArchive: there is no catalogue at the path.
    """

    def __init__(self, path: Path) -> None:
        self._db = look_into(path, busy=BUSY_SECONDS)
        self._db.execute("CREATE TEMP TABLE above (segment INTEGER, ino INTEGER, PRIMARY KEY (segment, ino))")
        self._known: dict[int, int] = {}
        """Segments whose folders have been found, and the version of the catalogue then."""

    def snapshots(self) -> Mapping[int, int]:
        """Complete snapshots that nobody has forgotten, with the nanosecond they were finished."""
        statement = (
            "SELECT id, coalesce(finished_ns, started_ns) FROM snapshot"
            " WHERE state = 'complete' AND forgotten_ns IS NULL ORDER BY id"
        )
        return dict(self._db.execute(statement).fetchall())

    def discs(self) -> Mapping[bytes, int]:
        """Labels of the discs that have been proven, with their segments."""
        statement = (
            "SELECT label, segment FROM disc WHERE segment IS NOT NULL AND state IN ('verified', 'suspect', 'missing')"
        )
        found = self._db.execute(f"{statement} ORDER BY label").fetchall()
        return {label.encode(): segment for label, segment in found if "/" not in label}

    def lookup(self, view: View, parent: int, name: bytes) -> Row | None:
        """A name in a folder."""
        values = {"view": view.number, "parent": parent, "name": name}
        where = f"parent = :parent AND name = :name AND {view.condition} ORDER BY since DESC LIMIT 1"
        found: Row | None = self._one(f"SELECT {_COLUMNS} FROM entry WHERE {where}", self._ready(view, values))
        return found

    def attributes(self, view: View, ino: int) -> Row | None:
        """By number."""
        values = {"view": view.number, "ino": ino}
        rows = by_number(f"{_COLUMNS}, since", ":ino", view.condition)
        found: Row | None = self._one(
            f"SELECT {_COLUMNS} FROM ({rows}) ORDER BY since DESC LIMIT 1", self._ready(view, values)
        )
        return found

    def children(self, view: View, parent: int, after: bytes, limit: int) -> Sequence[tuple[bytes, Row]]:
        """What is in a folder, in byte order."""
        values = {"view": view.number, "parent": parent, "after": after, "limit": limit}
        where = f"parent = :parent AND name > :after AND {view.condition} ORDER BY name LIMIT :limit"
        rows = self._db.execute(f"SELECT name, {_COLUMNS} FROM entry WHERE {where}", self._ready(view, values))
        return [(row[0], row[1:]) for row in rows]

    def archived(self, view: View, ino: int) -> Mapping[bytes, bytes]:
        """The extended attributes that a file had as the view has it, ACLs included."""
        rows = by_number("xattrs, since", ":ino", view.condition)
        values = self._ready(view, {"view": view.number, "ino": ino})
        key = f"(SELECT xattrs FROM ({rows}) ORDER BY since DESC LIMIT 1)"
        row = self._one(f"SELECT data FROM xattrs WHERE key = {key}", values)
        return {} if row is None else dict(unpacked(row[0]))

    def place(self, ino: int) -> tuple[int, bytes] | None:
        """Folder and name of any version."""
        found: tuple[int, bytes] | None = self._one(f"{by_number('parent, name', ':ino')} LIMIT 1", {"ino": ino})
        return found

    def target(self, ino: int) -> bytes | None:
        """Of a symlink."""
        found = self._one(f"{by_number('target', ':ino')} LIMIT 1", {"ino": ino})
        return None if found is None or found[0] is None else bytes(found[0])

    def _ready(self, view: View, values: Mapping[str, object]) -> Mapping[str, object]:
        """Find the folders of a disc, once for each state of the catalogue: a second for 300,000 files."""
        if view.disc:
            version = int(self._db.execute("PRAGMA data_version").fetchone()[0])
            if self._known.get(view.number) != version:
                self._db.execute("DELETE FROM temp.above WHERE segment = :view", {"view": view.number})
                self._db.execute(_ABOVE, {"view": view.number})
                self._known[view.number] = version
        return values

    def _one(self, statement: str, values: Mapping[str, object]) -> Any:  # noqa: ANN401  a row of whatever was asked
        return self._db.execute(statement, values).fetchone()

    def close(self) -> None:
        """Let go of the catalogue."""
        self._db.close()
