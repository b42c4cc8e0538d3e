"""From inode numbers back to paths. A directory has one place for ever (rule ``ino``), so what is found can be kept."""

# ruff: noqa: S608 - the statement is put together from constants of this package; values are always bound

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from odarchive.catalogue.contents import named_by, number_of
from odarchive.catalogue.database import driver
from odarchive.catalogue.runs import DIRECTORY
from odarchive.model import ROOT_INO

_SHOWN = f"{named_by('parent, name, entry.size', '(SELECT ?1 AS id)', 'shown = 1')} LIMIT 1"
_PLACE = f"SELECT parent, name FROM entry WHERE ino = ? AND {DIRECTORY} LIMIT 1"


class Paths:
    """Paths below the mount's root, of directories by inode number; for one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._raw = driver(connection)
        self._known: dict[int, bytes] = {ROOT_INO: b"", 0: b""}

    def of(self, ino: int) -> bytes:
        """The path of a directory, without a leading slash; of the root: empty."""
        chain: list[tuple[int, bytes]] = []
        at = ino
        while at not in self._known:
            row = self._raw.execute(_PLACE, (at,)).fetchone()
            if row is None:
                return b"?"
            chain.append((at, row[1]))
            at = row[0]
        for number, name in reversed(chain):
            self._known[number] = join(self._known[at], name)
            at = number
        return self._known[ino]


def shown_as(connection: Connection, digests: Iterable[bytes]) -> Mapping[bytes, tuple[bytes, int]]:
    """Of contents that the mount shows: the path (one of them) and the size, by digest."""
    paths, raw = Paths(connection), driver(connection)
    found = {}
    for digest in digests:
        number = number_of(raw, digest)
        row = None if number is None else raw.execute(_SHOWN, (number,)).fetchone()
        if row is not None:
            found[digest] = (join(paths.of(row[0]), row[1]), int(row[2]))
    return found


def join(folder: bytes, name: bytes) -> bytes:
    """A name in a directory, which may be the root."""
    return folder + b"/" + name if folder else name
