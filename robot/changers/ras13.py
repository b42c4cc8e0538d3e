"""Driver for Rimage's RAS-13 robot (DTP-4500): a stack machine with three bins and up to four drives.

For turning moves into a grab and a put. Not for trays: the host opens the drive and waits until it is out. Standing:
proven against the simulated machine; the commands are from a sniffed conversation; never on a machine.

A disc rests in the picker between grab and put, and the machine does not tell whether one does: the picker is what the
orders of this life have made of it, UNKNOWN at first. Bins are stacks: what lies on top is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from robot.changers.exchange import Exchange, Wanted
from robot.changers.unproven import warn_unproven
from robot.errors import (
    BadAddress,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    PICKER,
    ByteStream,
    Capabilities,
    Element,
    ElementKind,
    ElementState,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
    drive,
)
from robot.wire.ras13 import (
    DONE,
    STATUS,
    VERSION,
    Act,
    Motion,
    Place,
    State,
    cut_reply,
    decode_state,
    decode_version,
    encode_motion,
    is_motion_reply,
)

MOVE_LIMIT = 60.0
"""Seconds for a grab or a put; judged, not measured."""
QUERY_LIMIT = 3.0
QUERY_TRIES = 3
ROLES = (ElementKind.INPUT_BIN, ElementKind.OUTPUT_BIN, ElementKind.REJECT_BIN)
"""What bins 1, 2, 3 are for, unless told otherwise."""


class Ras13Changer:
    """A Rimage robot.

    Concurrency: one task at a time. A cancel takes effect when the arm rests.
    """

    proven = False

    def __init__(self, stream: ByteStream, *, drives: int = 1, roles: Sequence[ElementKind] = ROLES) -> None:
        """Nothing is sent before the first question.

        Args:
            stream: the line, as ``robot.wire.ras13.SETTINGS`` says; closed by ``aclose``.
            drives: how many of its four places for drives are in use, from the top: drive 0 is the top one.
            roles: what each bin is for, from bin 1; two bins of a kind are numbered in their order.
        """
        self._exchange = Exchange(stream, cut_reply)
        self._places: dict[Element, tuple[Place, int]] = {}
        for number, kind in enumerate(roles, 1):
            count = sum(known.kind is kind for known in self._places) + 1
            self._places[Element(kind, count)] = (Place.BIN, number)
        for number in range(drives):
            self._places[drive(number)] = (Place.DRIVE, number + 1)
        self._drives = drives
        self._fills = dict.fromkeys((*(drive(number) for number in range(drives)), PICKER), Fill.UNKNOWN)
        self._homed = False
        self._trouble = False
        warn_unproven("Rimage RAS-13 robots")

    async def identify(self) -> Identity:
        """Its firmware's name. Raises CommunicationLost."""
        reply = await self._ask(VERSION, lambda answer: decode_version(answer) is not None)
        return Identity("Rimage", "RAS-13", decode_version(reply) or "", "")

    async def capabilities(self) -> Capabilities:
        """Its bins and drives as configured."""
        return Capabilities(
            slots=0,
            drives=self._drives,
            random_access=False,
            reports_source=False,
            has_reject=any(place.kind is ElementKind.REJECT_BIN for place in self._places),
            move_timeout=2 * MOVE_LIMIT + 10,
        )

    async def status(self) -> MachineStatus:
        """Its own state, and what our orders have made of drives and picker. Raises CommunicationLost."""
        state = await self._state()
        elements = {place: self._fills.get(place, Fill.UNKNOWN) for place in (*self._places, PICKER)}
        return MachineStatus(state, tuple(ElementState(place, fill) for place, fill in elements.items()), None)

    async def initialize(self) -> None:
        """Send the picker home, unless that was done and nothing has gone wrong since."""
        if (await self.status()).state is MachineState.READY:
            return
        if await self._exchange.order(encode_motion(Motion(Place.HOME)), MOVE_LIMIT, is_motion_reply) != DONE:
            raise MachineFault(f"the robot cannot go home: its state is {await self._code()}")
        self._homed, self._trouble, self._exchange.lost = True, False, False

    async def move(self, source: Element, destination: Element) -> None:
        """Carry the top disc; see the port."""
        for end in (source, destination):
            if end not in self._places and end != PICKER:
                raise BadAddress(f"{end}: this robot has no such place")
        if source == destination:
            raise BadAddress(f"{source}: source and destination are the same")
        if self._exchange.lost or not self._homed:
            raise MachineFault("the robot was not sent home since it was opened: initialize it")
        self._refuse(source, destination)
        with trio.CancelScope(shield=True):  # bounded by the limits of the orders
            if source != PICKER:
                await self._act(source, Act.GRAB)
            if destination != PICKER:
                await self._act(destination, Act.PUT)

    async def aclose(self) -> None:
        """Close the line."""
        await self._exchange.aclose()

    def _refuse(self, source: Element, destination: Element) -> None:
        """What our own record already rules out."""
        if self._fills[PICKER] is Fill.FULL and source != PICKER:
            raise PickFailed("the picker holds a disc: move it to a bin first", held=True)
        if self._fills.get(source) is Fill.EMPTY:
            raise SourceEmpty(f"{source} holds no disc, by the orders given so far")
        if self._fills.get(destination) is Fill.FULL:
            raise DestinationFull(f"{destination} holds a disc, by the orders given so far")

    async def _act(self, element: Element, act: Act) -> None:
        """Grab or put. The record is unknown from the order on, until its answer."""
        place, number = self._places[element]
        what = f"{act.name.lower()} at {element}"
        self._know(element, Fill.UNKNOWN)
        self._know(PICKER, Fill.UNKNOWN)
        try:
            reply = await self._exchange.order(encode_motion(Motion(place, number, act)), MOVE_LIMIT, is_motion_reply)
        except PositionUnknown as error:
            raise PositionUnknown(f"{what}: {error}") from error
        if reply == DONE:
            self._know(PICKER, Fill.FULL if act is Act.GRAB else Fill.EMPTY)
            self._know(element, Fill.EMPTY if act is Act.GRAB else Fill.FULL)
            return
        raise await self._why(what, act)

    async def _why(self, what: str, act: Act) -> ChangerError:
        """Why an order failed, by the state afterwards. After a failed put the disc is most likely still held."""
        try:
            code = await self._code()
        except CommunicationLost as error:
            return PositionUnknown(f"{what}: failed, and then: {error}")
        said = f"{what}: the robot answers that it failed, its state is {code:03}"
        if act is Act.PUT and code in (State.READY, State.NO_TRAY):
            self._know(PICKER, Fill.FULL)
        match code:
            case State.NO_TRAY:
                return DriveNotEjected(said)
            case State.NO_DISC if act is Act.GRAB:
                return SourceEmpty(said)
            case State.READY | State.NO_DISC | State.BUSY:
                return PickFailed(said, held=True if act is Act.PUT and code == State.READY else None)
            case _:
                self._trouble = True
                return MachineFault(said)

    def _know(self, element: Element, fill: Fill) -> None:
        if element in self._fills:
            self._fills[element] = fill

    async def _state(self) -> MachineState:
        code = await self._code()
        if code == State.BUSY:
            return MachineState.BUSY
        if self._exchange.lost or not self._homed:
            return MachineState.UNINITIALISED
        return MachineState.FAULT if self._trouble or code not in set(State) else MachineState.READY

    async def _code(self) -> int:
        code = decode_state(await self._ask(STATUS, lambda reply: decode_state(reply) is not None))
        assert code is not None  # noqa: S101  only such replies are wanted
        return code

    async def _ask(self, command: bytes, wanted: Wanted) -> bytes:
        """A question may be repeated: it moves nothing."""
        for _ in range(QUERY_TRIES - 1):
            try:
                return await self._exchange.ask(command, QUERY_LIMIT, wanted)
            except CommunicationLost:
                continue
        return await self._exchange.ask(command, QUERY_LIMIT, wanted)
