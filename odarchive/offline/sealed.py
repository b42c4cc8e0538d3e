"""A disc seen through its encryption: the same texts and contents whether it is encrypted or not.

`Plain` wraps a disc; what is not encrypted goes straight through. Without a key, an encrypted disc still says who it is
and can be checked against its own outer catalogue (`catalogue_of`, `prove`); its names and contents ask for the key.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from odarchive.errors import DamageFound, KeyNeeded
from odarchive.image import ondisc
from odarchive.image.identity import DiscIdentity
from odarchive.offline import texts
from odarchive.offline.disc import Disc, catalogue_of, open_disc
from odarchive.offline.errors import BadDisc
from odarchive.offline.texts import DiscCatalogue, OnDisc

if TYPE_CHECKING:
    from odarchive.seal.stream import Opener

_SEALED = frozenset(f"{ondisc.SET}/{name}" for name in (ondisc.ENTRIES, ondisc.SET_CATALOGUE, ondisc.CATALOGUE))


class Plain:
    """A disc and, if it is encrypted, what opens it."""

    def __init__(self, disc: Disc, keys: "Opener | None") -> None:
        self.disc = disc
        """As it stands."""
        self.where: str = disc.where
        self.identity: DiscIdentity = disc.identity
        self._keys = keys
        self._is_sealed: bool | None = None

    @property
    def sealed(self) -> bool:
        """Whether it is encrypted: two of its files say so, and one that can be read is enough."""
        if self._is_sealed is None:
            self._is_sealed = self._told_sealed()
        return self._is_sealed

    def _told_sealed(self) -> bool:
        with suppress(BadDisc):
            return texts.encrypted(b"".join(self.disc.text(ondisc.DISC_INFO)))
        with suppress(BadDisc):
            return catalogue_of(self.disc).encrypted
        return False

    def text(self, path: str) -> Iterator[bytes]:
        """See `Disc.text`.

        Raises:
            KeyNeeded: it is encrypted, and no key was given or the wrong one.
        """
        if path not in _SEALED or not self.sealed:
            return self.disc.text(path)
        return self._opened(self.disc.text(path + ondisc.SEALED_SUFFIX))

    def catalogue(self) -> DiscCatalogue:
        """The contents on the disc.

        Raises:
            BadDisc: its catalogue is damaged, or of another disc.
            KeyNeeded: as `text`.
        """
        outer = catalogue_of(self.disc)
        if not outer.encrypted:
            return outer
        inner = texts.catalogue(b"".join(self.text(f"{ondisc.SET}/{ondisc.CATALOGUE}")))
        stored = {piece.sector: piece for piece in outer.contents}
        if (inner.archive, inner.segment) != (outer.archive, outer.segment):
            raise BadDisc(f"{self.where}: its two catalogues are of different discs")
        return replace(inner, contents=tuple(self._both(piece, stored.get(piece.sector)) for piece in inner.contents))

    def content(self, piece: OnDisc) -> Iterator[bytes]:
        """See `Disc.content`."""
        if not piece.stored:
            return self.disc.content(piece)
        return self._opened(self.disc.content(replace(piece, length=piece.stored_size)))

    def close(self) -> None:
        """Let go of it."""
        self.disc.close()

    def _both(self, piece: OnDisc, outer: OnDisc | None) -> OnDisc:
        if outer is None:
            raise BadDisc(f"{self.where}: its two catalogues do not match")
        return replace(piece, stored=outer.digest, stored_size=outer.size)

    def _opened(self, sealed: Iterator[bytes]) -> Iterator[bytes]:
        label = self.identity.label
        if self._keys is None:
            raise KeyNeeded(f"disc {label} is encrypted; name the file with the key of its archive: --key FILE")
        try:
            yield from self._keys.opened(sealed)
        except KeyNeeded as error:
            raise KeyNeeded(f"disc {label}: {error}") from None
        except BadDisc:
            raise
        except DamageFound as error:
            raise BadDisc(f"{self.where}: {error}") from None


def open_plain(path: Path, keys: "Opener | None") -> Plain:
    """Open a disc; raises as `open_disc`."""
    return Plain(open_disc(path), keys)


def as_plain(disc: Disc) -> Plain:
    """A disc that may be encrypted, without a key, if nobody brought one."""
    return disc if isinstance(disc, Plain) else Plain(disc, None)
