"""The robot as a rebuild uses it: one disc after the other in a drive, read by code that may block.

All methods run in the one worker thread that ``trio`` gave the rebuild. Not for knowing what a disc is.
"""

import errno
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import trio

from odarchive.errors import OperatorNeeded, RobotTrouble
from odarchive.model import SECTOR
from odarchive.offline.errors import BadDisc
from robot.errors import DriveError, NoMedium, NotReady, ReadFailed, RobotError, SourceEmpty
from robot.evidence import fill_of
from robot.jukebox import Jukebox
from robot.ports import Drive, DriveId, ElementKind, Fill, MachineStatus, Medium, SlotId
from robot.ports import drive as drive_element

T = TypeVar("T")
AHEAD = 32
"""Sectors that are read at least: 64 KiB, as the descriptors and directories of a disc lie together."""
PATIENCE = 180.0
"""Seconds a disc has to spin up."""


class Hand:
    """Brings discs into one drive. ``parking``: a slot that is kept free."""

    def __init__(self, jukebox: Jukebox, drives: Mapping[DriveId, Drive], parking: int | None) -> None:
        self._jukebox, self._drives, self._parking = jukebox, drives, parking
        self._drive = drives[min(drives)]
        self._slot: int | None = None
        self._ahead: tuple[int, bytes] = (0, b"")
        self.epoch: str | None = None
        """The machine's own, at the start."""

    def start(self) -> list[int]:
        """Put the machine in order and what lies in drives into slots; returns the slots that may hold a disc.

        Raises:
            OperatorNeeded: it has no slots, or none is free.
            RobotTrouble: it does not work.
        """
        if not self._do(self._jukebox.capabilities).random_access:
            raise OperatorNeeded("this robot has no slots; copy its discs to image files and name their folder")
        self._do(self._jukebox.start)
        for number in sorted(self._drives):
            self._empty(number)
        status = self._status()
        self.epoch = status.epoch
        return sorted(
            one.element.number
            for one in status.elements
            if one.element.kind is ElementKind.SLOT and one.fill is not Fill.EMPTY
        )

    def load(self, slot: int) -> Medium:
        """Have a slot's disc in the drive.

        Raises:
            SourceEmpty: there is none.
            BadDisc: the drive cannot make it out.
            RobotTrouble: the machine does not work.
        """
        if self._slot != slot:
            self.put_back()
            self._do(lambda: self._jukebox.load(SlotId(slot), self._drive.number))
            self._slot = slot
        try:
            return self._do(lambda: self._drive.medium(PATIENCE))
        except RobotTrouble as error:
            if isinstance(error.__cause__, NoMedium | NotReady):
                raise BadDisc(f"slot {slot}: its disc cannot be read ({error.__cause__})") from error
            raise

    def read(self, slot: int, offset: int, length: int, size: int) -> bytes:
        """Bytes of a slot's disc of ``size`` bytes, fewer at its end.

        Raises:
            OSError: they cannot be read.
            RobotTrouble: machine or drive do not work.
        """
        if self._slot != slot:
            self.load(slot)
        first, end = offset // SECTOR, min(-(-(offset + length) // SECTOR), size // SECTOR)
        if first >= end:
            return b""
        at, data = self._ahead
        if not at <= first <= end <= at + len(data) // SECTOR:
            at, data = first, self._sectors(first, max(end, min(first + AHEAD, size // SECTOR)), end)
            self._ahead = (at, data)
        begin = offset - at * SECTOR
        return data[begin : begin + min(length, size - offset)]

    def put_back(self) -> None:
        """The disc in the drive goes home."""
        if self._slot is not None:
            slot, self._slot, self._ahead = self._slot, None, (0, b"")
            self._do(lambda: self._jukebox.unload(self._drive.number, SlotId(slot)))

    async def leave(self) -> None:
        """As :meth:`put_back`, called in the event loop when the thread has ended."""
        if self._slot is not None:
            with suppress(RobotError):
                await self._jukebox.unload(self._drive.number, SlotId(self._slot))

    def _sectors(self, first: int, end: int, needed: int) -> bytes:
        for last in dict.fromkeys((end, needed)):
            try:
                return trio.from_thread.run(self._drive.read, first, last - first)
            except ReadFailed as error:
                if last == needed:
                    raise OSError(errno.EIO, str(error)) from error
            except DriveError as error:
                raise RobotTrouble(f"the drive failed: {error}") from error
        raise AssertionError

    def _empty(self, number: DriveId) -> None:
        """Nothing lies in a drive afterwards."""
        status = self._do(self._jukebox.status)
        (state,) = (one for one in status.drives if one.number == number)
        if state.fill is Fill.EMPTY or (state.fill is Fill.UNKNOWN and state.home is None and self._bare(number)):
            return
        home = state.home
        if home is None or fill_of(status.machine, home) is Fill.FULL:
            free = [
                one.element
                for one in status.machine.elements
                if one.element.kind is ElementKind.SLOT
                and one.fill is Fill.EMPTY
                and one.element.number != self._parking
            ]
            if not free:
                raise OperatorNeeded(f"{drive_element(number)} holds a disc and no slot is empty; take one disc out")
            home = free[0]
        slot = SlotId(home.number)
        with suppress(SourceEmpty):
            self._do(lambda: self._jukebox.unload(number, slot))

    def _bare(self, number: DriveId) -> bool:
        try:
            trio.from_thread.run(self._drives[number].medium)
        except DriveError:
            return True
        return False

    def _status(self) -> MachineStatus:
        return self._do(self._jukebox.status).machine

    def _do(self, function: Callable[[], Awaitable[T]]) -> T:
        try:
            return trio.from_thread.run(function)
        except SourceEmpty:
            raise
        except RobotError as error:
            raise RobotTrouble(f"the robot failed: {error}") from error
