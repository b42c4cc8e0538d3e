"""What the rest of the program asks of a machine, and what a machine asks of the program.

Pure: no framework, no I/O. Each Protocol is small, states its contract in its docstring, and has one contract suite in
``tests/contract`` that runs on every implementation. Units: bytes, seconds, 2,048-byte sectors.

Element numbers follow mtx: slots and mailslots count from 1, drives and pickers from 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

SECTOR = 2048
"""Bytes in a sector of every medium here (ECMA-119, ECMA-167 on optical media)."""

SlotId = NewType("SlotId", int)
DriveId = NewType("DriveId", int)
MotionId = NewType("MotionId", int)


class ElementKind(StrEnum):
    """Where a disc can be (SMC element types; bins are the stacks of machines without random access)."""

    SLOT = "slot"
    DRIVE = "drive"
    MAILSLOT = "mailslot"
    PICKER = "picker"
    INPUT_BIN = "input-bin"
    OUTPUT_BIN = "output-bin"
    REJECT_BIN = "reject-bin"


@dataclass(frozen=True, slots=True, order=True)
class Element:
    """One place for a disc in a machine."""

    kind: ElementKind
    number: int

    def __str__(self) -> str:
        return f"{self.kind.value} {self.number}"


def slot(number: int) -> Element:
    """The element of storage slot ``number`` (from 1)."""
    return Element(ElementKind.SLOT, number)


def drive(number: int) -> Element:
    """The element of drive ``number`` (from 0)."""
    return Element(ElementKind.DRIVE, number)


PICKER = Element(ElementKind.PICKER, 0)


class Fill(StrEnum):
    """Whether an element holds a disc, as far as anybody can tell. ``UNKNOWN`` is an answer, not an error."""

    FULL = "full"
    EMPTY = "empty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ElementState:
    """What the machine says of one element. A hint, never proof of *which* disc it is."""

    element: Element
    fill: Fill
    source: Element | None = None
    """Where the disc came from, if the machine says so (SMC SValid); often wrong on real machines."""
    volume_tag: str | None = None
    exception: str | None = None
    """The machine's own words or code for what is wrong with this element."""


class MachineState(StrEnum):
    """The machine as a whole."""

    READY = "ready"
    BUSY = "busy"
    DOOR_OPEN = "door-open"
    UNINITIALISED = "uninitialised"
    """It has power but has not homed or counted since; ``initialize()`` first."""
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a machine can do; constant while it is connected."""

    slots: int
    drives: int
    mailslots: int = 0
    random_access: bool = True
    tray_by_host: bool = True
    """The host must open the drive's tray before a move touches it (false: the machine presses the button)."""
    reports_source: bool = True
    volume_tags: bool = False
    can_flip: bool = False
    has_reject: bool = False
    move_timeout: float = 120.0
    """Seconds within which a single move has ended or the machine is broken."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the machine says it is."""

    vendor: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """A reading of the machine's sensors and counters at one moment."""

    state: MachineState
    elements: tuple[ElementState, ...]
    moves: int | None
    """Discs moved since the machine was made, if it counts; each pick-and-place counts one."""
    epoch: str | None = None
    """Changes whenever the machine lost power or a door was opened, if it can tell: slots are then not trusted."""

    def of(self, element: Element) -> ElementState:
        """The state of one element.

        Raises:
            KeyError: the machine has no such element.
        """
        for state in self.elements:
            if state.element == element:
                return state
        raise KeyError(str(element))


class ByteStream(Protocol):
    """A line to a machine: bytes in order, in both directions, with no framing.

    Implementations: a serial port, an in-memory pair for tests. Used by one task at a time.
    """

    async def send(self, data: bytes) -> None:
        """Write all of ``data``. Raises CommunicationLost if the line is gone."""
        ...

    async def receive(self) -> bytes:
        """Wait for at least one byte and return what is there (cancellable, nothing lost on cancel).

        Raises CommunicationLost if the line is gone.
        """
        ...

    async def aclose(self) -> None:
        """Close the line; idempotent."""
        ...


class Changer(Protocol):
    """The arm that moves discs between elements.

    One task uses a changer at a time (the jukebox holds the lock). No method retries a motion: a driver may repeat a
    *query*, and may repeat a motion only where the protocol itself guarantees it is executed once (sequence numbers).
    Cancellation: a cancelled ``move`` does not stop the arm; the caller must take both ends as unknown.
    """

    async def identify(self) -> Identity:
        """Ask who the machine is. Harmless at any time."""
        ...

    async def capabilities(self) -> Capabilities:
        """Ask what the machine can do; may be cached."""
        ...

    async def status(self) -> MachineStatus:
        """Read state, sensors and counters now. Moves nothing.

        Raises:
            CommunicationLost: no valid answer within the driver's time.
        """
        ...

    async def initialize(self) -> None:
        """Home the arm and count the discs; may take minutes; harmless when already done."""
        ...

    async def move(self, source: Element, destination: Element) -> None:
        """Take the disc at ``source`` and put it to ``destination``; returns when it lies there.

        Not idempotent. Raises any ChangerError; after PositionUnknown or CommunicationLost nobody knows where the
        disc is until ``status`` and the disc's own label say so.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the line; the machine stays as it is. Idempotent."""
        ...


