"""A changer and its drives as one machine: discs go from slot to drive and back, and none is lost on the way.

Not for: knowing which disc lies where (the archive's catalogue), nor reading or writing discs (drives, burners).

Rules kept: every method states an end and is harmless when that end is reached. The arm's own rules are those of
``robot.arm``. After PositionUnknown, ``start`` again before the next motion. A disc found in the picker is put away
before anything else moves.

Concurrency: any task may call; one lock owns the arm, so calls queue and each sees the machine at rest. Who uses a
drive is the caller's business: a call that names a drive may open its tray. A cancel during a motion takes effect when
the arm rests, at the latest after twice the machine's limit for a move.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import trio

from robot.arm import Arm, Settled, check_ends
from robot.errors import ChangerError, DestinationFull, DriveError
from robot.evidence import fill_of, picker_holds, state_of
from robot.ports import (
    PICKER,
    Capabilities,
    Changer,
    Drive,
    DriveId,
    Element,
    ElementKind,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
    Motion,
    MotionJournal,
    SlotId,
    Tray,
)
from robot.ports import drive as drive_element
from robot.ports import slot as slot_element

PARK_TRIES = 3
"""Places tried for a disc found in the picker; a machine that refuses three times needs a person."""


@dataclass(frozen=True, slots=True)
class DriveStatus:
    """One drive as the machine and we see it."""

    number: DriveId
    tray: Tray
    fill: Fill
    home: Element | None
    """The slot its disc was taken from, by our own record."""
    hint: Element | None
    """The same as the machine tells it; often wrong on real machines."""


@dataclass(frozen=True, slots=True)
class JukeboxStatus:
    """The whole machine at one moment."""

    machine: MachineStatus
    drives: tuple[DriveStatus, ...]


@dataclass(frozen=True, slots=True)
class StartReport:
    """What was found and put in order at a start."""

    settled: tuple[Settled, ...]
    """Motions that an earlier life left open, oldest first, and what became of them."""
    found_in_picker: bool
    parked: Element | None
    """Where the disc found in the picker lies now; None with ``found_in_picker``: there was no free place, it is still
    held and nothing can move."""
    status: JukeboxStatus
    """Afterwards."""


class Jukebox:
    """The machine as the librarian uses it.

    Args:
        changer: moves the discs; used by nobody else from now on.
        drives: all drives of the machine, by number.
        journal: durable memory of motions.
        parking: a slot kept free for a disc found in the picker; None: any free one serves.
    """

    def __init__(
        self,
        changer: Changer,
        drives: Mapping[DriveId, Drive],
        journal: MotionJournal,
        *,
        parking: SlotId | None = None,
    ) -> None:
        self._changer = changer
        self._drives = dict(drives)
        self._arm = Arm(changer, self._drives, journal)
        self._parking = None if parking is None else slot_element(parking)
        self._lock = trio.Lock()

    async def start(self) -> StartReport:
        """Reconcile journal and machine, and clear the picker. Before any motion, and again after PositionUnknown.

        Drives that may still be burning must be idle (``Burner.wait_idle``) before.

        Raises:
            DoorOpen, MachineFault, CommunicationLost, Busy: the machine cannot be used now; call again later.
            PositionUnknown: the disc in the picker could not be put away safely.
        """
        async with self._lock:
            status = await self._arm.at_rest()
            if status.state in (MachineState.UNINITIALISED, MachineState.FAULT):
                await self._arm.initialise()
            await self._arm.ready()
            doubtful = [] if self._arm.doubtful is None else [self._arm.doubtful]
            settled = await self._arm.reconcile()
            doubtful += [item.motion for item in settled]
            status = await self._arm.ready()
            held = picker_holds(status)
            parked = await self._park(status, doubtful) if held else None
            return StartReport(tuple(settled), held, parked, await self._status())

    async def load(self, slot: SlotId, drive: DriveId) -> None:
        """The disc of ``slot`` lies in ``drive`` and its tray is in. Harmless if that is so already.

        Raises:
            SourceEmpty, DestinationFull, BadAddress: proven not to have moved.
            DriveError: a tray did not move; a disc that was already put on it lies there.
            ChangerError: as the arm has it; PositionUnknown asks for ``start``.
        """
        source, target = slot_element(slot), drive_element(drive)
        async with self._lock:
            self._arm.require_settled()
            status = await self._arm.ready()
            home = self._arm.homes.get(drive)
            if fill_of(status, target) is Fill.FULL or (fill_of(status, target) is Fill.UNKNOWN and home is not None):
                if home != source or fill_of(status, source) is Fill.FULL:
                    raise DestinationFull(f"{target} holds the disc of {home or 'an unknown slot'}: unload it first")
                await self._close([target])
                return
            await self._go(source, target)

    async def unload(self, drive: DriveId, slot: SlotId) -> None:
        """The disc of ``drive`` lies in ``slot`` and the tray is in. Harmless if this was the latest motion.

        Nothing may have the drive open. Raises as ``load``.
        """
        await self.move(drive_element(drive), slot_element(slot))

    async def move(self, source: Element, destination: Element) -> None:
        """The disc of ``source`` lies at ``destination``; harmless if that was the latest motion.

        Raises as ``load``.
        """
        async with self._lock:
            await self._go(source, destination)

    async def status(self) -> JukeboxStatus:
        """Sensors, trays and our own records; moves nothing, waits for a motion to end. Raises CommunicationLost."""
        async with self._lock:
            return await self._status()

    async def identify(self) -> Identity:
        """Who the machine says it is. Raises CommunicationLost."""
        async with self._lock:
            return await self._changer.identify()

    async def capabilities(self) -> Capabilities:
        """What the machine can do. Raises CommunicationLost."""
        async with self._lock:
            return await self._arm.capabilities()

    async def _go(self, source: Element, destination: Element) -> None:
        self._arm.require_settled()
        status = await self._arm.ready()
        ends = [end for end in (source, destination) if end.kind is ElementKind.DRIVE]
        reached = fill_of(status, source) is not Fill.FULL and fill_of(status, destination) is not Fill.EMPTY
        if not (self._arm.last == (source, destination) and reached):
            by_host = (await self._arm.capabilities()).tray_by_host
            if by_host and source.kind is ElementKind.DRIVE and fill_of(status, source) is Fill.EMPTY:
                await self._arm.drive(source).open_tray()  # somebody's hand may have filled it while it was closed
                status = await self._arm.ready()
            check_ends(status, source, destination)
            for end in ends:
                if by_host or end == source:  # a machine that pulls trays itself still needs the drive to let go
                    await self._arm.drive(end).open_tray()
            await self._arm.carry(source, destination)
        await self._close(ends)

    async def _close(self, ends: list[Element]) -> None:
        if (await self._arm.capabilities()).tray_by_host:
            for end in ends:
                await self._arm.drive(end).close_tray()

    async def _park(self, status: MachineStatus, doubtful: list[Motion]) -> Element | None:
        """Put the disc in the picker to the best free place: the slot of the motion that most likely left it there."""
        refused: ChangerError | DriveError | None = None
        for place in self._places(status, doubtful)[:PARK_TRIES]:
            try:
                await self._go(PICKER, place)
            except (DestinationFull, DriveError) as error:  # proven still held: the sensor of that place was wrong
                refused = error
                continue
            return place
        if refused is not None:
            raise refused
        return None

    def _places(self, status: MachineStatus, doubtful: list[Motion]) -> list[Element]:
        free = {s.element for s in status.elements if s.fill is Fill.EMPTY}
        homes = {home for home in self._arm.homes.values() if home is not None}
        slots = sorted((e for e in free if e.kind is ElementKind.SLOT), reverse=True)
        wanted = [end for motion in reversed(doubtful) for end in (motion.source, motion.destination)]
        wanted = [end for end in wanted if end.kind is ElementKind.SLOT]
        wanted += [] if self._parking is None else [self._parking]
        wanted += [e for e in slots if e not in homes] + slots
        wanted += sorted(drive_element(number) for number in self._drives)
        return [place for place in dict.fromkeys(wanted) if place in free]

    async def _status(self) -> JukeboxStatus:
        machine = await self._changer.status()
        drives = []
        for number, drive in sorted(self._drives.items()):
            tray = Tray.UNKNOWN
            with suppress(DriveError):
                tray = await drive.tray()
            state = state_of(machine, drive_element(number))
            home = None if state.fill is Fill.EMPTY else self._arm.homes.get(number)
            drives.append(DriveStatus(number, tray, state.fill, home, state.source))
        return JukeboxStatus(machine, tuple(drives))
