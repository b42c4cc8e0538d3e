"""A small machine in memory for the tests of the jukebox: discs, trays, a picker, time, faults, and a journal.

The machine is honest: a disc is always in exactly one place, the arm wrecks itself on a closed tray, and a fault
strikes at the operation it was ordered for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from robot.errors import (
    Busy,
    CommunicationLost,
    DestinationFull,
    DriveError,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    PICKER,
    Capabilities,
    DriveId,
    Element,
    ElementKind,
    ElementState,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
    Medium,
    Motion,
    MotionId,
    MotionOutcome,
    Tray,
    drive,
    slot,
)

SLOTS, DRIVES = 6, 2
FAULTS = [
    "mute-before",
    "mute-after",
    "unknown-after",
    "held",
    "fault-before",
    "fault-after",
    "hang",
    "late",
    "lie",
    "busy",
]


class Crash(BaseException):
    """The program is gone."""


class Wreck(AssertionError):
    """The arm hit something: never acceptable."""


@dataclass
class World:
    """The discs and the trays: what is true, whatever anybody believes."""

    places: dict[Element, str | None] = field(default_factory=dict)
    trays: dict[int, Tray] = field(default_factory=dict)
    sees_closed: bool = True
    state: MachineState = MachineState.READY
    operations: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    fired: list[str] = field(default_factory=list)
    moves: int = 0
    late: tuple[float, Element] | None = None
    """When the arm, still on its way, sets its disc down, and where."""

    @classmethod
    def with_discs(cls, count: int, **more: object) -> "World":
        world = cls(**more)
        world.places = {slot(n): f"disc {n}" if n <= count else None for n in range(1, SLOTS + 1)}
        world.places |= {drive(n): None for n in range(DRIVES)} | {PICKER: None}
        world.trays = dict.fromkeys(range(DRIVES), Tray.CLOSED)
        return world

    def where(self, disc: str) -> Element:
        return next(element for element, held in self.places.items() if held == disc)

    def discs(self) -> list[str]:
        return sorted(disc for disc in self.places.values() if disc is not None)

    def fault(self) -> str | None:
        self.operations += 1
        kind = self.faults.pop(self.operations, None)
        if kind is not None:
            self.fired.append(kind)
        return kind

    def fill(self, element: Element) -> Fill:
        if element.kind is ElementKind.DRIVE and self.trays[element.number] is not Tray.OPEN and not self.sees_closed:
            return Fill.UNKNOWN
        return Fill.FULL if self.places[element] is not None else Fill.EMPTY

    def reach(self, element: Element) -> None:
        if element.kind is ElementKind.DRIVE and self.trays[element.number] is not Tray.OPEN:
            raise Wreck(f"the arm hit the closed {element}")

    def take(self, source: Element) -> None:
        self.reach(source)
        if source != PICKER:
            assert self.places[PICKER] is None
            self.places[PICKER], self.places[source] = self.places[source], None

    def put(self, destination: Element) -> None:
        self.reach(destination)
        if destination != PICKER:
            assert self.places[destination] is None
            self.places[destination], self.places[PICKER] = self.places[PICKER], None


class ModelChanger:
    """``Changer`` over a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def identify(self) -> Identity:
        return Identity("odarchive", "model", "1", "0")

    async def capabilities(self) -> Capabilities:
        return Capabilities(slots=SLOTS, drives=DRIVES, move_timeout=30.0)

    async def initialize(self) -> None:
        await trio.sleep(60)
        self.world.state = MachineState.READY

    async def status(self) -> MachineStatus:
        kind = self.world.fault()
        await trio.sleep(0.1)
        if kind == "crash":
            raise Crash
        if kind is not None and kind.startswith("mute"):
            raise CommunicationLost("mute")
        if self.world.late is not None and trio.current_time() >= self.world.late[0]:
            self.world.put(self.world.late[1])
            self.world.late = None
        state = self.world.state if self.world.late is None else MachineState.BUSY
        elements = tuple(ElementState(element, self.world.fill(element)) for element in self.world.places)
        return MachineStatus(state, elements, self.world.moves)

    async def move(self, source: Element, destination: Element) -> None:
        kind = self.world.fault()
        await self._before(kind)
        if self.world.places[source] is None:
            raise SourceEmpty(str(source))
        if self.world.places[destination] is not None:
            raise DestinationFull(str(destination))
        self.world.take(source)
        await trio.sleep(5)
        if kind == "held":
            raise PickFailed("cannot set down", held=True)
        if kind == "crash":
            raise Crash
        if kind == "late":
            self.world.late = trio.current_time() + 12, destination
            raise CommunicationLost("mute")
        self.world.put(destination)
        self.world.moves += 1
        await self._after(kind)

    async def _before(self, kind: str | None) -> None:
        match kind:
            case "mute-before":
                raise CommunicationLost("mute")
            case "fault-before":
                raise MachineFault("code 7")
            case "busy":
                raise Busy("not yet")
            case "hang":
                await trio.sleep_forever()

    async def _after(self, kind: str | None) -> None:
        match kind:
            case "mute-after":
                raise CommunicationLost("mute")
            case "unknown-after":
                raise PositionUnknown("no answer")
            case "fault-after":
                raise MachineFault("code 8")
            case "lie":
                await trio.sleep_forever()

    async def aclose(self) -> None:
        pass


