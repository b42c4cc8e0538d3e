"""Driver for the optical-disc robot this project descends from: four piles round a turning gripper, typed at in Python.

For turning moves into lines at a MicroPython prompt. Not for trays: the host opens the drive. Standing: proven against
the simulated machine; facts from the public source of the ancestor's program, gaps filled by guesses that
``robot.wire.odrobot`` names; never on the machine.

Rules: the drive is never unloaded unless it is known to hold a disc (the gripper would reach for the drive's bare hub):
known from the orders of this life, or by looking into it. The gripper has no sensor: whether a disc was gripped shows
only in what the drive finds. A grip does not last: a disc is never left in the gripper on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio

from robot.changers.exchange import Exchange
from robot.changers.look import Look
from robot.changers.unproven import warn_unproven
from robot.errors import (
    BadAddress,
    CommunicationLost,
    DestinationFull,
    MachineFault,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    ByteStream,
    Capabilities,
    DriveId,
    Element,
    ElementKind,
    ElementState,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
    drive,
)
from robot.wire.odrobot import (
    IMPORT,
    STATE,
    BadAnswerError,
    Calibration,
    Step,
    ZState,
    approach,
    cut_answer,
    decode_answer,
    drop,
    encode_line,
    is_error,
    make_safe,
    take,
)

LINE_LIMIT = 30.0
"""Seconds for one line; the ancestor gives up after 20 s of silence."""
MOVE_LIMIT = 180.0
"""Seconds for all of them; about 80 s are pauses and ways."""
DRIVE = drive(0)
PLACES = {
    Element(ElementKind.INPUT_BIN, 1): "in",
    Element(ElementKind.OUTPUT_BIN, 1): "out",
    DRIVE: "od",
    Element(ElementKind.REJECT_BIN, 1): "waste",
}


class OdRobotChanger:
    """The robot.

    Concurrency: one task at a time. A cancel takes effect when the arm rests.
    """

    proven = False

    def __init__(self, stream: ByteStream, *, calibration: Calibration | None = None, look: Look | None = None) -> None:
        """Nothing is sent before the first question.

        Args:
            stream: the line, as ``robot.wire.odrobot.SETTINGS`` says; closed by ``aclose``.
            calibration: of this robot; the ancestor's defaults otherwise.
            look: looks into the drive before it is unloaded, when it is not known what it holds.
        """
        self._exchange = Exchange(stream, cut_answer)
        self._calibration = calibration or Calibration()
        self._look = look
        self._safe = False
        self._trouble = False
        self._fill = Fill.UNKNOWN
        warn_unproven("the MicroPython disc robot")

    async def identify(self) -> Identity:
        """Fixed: the board has no word for it."""
        return Identity("odarchive ancestor", "od_robot", "MicroPython", "")

    async def capabilities(self) -> Capabilities:
        """Four piles, one of them on the drive's tray."""
        return Capabilities(
            slots=0, drives=1, random_access=False, reports_source=False, has_reject=True, move_timeout=MOVE_LIMIT
        )

    async def status(self) -> MachineStatus:
        """What is known of it; it has no sensors but the switches of its axis."""
        if self._exchange.lost or not self._safe:
            state = MachineState.UNINITIALISED
        else:
            state = MachineState.FAULT if self._trouble else MachineState.READY
        fills = [(place, self._fill if place == DRIVE else Fill.UNKNOWN) for place in PLACES]
        return MachineStatus(state, tuple(ElementState(place, fill) for place, fill in fills), None)

    async def initialize(self) -> None:
        """Import the board's program and make safe; a disc in the gripper is let go where it is."""
        if (await self.status()).state is MachineState.READY:
            return
        self._trouble = self._exchange.lost = False
        # an empty line ends one that was left half typed, and is answered after one that still runs
        await self._exchange.collect(encode_line(""), LINE_LIMIT)
        await self._type([Step(IMPORT), *make_safe(self._calibration)])
        if await self._z_state() != ZState.TOP:
            raise MachineFault("the tool head does not reach its upper switch; look at the robot")
        self._safe = True

    async def move(self, source: Element, destination: Element) -> None:
        """Carry the top disc; see the port."""
        first, second = self._names(source, destination)
        if self._exchange.lost or self._trouble or not self._safe:
            raise MachineFault("the robot was not made safe since it was opened, or stopped: initialize it")
        await self._refuse(source, destination)
        self._safe = False
        with trio.CancelScope(shield=True):  # bounded by the limits of its lines
            await self._carry(source, first, second)
        self._safe = True
        if DRIVE in (source, destination):
            self._fill = Fill.FULL if destination == DRIVE else Fill.EMPTY

    async def aclose(self) -> None:
        """Close the line; the robot stays as it is."""
        await self._exchange.aclose()

    def _names(self, source: Element, destination: Element) -> tuple[str, str]:
        if source == destination or source not in PLACES or destination not in PLACES:
            raise BadAddress(f"{source} to {destination}: this robot cannot move a disc that way")
        first, second = PLACES[source], PLACES[destination]
        if self._calibration.bins[first].pickup_time <= 0:
            raise BadAddress(f"{source}: by its calibration, nothing is taken from {first!r}")
        return first, second

    async def _refuse(self, source: Element, destination: Element) -> None:
        """Keep the gripper out of an empty drive, and a second disc off a full one."""
        if source == DRIVE and self._fill is Fill.UNKNOWN and self._look:
            self._fill = await self._look(DriveId(DRIVE.number))
        if source == DRIVE and self._fill is Fill.EMPTY:
            raise SourceEmpty("the drive holds no disc: its hub would be gripped")
        if source == DRIVE and self._fill is Fill.UNKNOWN:
            raise MachineFault("whether the drive holds a disc is not known: look, or unload it by hand")
        if destination == DRIVE and self._fill is Fill.FULL:
            raise DestinationFull("the drive holds a disc, by the moves made so far")

    async def _carry(self, source: Element, first: str, second: str) -> None:
        steps = self._calibration
        await self._type([*make_safe(steps), *approach(steps, first)])
        if await self._z_state() != ZState.BOTTOM:
            await self._type(make_safe(steps))
            self._safe = True
            raise SourceEmpty(f"{source}: the tool head meets no disc there")
        if DRIVE in (source, *(place for place, name in PLACES.items() if name == second)):
            self._fill = Fill.UNKNOWN
        await self._type([*take(steps), *drop(steps, second)])

    async def _type(self, steps: Iterable[Step]) -> None:
        for step in steps:
            await self._line(step.text)
            await trio.sleep(step.pause)

    async def _line(self, text: str) -> str:
        """Type one line and return what the board prints.

        Raises:
            MachineFault: Python raised an exception.
            PositionUnknown: no prompt in time, or another line was understood than was typed.
        """
        try:
            answer = await self._exchange.order(encode_line(text), LINE_LIMIT, lambda _: True)
            said = decode_answer(answer, text)
        except BadAnswerError as error:
            self._exchange.lost = True
            raise PositionUnknown(f"{text}: {error}; look where the disc is") from error
        if is_error(answer):
            self._trouble = True
            raise MachineFault(f"{text}: the robot says {said}")
        return said

    async def _z_state(self) -> int:
        said = await self._line(STATE)
        try:
            return int(said)
        except ValueError as error:
            self._exchange.lost = True
            raise CommunicationLost(f"{STATE}: the robot says {said!r}") from error
