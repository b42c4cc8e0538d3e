"""Whether a disc is what it says: every content read and compared with the digests of the disc's own catalogue.

For discs of which no catalogue says that they were read back right. Not for the librarian's read-back.
"""

import hashlib
from dataclasses import dataclass

from blake3 import blake3

from odarchive.errors import OdarchiveError
from odarchive.offline.disc import BLOCK, Disc, ImageDisc
from odarchive.offline.texts import DiscCatalogue, OnDisc


@dataclass(frozen=True, slots=True)
class Proof:
    """What reading all of a disc brought. ``digest``: BLAKE3 of the image; None: a folder, or unreadable."""

    digest: bytes | None
    wrong: tuple[str, ...]
    """Files whose bytes are not what they should be, by their first name on the disc."""


def prove(disc: Disc, catalogue: DiscCatalogue) -> Proof:
    """Read everything."""
    wrong = [
        piece.paths[0] if piece.paths else piece.digest.hex()
        for piece in sorted(catalogue.contents, key=lambda piece: piece.sector)
        if not _right(disc, piece)
    ]
    return Proof(_image(disc), tuple(wrong))


def _right(disc: Disc, piece: OnDisc) -> bool:
    whole = piece.length == piece.size
    hasher = blake3() if whole else hashlib.sha256()
    size = 0
    try:
        for data in disc.content(piece):
            hasher.update(data)
            size += len(data)
    except (OSError, OdarchiveError):
        return False
    return size == piece.length and hasher.digest() == (piece.digest if whole else piece.sha256)


def _image(disc: Disc) -> bytes | None:
    size = disc.identity.image_size
    if not isinstance(disc, ImageDisc) or size == 0 or size > disc.size:
        return None
    hasher = blake3()
    try:
        for offset in range(0, size, BLOCK):
            hasher.update(disc.read(offset, min(BLOCK, size - offset)))
    except OSError:
        return None
    return hasher.digest()
