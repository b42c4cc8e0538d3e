"""The extended attributes ``user.odarchive.*``: what a person or a script may want to know before reading a file.

``state``   cached (at hand), partial (some of it is), else of the disc: loaded (in a drive), robot (in a slot), shelf
            (a person must put it in), lost (no disc is known to give it)
``cached``  bytes of it that are at hand (of a file in part, in whole MiB)
``disc``    labels of the discs that carry it, in order of its pieces, separated by commas
``slot``    the robot's slots of these discs, ``-`` for one that is not in the robot
``copies``  discs that can give all of it
``digest``  ``blake3:`` and its hexadecimal digits
``wait``    estimated seconds until all of it could be here: 0 if cached, ``person`` if somebody must bring the disc

Regular files with bytes have them, nothing else does; asking moves nothing. They are answered and not listed
(``getfattr -n user.odarchive.state FILE``): what is listed, ``rsync -X`` and ``cp -a`` would write into every copy,
where it is no longer true. Listed are the attributes that the file itself had when it was archived, ACLs included.
"""

from collections.abc import Callable, Mapping, Sequence

from odarchive.catalogue.standing import Standing, Standings
from odarchive.catalogue.views import Views
from odarchive.mount.views import BASE, place_of
from odfs.ports import Inode

PREFIX = b"user.odarchive."

_VALUES: Mapping[bytes, Callable[[Standing], str]] = {
    b"copies": lambda standing: str(standing.copies),
    b"digest": lambda standing: f"blake3:{standing.digest.hex()}",
    b"disc": lambda standing: ",".join(disc.label for disc in standing.carriers),
    b"slot": lambda standing: ",".join("-" if disc.slot is None else str(disc.slot) for disc in standing.carriers),
}
NAMES = tuple(PREFIX + name for name in (*_VALUES, b"cached", b"state", b"wait"))
"""All of them."""


class Marks:
    """``odfs.ports.Annotations`` from catalogue and cache, in the present tree and in the views alike."""

    def __init__(self, standings: Standings, views: Views, held: Callable[[bytes, int], int]) -> None:
        """``held``: bytes of a content, by digest and size, that are in the cache."""
        self._standings = standings
        self._views = views
        self._held = held
        self._occurring: frozenset[bytes] = frozenset()

    def told_names(self, names: frozenset[bytes]) -> None:
        """Which attributes outside ``user.`` occur in the archive (``ChangeWatch.attribute_names``)."""
        self._occurring = names

    def occurs(self, name: bytes) -> bool:
        """See the port."""
        return name in self._occurring

    def names(self, ino: Inode) -> Sequence[bytes]:
        """See the port: those that were archived, see above."""
        return list(self._archived(ino))

    def value(self, ino: Inode, name: bytes) -> bytes | None:
        """See the port."""
        if not name.startswith(PREFIX):
            if not name.startswith(b"user.") and name not in self._occurring and not name.startswith(b"trusted."):
                return None  # asked for every file by ``ls -l``
            return self._archived(ino).get(name)
        standing = self._standing(ino) if name in NAMES else None
        if standing is None:
            return None
        return self._said(standing, name.removeprefix(PREFIX)).encode("utf-8", "surrogateescape")

    def _said(self, standing: Standing, name: bytes) -> str:
        if name in _VALUES:
            return _VALUES[name](standing)
        held = self._held(standing.digest, standing.size)
        if name == b"cached":
            return str(held)
        if name == b"state":
            return standing.state_with(held)
        seconds = 0.0 if held == standing.size else self._standings.wait(standing, held)
        return "person" if seconds is None else str(round(seconds))

    def _archived(self, ino: Inode) -> Mapping[bytes, bytes]:
        if ino < BASE:
            return self._standings.archived(ino)
        place = place_of(ino)
        return {} if place is None else self._views.archived(place.view, place.ino)

    def _standing(self, ino: Inode) -> Standing | None:
        if ino < BASE:
            return self._standings.of(ino)
        place = place_of(ino)
        row = None if place is None else self._views.attributes(place.view, place.ino)
        return None if row is None or row[-1] is None else self._standings.of_content(row[-1])
