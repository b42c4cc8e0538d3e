"""A drive whose discs are files: for demonstrations, rehearsals and tests without hardware.

The host's half of a small world on disk, shared with a simulated changer: the host moves the tray, the changer moves
the disc.

    DIRECTORY/tray     text ``open`` or ``closed``; written here
    DIRECTORY/medium   link to the disc's file while a disc lies in the drive; written by the changer
    NAME.disc          the disc's bytes; no bytes: a blank disc
    NAME.json          beside it: ``profile``, ``capacity``, and optionally ``fail_at`` (a burn fails after that many
                       bytes) and ``bad_sectors`` (list of ``[first, count]`` that cannot be read)

Not for: anything that must behave like an optical drive in time. A file drive is ready at once.

Rules kept: with an open tray there is no medium, as on a real drive. A torn last sector (a burn that died inside it)
does not count as readable. Only the tray file is written.

Concurrency: one caller at a time for each drive; the disc files may change between two calls, never inside one read.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trio

from robot.errors import DriveError, NoMedium, ReadFailed
from robot.ports import SECTOR, DriveId, Medium, Tray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DiscSheet:
    """What the sheet beside a disc's file says. Sizes in bytes, extents in sectors."""

    profile: str
    capacity: int
    fail_at: int | None = None
    bad_sectors: tuple[tuple[int, int], ...] = ()
    maker: str = ""

    def first_bad(self, sector: int, count: int) -> int | None:
        """The first unreadable sector among ``count`` from ``sector`` on, or None."""
        hits = [
            max(first, sector)
            for first, length in self.bad_sectors
            if max(first, sector) < min(first + length, sector + count)
        ]
        return min(hits, default=None)


def parse_sheet(text: bytes) -> DiscSheet:
    """Read a disc's sheet.

    Raises:
        ValueError: the text is no sheet; the message says what is wrong with it.
    """
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error for every malformed sheet, as json itself raises
    try:
        fail_at = data.get("fail_at")
        return DiscSheet(
            profile=str(data["profile"]),
            capacity=int(data["capacity"]),
            fail_at=None if fail_at is None else int(fail_at),
            bad_sectors=tuple((int(first), int(count)) for first, count in data.get("bad_sectors", ())),
            maker=str(data.get("maker", "")),
        )
    except KeyError as error:
        raise ValueError(f"no {error}") from error
    except TypeError as error:
        raise ValueError(str(error)) from error


class FileDrive:
    """``robot.ports.Drive`` over files in ``directory``, which must exist."""

    def __init__(self, number: DriveId, directory: Path) -> None:
        self._number = number
        self._directory = Path(os.path.abspath(directory))
        self._limiter = trio.CapacityLimiter(1)
        self._bytes_read = 0

    @property
    def bytes_read(self) -> int:
        """How many bytes ``read`` has given."""
        return self._bytes_read

    @property
    def number(self) -> DriveId:
        """Its number in the machine, from 0."""
        return self._number

    @property
    def device(self) -> str:
        """The pseudo-drive address that xorriso takes for a file."""
        return f"stdio:{self._directory / 'medium'}"

    async def tray(self) -> Tray:
        """Where the tray is; ``UNKNOWN`` if the tray file is missing or says something else."""
        return await self._in_thread(self._read_tray)

    async def open_tray(self) -> None:
        """Put the tray out; harmless when it is out. Raises DriveError if the tray file cannot be written."""
        await self._in_thread(lambda: self._write_tray(Tray.OPEN))

    async def close_tray(self) -> None:
        """Pull the tray in; harmless when it is in. Raises DriveError if the tray file cannot be written."""
        await self._in_thread(lambda: self._write_tray(Tray.CLOSED))

    async def medium(self, timeout: float = 60.0) -> Medium:
        """See the port; answers at once, so ``timeout`` does not matter."""
        del timeout
        return await self._in_thread(self._read_medium)

    async def read(self, sector: int, count: int) -> bytes:
        """See the port. Raises also NoMedium, when the tray is open or empty."""
        if sector < 0 or count < 0:
            raise ValueError(f"sector {sector}, count {count}: both must be 0 or more")
        data = await self._in_thread(lambda: self._read_sectors(sector, count))
        self._bytes_read += len(data)
        return data

    async def write_limit(self) -> int:
        """Bytes after which a burn onto this disc must fail, because the file behind it would simply grow.

        Raises:
            NoMedium: no disc in the closed drive.
        """
        sheet = (await self._in_thread(self._disc))[1]
        return sheet.capacity if sheet.fail_at is None else min(sheet.capacity, sheet.fail_at)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function, limiter=self._limiter)

    def _read_tray(self) -> Tray:
        try:
            text = (self._directory / "tray").read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return Tray.UNKNOWN
        except OSError as error:
            raise DriveError(
                f"drive {self._number}: cannot read {self._directory / 'tray'}: {error.strerror}"
            ) from error
        return Tray(text) if text in (Tray.OPEN, Tray.CLOSED) else Tray.UNKNOWN

    def _write_tray(self, tray: Tray) -> None:
        new = self._directory / "tray.new"
        try:
            new.write_text(f"{tray.value}\n", "ascii")
            new.replace(self._directory / "tray")
        except OSError as error:
            raise DriveError(
                f"drive {self._number}: cannot move the tray of {self._directory}: {error.strerror}"
            ) from error

    def _disc(self) -> tuple[Path, DiscSheet]:
        if self._read_tray() is not Tray.CLOSED:
            raise NoMedium(f"drive {self._number}: the tray is not closed")
        try:
            disc = (self._directory / "medium").resolve(strict=True)
        except (FileNotFoundError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise NoMedium(f"drive {self._number}: no disc") from error
        try:
            return disc, parse_sheet(disc.with_suffix(".json").read_bytes())
        except (OSError, ValueError) as error:
            raise NoMedium(
                f"drive {self._number}: cannot recognise the disc: {disc.with_suffix('.json')}: {error}"
            ) from error

    def _read_medium(self) -> Medium:
        disc, sheet = self._disc()
        size = self._size(disc)
        readable = size - size % SECTOR
        return Medium(sheet.profile, blank=size == 0, capacity=sheet.capacity, readable=readable, maker=sheet.maker)

    def _size(self, disc: Path) -> int:
        try:
            return disc.stat().st_size
        except OSError as error:
            raise NoMedium(f"drive {self._number}: {disc} is gone: {error.strerror}") from error

    def _read_sectors(self, sector: int, count: int) -> bytes:
        disc, sheet = self._disc()
        bad = sheet.first_bad(sector, count)
        if bad is not None:
            raise ReadFailed(f"drive {self._number}: sector {bad} cannot be read", sector=bad)
        try:
            with open(disc, "rb", buffering=0) as file:
                data = _pread_all(file.fileno(), count * SECTOR, sector * SECTOR)
        except OSError as error:
            raise ReadFailed(f"drive {self._number}: {disc}: {error.strerror}", sector=sector) from error
        if len(data) < count * SECTOR:
            end = sector + len(data) // SECTOR
            raise ReadFailed(f"drive {self._number}: sector {end} lies past the readable end", sector=end)
        return data


def _pread_all(descriptor: int, length: int, offset: int) -> bytes:
    """Up to ``length`` bytes from ``offset``; fewer only at the end of the file."""
    parts: list[bytes] = []
    while length > 0 and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        length -= len(part)
        offset += len(part)
    return b"".join(parts)
