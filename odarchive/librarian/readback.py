"""Reading discs sector by sector: the whole image for verification, single contents for recall.

Every byte that leaves here is either part of a digest being taken or about to be checked against one. Reads go through
a window of 1 MiB, because optical drives and their round trips like long reads; a window that fails is narrowed to the
sectors that are really wanted, so that one bad sector does not take its neighbours with it.
"""

from collections.abc import Callable

from blake3 import blake3

from robot.errors import ReadFailed
from robot.ports import SECTOR, Drive

WINDOW = 512
"""Sectors read at once (1 MiB)."""


class SectorReader:
    """Positioned reads of bytes from one loaded disc; keeps the last window. Used by one task."""

    def __init__(self, drive: Drive, sectors: int) -> None:
        """``sectors``: how many the image has; nothing beyond is asked of the drive."""
        self._drive = drive
        self._sectors = sectors
        self._first = 0
        self._window = b""

    async def read(self, sector: int, length: int) -> bytes:
        """``length`` bytes from the beginning of ``sector`` on.

        Raises:
            ReadFailed: a sector in that range is unreadable or outside the image.
        """
        parts = []
        while length > 0:
            piece = await self._within_window(sector, min(length, WINDOW * SECTOR))
            parts.append(piece)
            length -= len(piece)
            sector += len(piece) // SECTOR
        return b"".join(parts)

    async def exactly(self, sector: int, length: int) -> bytes:
        """The same, but what the drive is asked for is not widened: for readers who want little.

        Raises:
            ReadFailed: as ``read``.
        """
        count = -(-length // SECTOR)
        if sector + count > self._sectors:
            raise ReadFailed(f"sector {sector + count - 1} lies beyond the image", sector=self._sectors)
        return (await self._drive.read(sector, count))[:length]

    async def _within_window(self, sector: int, length: int) -> bytes:
        count = -(-length // SECTOR)
        offset = (sector - self._first) * SECTOR
        if not 0 <= offset <= len(self._window) - count * SECTOR:
            await self._fill(sector, count)
            offset = (sector - self._first) * SECTOR
        return self._window[offset : offset + length]

    async def _fill(self, sector: int, count: int) -> None:
        if sector + count > self._sectors:
            raise ReadFailed(f"sector {sector + count - 1} lies beyond the image", sector=self._sectors)
        self._window = b""
        wide = min(WINDOW, self._sectors - sector)
        try:
            self._window = await self._drive.read(sector, wide)
        except ReadFailed:
            if wide == count:
                raise
            self._window = await self._drive.read(sector, count)
        self._first = sector


async def image_digest(drive: Drive, size: int, progress: Callable[[int], None] | None = None) -> bytes:
    """BLAKE3 of the first ``size`` bytes (a multiple of 2,048) of the disc in a drive.

    Raises:
        ReadFailed: a sector is unreadable.
    """
    hasher = blake3()
    sectors = size // SECTOR
    for sector in range(0, sectors, WINDOW):
        data = await drive.read(sector, min(WINDOW, sectors - sector))
        hasher.update(data)
        if progress is not None:
            progress(len(data))
    return hasher.digest()