class Tray(StrEnum):
    """Where a drive's tray is."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Medium:
    """What the drive says of the disc in it, right now."""

    profile: str
    """Such as ``bd-r``, ``dvd+r``, ``cd-r`` (MMC profile) or ``stdio`` for a file-backed pseudo-medium."""
    blank: bool
    """Proven by the drive: nothing was ever written."""
    capacity: int
    """Bytes a burn may write onto it when blank (the drive's own answer, not a table)."""
    readable: int
    """Bytes that can be read back; 0 when blank."""
    maker: str = ""
    """The manufacturer's id of the medium, such as ``CMCMAG/BA5/0``; empty if the drive does not tell."""

    @property
    def kind(self) -> str:
        """Profile and maker in one: discs of one batch say the same."""
        return f"{self.profile} {self.maker}".rstrip()


class Drive(Protocol):
    """One optical drive (or its file-backed stand-in): tray, readiness, medium, raw reads.

    Public methods state an end, not a motion: opening an open tray is harmless. Every wait ends.
    """

    @property
    def number(self) -> DriveId:
        """Its number in the machine, from 0."""
        ...

    @property
    def device(self) -> str:
        """The address a burning program takes, such as ``/dev/sr0`` or ``stdio:PATH``."""
        ...

    @property
    def bytes_read(self) -> int:
        """How many bytes ``read`` has given since this object was made."""
        ...

    async def tray(self) -> Tray:
        """Where the tray is, asked of the drive."""
        ...

    async def open_tray(self) -> None:
        """Unlock and eject; returns when the tray is out. Raises DriveError (busy, stuck)."""
        ...

    async def close_tray(self) -> None:
        """Pull the tray in; returns when it is in (the medium may still spin up). Raises DriveError."""
        ...

    async def medium(self, timeout: float = 60.0) -> Medium:
        """Wait until the drive is ready and tell what is in it.

        Raises:
            NoMedium: closed and empty (or unrecognisable) after ``timeout`` seconds.
            NotReady: still busy after ``timeout`` seconds.
        """
        ...

    async def read(self, sector: int, count: int) -> bytes:
        """Read ``count`` whole sectors from ``sector`` on; returns exactly ``count * 2048`` bytes.

        Reads past the readable end and unreadable sectors raise ReadFailed. Bypasses stale caches of the kernel.
        """
        ...


@dataclass(frozen=True, slots=True)
class BurnProgress:
    """Where a burn is."""

    written: int
    total: int
    speed: float | None = None
    """Bytes a second, as the burning program reports or as measured."""
    buffer_percent: int | None = None


@dataclass(frozen=True, slots=True)
class BurnReport:
    """What the burning program said in the end. Evidence only that it believes itself: verify by reading back."""

    program: str
    written: int
    seconds: float
    log_tail: tuple[str, ...] = field(default=(), repr=False)


class ImageSource(Protocol):
    """An image that is made while it is burned."""

    def write_to(self, descriptor: int) -> None:
        """Write all bytes of the image to a pipe. Blocking, called once, in a thread; does not close the pipe.

        Whatever it raises spoils the disc and becomes a BurnError, but for a BrokenPipeError: the burning program has
        ended and says why.
        """
        ...


class Burner(Protocol):
    """Writes an image onto the blank medium in a drive by an external program."""

    async def burn(
        self,
        target: Drive,
        image: Path | ImageSource,
        size: int,
        *,
        progress: Callable[[BurnProgress], None] | None = None,
    ) -> BurnReport:
        """Write exactly ``size`` bytes of ``image``, close the disc, and return.

        Proves the medium blank and large enough right before the first byte. Never repeated on the same medium.
        Cancellation: a running burn is finished, not killed, unless it shows no progress for a stated time.

        Raises:
            NotBlank, TooSmall, BurnerMissing, MediumRefused: nothing was written.
            BurnError: see ``medium_touched``.
        """
        ...

    async def wait_idle(self, target: Drive, timeout: float) -> bool:
        """Wait until no burning program of an earlier life still writes to this drive; False if one still does."""
        ...


class MotionOutcome(StrEnum):
    """How a journaled motion ended."""

    DONE = "done"
    FAILED = "failed"
    """Proven not to have moved the disc."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Motion:
    """One journaled intent to move a disc."""

    id: MotionId
    source: Element
    destination: Element


class MotionJournal(Protocol):
    """Durable memory of arm movements, supplied by the archive. Each call has hit the disk when it returns.

    Implementations write to the catalogue, so one call also updates what is believed of the two elements: after
    ``settle(UNKNOWN)`` both ends are unknown there.
    """

    async def intend(self, source: Element, destination: Element) -> MotionId:
        """Record that a move is about to be commanded."""
        ...

    async def settle(self, motion: MotionId, outcome: MotionOutcome, evidence: str) -> None:
        """Record how it ended and what says so."""
        ...

    async def open_motions(self) -> Sequence[Motion]:
        """Intents without an outcome, oldest first: what a crash left behind."""
        ...

    async def home(self, drive: Element) -> Element | None:
        """The slot the disc now in ``drive`` was taken from, by motions settled as done; None if that is not known."""
        ...
