"""From inode numbers back to paths. A directory has one place for ever (rule ``ino``), so what is found can be kept."""

from sqlalchemy import Connection

from odarchive.catalogue.database import driver
from odarchive.model import ROOT_INO


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
            row = self._raw.execute("SELECT parent, name FROM entry WHERE ino = ? LIMIT 1", (at,)).fetchone()
            if row is None:
                return b"?"
            chain.append((at, row[1]))
            at = row[0]
        for number, name in reversed(chain):
            self._known[number] = join(self._known[at], name)
            at = number
        return self._known[ino]


def join(folder: bytes, name: bytes) -> bytes:
    """A name in a directory, which may be the root."""
    return folder + b"/" + name if folder else name
