"""Positioned reads of what a piece on a loaded disc contains, encrypted or not.

On an encrypted disc the piece is an age file: its header is opened once, then any range is read and checked by its own
chunks. Used by one task.
"""

from typing import TYPE_CHECKING, Protocol

from odarchive.errors import KeyNeeded
from odarchive.model import SECTOR, Extent
from odarchive.seal.keyring import Keyring
from odarchive.seal.sizes import CHUNK, head_size

if TYPE_CHECKING:
    from odarchive.seal.stream import Payload

NO_KEY = (
    "the archive is encrypted and the librarian has no key: name its file in archive.toml ([privacy] key) and start "
    "the librarian again"
)


class Sectors(Protocol):
    """Positioned reads of bytes of one disc: in a drive (``readback``), or made again (``rescue``)."""

    async def read(self, sector: int, length: int) -> bytes:
        """``length`` bytes from the beginning of ``sector`` on. Raises ReadFailed."""

    async def exactly(self, sector: int, length: int) -> bytes:
        """The same, and nothing beside it is read. Raises ReadFailed."""


class PieceReader:
    """Reads one piece. ``step``: bytes to ask for at once; offsets are multiples of it."""

    def __init__(self, reader: Sectors, extent: Extent, keyring: Keyring) -> None:
        self._reader, self._extent, self._keyring = reader, extent, keyring
        self._payload = None if not keyring.sealed else _Header(reader, extent, keyring)
        self.step = 16 * CHUNK if self._payload is None else 15 * CHUNK
        """A little less of encrypted pieces, so that with their tags they fit into what is read at once."""

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes of the piece from ``offset`` (a multiple of 65,536) on.

        Raises:
            ReadFailed: a sector is unreadable.
            DamageFound: encrypted bytes are wrong.
            KeyNeeded: there is no key, or it does not fit.
        """
        extent = self._extent
        if self._payload is None:
            return await self._reader.read(extent.sector + offset // SECTOR, length)
        payload = await self._payload.opened()
        begin, end = payload.span(offset, length, extent.length)
        first = begin // SECTOR
        data = await self._reader.read(extent.sector + first, end - first * SECTOR)
        return payload.range(offset, data[begin - first * SECTOR :], extent.length)[:length]


class LoadedDisc:
    """What is read of one loaded disc while it is served; lives as long as that. Used by one task."""

    def __init__(self, reader: Sectors, keyring: Keyring) -> None:
        self.reader = reader
        self._keyring = keyring
        self._opened: dict[int, PieceReader] = {}

    def piece(self, extent: Extent) -> PieceReader:
        """The reader of a whole piece, whose header is opened once however often a part of it is asked for."""
        if extent.sector not in self._opened:
            self._opened[extent.sector] = PieceReader(self.reader, extent, self._keyring)
        return self._opened[extent.sector]


class _Header:
    """The header of an age file, opened when it is first needed."""

    def __init__(self, reader: Sectors, extent: Extent, keyring: Keyring) -> None:
        self._reader, self._extent, self._keyring = reader, extent, keyring
        self._found: Payload | None = None

    async def opened(self) -> "Payload":
        """What opens the chunks; raises as `PieceReader.read`."""
        if self._found is None:
            if self._keyring.opener is None:
                raise KeyNeeded(NO_KEY)
            head = await self._reader.read(self._extent.sector, head_size(self._keyring.recipients))
            self._found = self._keyring.opener.payload(head)
        return self._found
