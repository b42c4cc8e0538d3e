"""What an encrypted disc has in the place of bytes: their age files, with the digests of what was encrypted.

The context of every file names its bytes (the digest of the content, or of the text), so that an image built again with
another catalogue of the set draws other keys for that. Without recipients nothing of this is used.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from blake3 import blake3

from odarchive.catalogue.plans import Piece
from odarchive.catalogue.seals import RECIPIENTS
from odarchive.chunks import ChunkedBlake3
from odarchive.image.spec import Digests
from odarchive.imaging.selection import Selection
from odarchive.seal.keys import recipients
from odarchive.seal.sizes import sealed_size

PLANNED_SEED = bytes(32)
"""For the size of an image that has no secret yet: sizes do not depend on it. Nothing is written with it."""


class Sealing:
    """Encrypts the files of one image; ``plain`` has the digests of the contents by their number."""

    def __init__(self, seed: bytes, keys: tuple[bytes, ...]) -> None:
        self._seed, self._keys = seed, keys
        self.plain: dict[int, Digests] = {}

    def size(self, length: int) -> int:
        """Bytes of the age file of ``length`` bytes."""
        return sealed_size(length, len(self._keys))

    def content(self, number: int, piece: Piece, source: Iterable[bytes]) -> Iterator[bytes]:
        """The age file of a piece."""
        context = b"content\0%b%d %d" % (piece.digest, piece.start, piece.length)
        yield from self._pieces(context, self._hashed(number, source), piece.length)

    def text(self, name: str, render: Callable[[], Iterable[bytes]], length: int) -> Iterator[bytes]:
        """The age file of one of the disc's own texts, which is rendered twice."""
        hasher = blake3()
        for part in render():
            hasher.update(part)
        yield from self._pieces(b"text\0%b\0%b" % (name.encode(), hasher.digest()), render(), length)

    def _hashed(self, number: int, source: Iterable[bytes]) -> Iterator[bytes]:
        first, second = ChunkedBlake3(), hashlib.sha256()
        for part in source:
            first.update(part)
            second.update(part)
            yield part
        self.plain[number] = Digests(first.digest(), second.digest(), first.chunks())

    def _pieces(self, context: bytes, source: Iterable[bytes], length: int) -> Iterator[bytes]:
        from odarchive.seal.stream import Sealer  # noqa: PLC0415  plans are made without the extra `privacy`

        if self._seed == PLANNED_SEED:
            raise AssertionError("an image is written without a secret of its own")
        return Sealer(self._seed, self._keys).pieces(context, source, length)


def sealing_of(selection: Selection) -> Sealing | None:
    """How the disc of a selection is encrypted; None: it is not."""
    texts = selection.facts.get(RECIPIENTS, "").split()
    return Sealing(selection.seed or PLANNED_SEED, recipients(texts)) if texts else None