class ModelDrive:
    """The tray of a drive; nothing else of it matters to a jukebox."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = DriveId(number)
        self.device = f"model:{number}"
        self.stuck = False
        self.bytes_read = 0

    async def tray(self) -> Tray:
        return self.world.trays[self.number]

    async def open_tray(self) -> None:
        await self._turn(Tray.OPEN)

    async def close_tray(self) -> None:
        await self._turn(Tray.CLOSED)

    async def _turn(self, tray: Tray) -> None:
        await trio.sleep(1)
        if self.stuck:
            raise DriveError(f"drive {self.number}: the tray is stuck")
        self.world.trays[self.number] = tray

    async def medium(self, timeout: float = 60.0) -> Medium:
        raise NotImplementedError

    async def read(self, sector: int, count: int) -> bytes:
        raise NotImplementedError


@dataclass
class Row:
    motion: Motion
    disc: str | None
    outcome: MotionOutcome | None = None
    evidence: str = ""


class MemoryJournal:
    """A journal that outlives a crash, knows the truth, and holds every outcome against it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: list[Row] = []
        self.calls = 0
        self.crash_at: tuple[int, str] | None = None

    def _call(self, act: Callable[[], None]) -> None:
        self.calls += 1
        now = self.crash_at if self.crash_at is not None and self.crash_at[0] == self.calls else None
        if now is not None and now[1] == "before":
            raise Crash
        act()
        if now is not None:
            raise Crash

    async def intend(self, source: Element, destination: Element) -> MotionId:
        motion = Motion(MotionId(len(self.rows)), source, destination)
        self._call(lambda: self.rows.append(Row(motion, self.world.places[source])))
        return motion.id

    async def settle(self, motion: MotionId, outcome: MotionOutcome, evidence: str) -> None:
        row = self.rows[motion]
        assert row.outcome is None, "settled twice"
        proven = {MotionOutcome.DONE: row.motion.destination, MotionOutcome.FAILED: row.motion.source}
        if outcome in proven and row.disc is not None:
            assert self.world.places[proven[outcome]] == row.disc, f"journal lies: {outcome} {evidence}"

        def write() -> None:
            row.outcome, row.evidence = outcome, evidence

        self._call(write)

    async def open_motions(self) -> Sequence[Motion]:
        return [row.motion for row in self.rows if row.outcome is None]

    async def home(self, drive: Element) -> Element | None:
        homes: dict[Element, Element | None] = {}
        for row in self.rows:
            source, destination = row.motion.source, row.motion.destination
            if row.outcome in (None, MotionOutcome.FAILED):
                continue
            origin = homes.pop(source, None) if source.kind is ElementKind.DRIVE else source
            done = row.outcome is MotionOutcome.DONE
            homes[destination] = origin if done and origin is not None and origin.kind is ElementKind.SLOT else None
        return homes.get(drive)
