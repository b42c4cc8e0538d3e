"""A real optical drive under Linux.

Tried on virtual burners behind the kernel's own sr (``tests/rig``), never on a drive of metal: the logic is proven on a
model of a drive's answers, the parser on transcripts.

Not for: burning, or reading file systems.

Rules kept: the device is opened for a read only while the drive says that a disc is ready, because a plain open pulls
an open tray in. ``not ready`` is a reason to wait, ``no disc`` only after it lasted. An unreadable stretch is read
again sector by sector before it counts as lost. Every wait ends, save for a call that hangs inside the kernel.

Concurrency: calls from several tasks take turns at the drive, one blocking call at a time.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import trio

from robot.drives.linux import DriveStatus, LinuxDrive
from robot.drives.media import parse_medium
from robot.errors import DriveError, NoMedium, NotReady, ReadFailed
from robot.ports import SECTOR, DriveId, Medium, Tray

POLL = 0.5
"""Seconds between two looks at the drive."""
TRAY_TIME = 20.0
"""Seconds a tray may take."""
NO_DISC_TIME = 10.0
"""Seconds a drive may say "no disc" before it is believed: drives do so while they still spin up."""
PROBE_TIME = 120.0
"""Seconds xorriso may take to look at a disc."""
CHUNK = 512
"""Sectors to a read, 1 MiB."""
TRIES = 3
"""Attempts at a sector by itself."""

T = TypeVar("T")


class Kernel(Protocol):
    """What is asked of the operating system: ``robot.drives.linux.LinuxDrive``. All calls block and raise OSError."""

    def status(self) -> DriveStatus:
        """Tray and readiness; moves nothing."""
        ...

    def eject(self) -> None:
        """Unlock and put the tray out."""
        ...

    def close(self) -> None:
        """Pull the tray in."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disc, fewer at its end."""
        ...


@dataclass(slots=True)
class Spin:
    """Decides when a drive is ready, has no disc, or took too long. Pure: told status and time.

    Args:
        began: when waiting began, seconds on any steady clock.
        timeout: seconds it may take.
    """

    began: float
    timeout: float
    empty_since: float | None = None

    def judge(self, status: DriveStatus, now: float) -> bool:
        """Whether the disc is ready; False: look again later.

        Raises:
            NoMedium: the tray is open, or "no disc" lasted.
            NotReady: the time is over.
        """
        if status is DriveStatus.DISC_OK:
            return True
        if status is DriveStatus.TRAY_OPEN:
            raise NoMedium("the tray is open")
        over = now - self.began >= self.timeout
        if status is not DriveStatus.NO_DISC:
            self.empty_since = None
            if over:
                raise NotReady(f"not ready after {self.timeout:.0f} s")
            return False
        if self.empty_since is None:
            self.empty_since = now
        if over or now - self.empty_since >= NO_DISC_TIME:
            raise NoMedium("no disc")
        return False


