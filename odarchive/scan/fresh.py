"""Directories that are new to the catalogue, read by other processes: what their answers become.

Nothing is recorded of anything in them yet, so there is nothing to compare with: every name is put as it is. Names of
inodes with several names go the long way (``leaves``), since one of them speaks for all.
"""

from collections.abc import Callable
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import Protocol

from odarchive.catalogue.entries import Recorder, Version
from odarchive.reading.folder import Reading
from odarchive.reading.plain import too_fresh
from odarchive.reading.pool import Pool
from odarchive.reading.sheet import Sheet
from odarchive.scan.compare import told

NOTHING = (None, None)


def _by_kind(reading: Reading) -> tuple[bool, bytes]:
    """Directories last, so that the numbers of the others follow one another by name (``runs``)."""
    return reading.stat is not None and S_ISDIR(reading.stat[0]), reading.name


class Place(Protocol):
    """A directory of the walk."""

    @property
    def path(self) -> bytes:
        """Relative to the source."""

    @property
    def ino(self) -> int:
        """In the catalogue."""


class Receiver(Protocol):
    """The walk, as far as answers need it."""

    def directory(self, place: Place, name: bytes, now: Version) -> None:
        """A directory was found in a directory."""

    def linked(self, place: Place, name: bytes) -> None:
        """A name of an inode with several, or one whose fate is not decided here."""

    def added(self, sheet: Sheet) -> None:
        """Usual files were recorded."""

    def recorded(self, version: Version, *, read: bool) -> None:
        """A file or symlink was recorded; ``read``: its bytes were."""

    def failed(self, place: Place, name: bytes, reason: str) -> None:
        """A name cannot be archived."""

    def unreadable(self, place: Place, error: OSError) -> None:
        """The directory itself cannot be read."""


class Fresh:
    """Of one scan: asks the pool, records what comes back."""

    def __init__(self, pool: Pool, recorder: Recorder, receiver: Receiver, clock: Callable[[], int]) -> None:
        self._pool, self._recorder, self._receiver, self._clock = pool, recorder, receiver, clock
        self._asked: dict[int, tuple[Place, int]] = {}

    @property
    def busy(self) -> bool:
        """Whether answers are still to come."""
        return self._pool.busy

    @property
    def room(self) -> bool:
        """Whether a directory may be asked for."""
        return self._pool.room

    def ask(self, place: Place) -> None:
        """Have a directory read."""
        # The time of asking is earlier than that of reading, so a file is rather read again than believed too early.
        now = self._clock()
        self._asked[place.ino] = (place, now)
        self._pool.submit(place.ino, place.path, now)

    def take(self) -> None:
        """Record the next part of any directory."""
        answer = self._pool.take()
        place, asked_ns = self._asked[answer.tag]
        if answer.plain:
            self._recorder.add(place.ino, answer.plain)
            self._receiver.added(answer.plain)
        for reading in sorted(answer.readings, key=_by_kind):
            self._record(place, reading, asked_ns)
        if answer.error is not None:
            self._receiver.unreadable(place, answer.error)
        if answer.done:
            del self._asked[answer.tag]

    def _record(self, place: Place, reading: Reading, asked_ns: int) -> None:
        stat = reading.stat
        if reading.problem is not None or stat is None:
            self._receiver.failed(place, reading.name, reading.problem or "cannot be looked at")
            return
        mode, links = stat[0], stat[8]
        if S_ISDIR(mode):
            now = Version._make((*self._head(reading, 0, 2), *told(stat, 0)))
            self._receiver.directory(place, reading.name, now)
            return
        if links > 1 or not (S_ISREG(mode) or S_ISLNK(mode)):
            self._receiver.linked(place, reading.name)
            return
        target = reading.target
        said = told(stat, stat[3] if target is None else len(target))
        if reading.digest is not None and too_fresh(said[4], said[5], asked_ns):
            said = (*said[:7], 0)
        version = Version._make((*self._head(reading, self._recorder.new_ino(), 1), *said))
        self._recorder.put(place.ino, version, reading.digest, new=True)
        if reading.holes is not None and reading.digest is not None:
            self._recorder.keep_holes(reading.digest, reading.holes)
        self._receiver.recorded(version, read=reading.digest is not None)

    def _head(self, reading: Reading, ino: int, nlink: int) -> tuple[object, ...]:
        """``Version`` up to ``xattrs``."""
        key = None if reading.xattrs is None else self._recorder.keep_xattrs(reading.xattrs)
        return reading.name, self._recorder.snapshot, None, ino, nlink, None, reading.target, key
