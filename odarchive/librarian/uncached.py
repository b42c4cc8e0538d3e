"""A small content for readers while the cache has no room for it: from the drive into memory, checked as a whole."""

from odarchive.chunks import CHUNK
from odarchive.digest import content_digest
from odarchive.errors import DamageFound
from odarchive.librarian.demand import Want
from odarchive.librarian.loose import Loose
from odarchive.librarian.unsealing import PieceReader, Sectors
from odarchive.model import Extent
from odarchive.seal.keyring import Keyring


def is_small(want: Want, extent: Extent) -> bool:
    """Whether a content is one chunk, all of it in one place: its own digest checks it."""
    return want.size <= CHUNK and extent.length == want.size


async def past_the_cache(reader: Sectors, want: Want, extent: Extent, keyring: Keyring, loose: Loose) -> None:
    """Read all of a small content and keep it in memory for a moment.

    Raises:
        ReadFailed, DamageFound, KeyNeeded: as `PieceReader.read`; or it has another digest.
    """
    piece = PieceReader(reader, extent, keyring)
    parts = [
        await piece.read(offset, min(piece.step, extent.length - offset))
        for offset in range(0, extent.length, piece.step)
    ]
    data = b"".join(parts)
    if content_digest(data) != want.digest:
        raise DamageFound(f"content {want.digest.hex()[:16]}: the bytes read from disc have another digest")
    loose.put(want.content, 0, data)
