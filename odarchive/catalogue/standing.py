"""Where the bytes behind an inode stand right now: digest, discs, slots; for what the mount shows as attributes.

Not for commands, which ask by path and want history (``lookup``).

Concurrency: for one thread, with a reading connection of its own.
"""

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from odarchive.catalogue.onlooker import look_into
from odarchive.catalogue.runs import by_number

BUSY_SECONDS = 2.0
"""The mount's only thread asks: rather no answer than a long one."""

_CONTENT = f"SELECT id, digest, size FROM content WHERE id IN ({by_number('content', '?1', 'shown = 1')})"
_BY_NUMBER = "SELECT id, digest, size FROM content WHERE id = ?"
_DISCS = (
    "SELECT piece.start, disc.label, disc.state, slot.number,"
    " EXISTS (SELECT 1 FROM station WHERE station.home = slot.number AND station.state = 'full'"
    " AND station.element LIKE 'drive %')"
    " FROM piece JOIN disc ON disc.segment = piece.segment AND disc.state IN ('verified', 'suspect', 'missing')"
    " LEFT JOIN slot ON slot.disc = disc.id AND slot.state IN ('disc', 'stale')"
    " WHERE piece.content = ? ORDER BY piece.start, disc.id"
)


_ATTRIBUTES = (
    f"SELECT data FROM xattrs JOIN ({by_number('since, xattrs', '?1', 'shown = 1')}) AS shown ON key = shown.xattrs"
    " ORDER BY since LIMIT 1"
)
_QUEUE = (
    "SELECT count(DISTINCT piece.segment) FROM job JOIN piece ON piece.content = job.content"
    " WHERE job.kind = 'recall' AND job.state IN ('queued', 'running')"
)
_HEAD = struct.Struct(">HI")
EXCHANGE, SPEED = 75.0, 18e6
"""Seconds to change a disc and bytes a second of a desktop robot and BD-R, for estimates (as the librarian's)."""
MOST_TOLD = 3
"""Pieces of a content that are told by their discs."""
_HANDY = ("loaded", "robot", "shelf", "lost")


@dataclass(frozen=True, slots=True)
class Carrier:
    """A disc that has a piece. ``slot``: of the robot, None if it is elsewhere; ``loaded``: it is in a drive."""

    start: int
    label: str
    readable: bool
    """It is a copy: verified, and nothing bad is known of it since."""
    slot: int | None
    loaded: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A content and the discs that carry its pieces, by offset."""

    content: int
    digest: bytes
    size: int
    carriers: tuple[Carrier, ...]

    @property
    def copies(self) -> int:
        """Discs that can give every piece at least."""
        return min((sum(disc.readable for disc in discs) for discs in self.pieces()), default=0)

    @property
    def state(self) -> str:
        """``loaded``, ``robot``, ``shelf`` or ``lost``: the least handy of its pieces, each by its handiest disc."""
        order = ("loaded", "robot", "shelf", "lost")
        return max(
            (min(map(_state, discs), key=order.index) for discs in self.pieces()), key=order.index, default="lost"
        )

    def state_with(self, held: int) -> str:
        """The state, where so many bytes of it are in the cache: ``cached``, ``partial``, or that of its discs."""
        return "cached" if held == self.size else "partial" if held else self.state

    @property
    def words(self) -> str:
        """Its discs and their places, for a log line; ``odarchive whereis`` tells more."""
        pieces = [" or ".join(map(_words, discs)) for discs in self.pieces()]
        more = f" and {len(pieces) - MOST_TOLD} more" if len(pieces) > MOST_TOLD else ""
        return f"on {', '.join(pieces[:MOST_TOLD])}{more}" if pieces else "on no disc that is known"

    def pieces(self) -> list[list[Carrier]]:
        """The discs of each piece."""
        found: dict[int, list[Carrier]] = {}
        for carrier in self.carriers:
            found.setdefault(carrier.start, []).append(carrier)
        return list(found.values())


def unpacked(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, value) of a set of extended attributes, as table ``xattrs`` has it."""
    at = 0
    while at + _HEAD.size <= len(data):
        name, value = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield data[at : at + name], data[at + name : at + name + value]
        at += name + value


def _words(disc: Carrier) -> str:
    doubt = "" if disc.readable else ", which is in doubt"
    if disc.loaded or disc.slot is not None:
        return f"disc {disc.label} {'in a drive' if disc.loaded else f'in slot {disc.slot}'}{doubt}"
    return f"disc {disc.label}, not in the robot{doubt} (odarchive whereis)"


def _state(disc: Carrier) -> str:
    if disc.loaded:
        return "loaded"
    if disc.slot is not None:
        return "robot"
    return "shelf" if disc.readable else "lost"


class Standings:
    """Answers by inode.

    Raises:
        NoArchive: there is no catalogue at the path.
    """

    def __init__(self, path: Path) -> None:
        self._db = look_into(path, busy=BUSY_SECONDS)

    def of(self, ino: int) -> Standing | None:
        """The standing of a regular file with bytes; None for all else."""
        return self._standing(self._db.execute(_CONTENT, (ino,)).fetchone())

    def of_content(self, content: int) -> Standing | None:
        """The standing of a content, whoever has it; None if there is no such."""
        return self._standing(self._db.execute(_BY_NUMBER, (content,)).fetchone())

    def _standing(self, row: tuple[int, bytes, int] | None) -> Standing | None:
        if row is None:
            return None
        rows = self._db.execute(_DISCS, (row[0],))
        carriers = (Carrier(r[0], r[1], r[2] == "verified", r[3], bool(r[4])) for r in rows)
        return Standing(row[0], row[1], row[2], tuple(carriers))

    def words(self, content: int) -> str:
        """The discs of a content, for a message; empty if the catalogue cannot tell now: that is another trouble."""
        try:
            standing = self.of_content(content)
        except sqlite3.Error:
            return ""
        return "" if standing is None else standing.words

    def archived(self, ino: int) -> Mapping[bytes, bytes]:
        """The extended attributes that the file had when it was archived, ACLs included."""
        row = self._db.execute(_ATTRIBUTES, (ino,)).fetchone()
        return {} if row is None else dict(unpacked(row[0]))

    def wait(self, standing: Standing, held: int = 0) -> float | None:
        """Seconds until its bytes could be here if it were asked for now; None: only a person can bring its disc.

        What is open in the catalogue is waited for first, disc by disc. ``held``: bytes of it that are here already.
        """
        if standing.state not in ("loaded", "robot"):
            return None
        (queue,) = self._db.execute(_QUEUE).fetchone()
        own = sum(not any(disc.loaded for disc in discs) for discs in standing.pieces())
        return float((queue + own) * EXCHANGE + max(0, standing.size - held) / SPEED)

    def close(self) -> None:
        """Let go of the catalogue."""
        self._db.close()
