"""The extended attributes ``user.odarchive.*``: what a person or a script may want to know before reading a file.

``state``   cached (at hand), loaded (its disc is in a drive), robot (in a slot), shelf (a person must put the disc
            in), lost (no disc is known to give it)
``disc``    labels of the discs that carry it, in order of its pieces, separated by commas
``slot``    the robot's slots of these discs, ``-`` for one that is not in the robot
``copies``  discs that can give all of it
``digest``  ``blake3:`` and its hexadecimal digits
``wait``    estimated seconds until its bytes could be here: 0 if cached, ``person`` if somebody must bring the disc

Regular files with bytes have them, nothing else does; asking moves nothing. They are answered and not listed
(``getfattr -n user.odarchive.state FILE``): what is listed, ``rsync -X`` and ``cp -a`` would write into every copy,
where it is no longer true. Listed are the attributes that the file itself had when it was archived, ACLs included.
"""

from collections.abc import Callable, Mapping, Sequence

from odarchive.catalogue.standing import Standing, Standings
from odfs.ports import Inode

PREFIX = b"user.odarchive."

_VALUES: Mapping[bytes, Callable[[Standing], str]] = {
    b"copies": lambda standing: str(standing.copies),
    b"digest": lambda standing: f"blake3:{standing.digest.hex()}",
    b"disc": lambda standing: ",".join(disc.label for disc in standing.carriers),
    b"slot": lambda standing: ",".join("-" if disc.slot is None else str(disc.slot) for disc in standing.carriers),
    b"state": lambda standing: standing.state,
    b"wait": lambda standing: "person" if standing.state in ("shelf", "lost") else "0",
}
NAMES = tuple(PREFIX + name for name in _VALUES)
"""All of them."""


class Marks:
    """``odfs.ports.Annotations`` from catalogue and cache."""

    def __init__(self, standings: Standings, cached: Callable[[bytes], bool]) -> None:
        """``cached``: whether the content of a digest is in the cache."""
        self._standings = standings
        self._cached = cached
        self._occurring: frozenset[bytes] = frozenset()

    def told_names(self, names: frozenset[bytes]) -> None:
        """Which attributes outside ``user.`` occur in the archive (``ChangeWatch.attribute_names``)."""
        self._occurring = names

    def occurs(self, name: bytes) -> bool:
        """See the port."""
        return name in self._occurring

    def names(self, ino: Inode) -> Sequence[bytes]:
        """See the port: those that were archived, see above."""
        return list(self._standings.archived(ino))

    def value(self, ino: Inode, name: bytes) -> bytes | None:
        """See the port."""
        if not name.startswith(PREFIX):
            if not name.startswith(b"user.") and name not in self._occurring and not name.startswith(b"trusted."):
                return None  # asked for every file by ``ls -l``
            return self._standings.archived(ino).get(name)
        make = _VALUES.get(name.removeprefix(PREFIX))
        standing = None if make is None else self._standings.of(ino)
        if make is None or standing is None:
            return None
        here = self._cached(standing.digest)
        if name == PREFIX + b"state" and here:
            return b"cached"
        if name == PREFIX + b"wait":
            seconds = 0.0 if here else self._standings.wait(standing)
            return b"person" if seconds is None else b"%d" % round(seconds)
        return make(standing).encode("utf-8", "surrogateescape")