class SrDrive:
    """``robot.ports.Drive`` by the Linux kernel and xorriso.

    Args:
        number: its number in the machine.
        device: such as ``/dev/sr0``; better a name under ``/dev/disk/by-id``, which stays.
        kernel: the calls; None: those of Linux on ``device``.
        program: name or path of xorriso, which looks at blank discs.
    """

    def __init__(self, number: DriveId, device: str, *, kernel: Kernel | None = None, program: str = "xorriso") -> None:
        self._number = number
        self._device = device
        self._kernel: Kernel = kernel or LinuxDrive(device)
        self._program = program
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
        """The device file."""
        return self._device

    async def tray(self) -> Tray:
        """See the port."""
        match await self._status():
            case DriveStatus.TRAY_OPEN:
                return Tray.OPEN
            case DriveStatus.NO_INFO:
                return Tray.UNKNOWN
            case _:
                return Tray.CLOSED

    async def open_tray(self) -> None:
        """See the port; fails while anything has the disc mounted or the device open exclusively."""
        if await self.tray() is not Tray.OPEN:
            await self._call("cannot open the tray", self._kernel.eject)
            await self._until(Tray.OPEN)

    async def close_tray(self) -> None:
        """See the port."""
        if await self.tray() is not Tray.CLOSED:
            await self._call("cannot close the tray", self._kernel.close)
            await self._until(Tray.CLOSED)

    async def medium(self, timeout: float = 60.0) -> Medium:
        """See the port."""
        spin = Spin(trio.current_time(), timeout)
        while not self._judge(spin, await self._status()):  # noqa: ASYNC110 - a drive tells nothing unasked
            await trio.sleep(POLL)
        medium = parse_medium(await self._probe())
        if medium is None:
            raise NoMedium(f"drive {self._number}: no disc that it can recognise")
        return medium

    async def read(self, sector: int, count: int) -> bytes:
        """See the port. Raises also NoMedium and NotReady, as the drive is when asked.

        After a burn the kernel (seen with Linux 6.1) keeps the end the disc had before, until the tray has moved.
        """
        if sector < 0 or count < 0:
            raise ValueError(f"sector {sector}, count {count}: both must be 0 or more")
        if await self._status() is not DriveStatus.DISC_OK:
            await self.medium()
        parts = []
        for first in range(sector, sector + count, CHUNK):
            length = min(CHUNK, sector + count - first)
            parts.append(await self._in_thread(partial(self._read_chunk, first, length)))
            self._bytes_read += len(parts[-1])
        return b"".join(parts)

    def _judge(self, spin: Spin, status: DriveStatus) -> bool:
        try:
            return spin.judge(status, trio.current_time())
        except (NoMedium, NotReady) as error:
            raise type(error)(f"drive {self._number}: {error}") from None

    async def _status(self) -> DriveStatus:
        return await self._call("cannot ask the drive", self._kernel.status)

    async def _until(self, wanted: Tray) -> None:
        with trio.move_on_after(TRAY_TIME):
            while await self.tray() is not wanted:  # noqa: ASYNC110 - a drive tells nothing unasked
                await trio.sleep(POLL)
            return
        raise DriveError(f"drive {self._number}: the tray is not {wanted} after {TRAY_TIME:.0f} s")

    async def _probe(self) -> str:
        argv = [self._program, "-no_rc", "-outdev", self._device, "-toc", "-tell_media_space"]
        try:
            with trio.fail_after(PROBE_TIME):
                done = await trio.run_process(
                    argv, capture_stdout=True, capture_stderr=True, check=False, env={**os.environ, "LC_ALL": "C"}
                )
        except OSError as error:
            raise DriveError(f"drive {self._number}: cannot start {self._program}: {error.strerror}") from error
        except trio.TooSlowError as error:
            raise NotReady(f"drive {self._number}: the disc was not told within {PROBE_TIME:.0f} s") from error
        return (done.stdout + done.stderr).decode("utf-8", "backslashreplace")

    async def _call(self, what: str, function: Callable[[], T]) -> T:
        try:
            return await self._in_thread(function)
        except OSError as error:
            busy = " (something still uses it)" if error.errno == errno.EBUSY else ""
            raise DriveError(f"drive {self._number} ({self._device}): {what}: {error.strerror}{busy}") from error

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function, limiter=self._limiter)

    def _read_chunk(self, sector: int, count: int) -> bytes:
        try:
            data = self._kernel.read(sector * SECTOR, count * SECTOR)
        except OSError:
            data = b""
        if len(data) == count * SECTOR:
            return data
        return b"".join(self._read_sector(number) for number in range(sector, sector + count))

    def _read_sector(self, sector: int) -> bytes:
        said = "past the readable end"
        for _ in range(TRIES):
            try:
                data = self._kernel.read(sector * SECTOR, SECTOR)
            except OSError as error:
                said = error.strerror or str(error)
                continue
            if len(data) == SECTOR:
                return data
            said = "past the readable end"
            break
        raise ReadFailed(f"drive {self._number}: sector {sector} cannot be read: {said}", sector=sector)
