"""Driver for jukeboxes that speak the Open Disc Jukebox Protocol (``robot/PROTOCOL.md``), as a ``robot.ports.Changer``.

For saying what the machine should do and translating what it answers. Not for the bookkeeping of numbers, silence and
repetition (``robot.changers.odjp_link``), nor for journals. Standing: proven against the simulated machine of
``robot.sim`` only.
"""

from __future__ import annotations

from collections.abc import Callable

from robot.changers.odjp_link import OdjpLink, Patience, random_session
from robot.errors import (
    BadAddress,
    Busy,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DoorOpen,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    ReturnAddressLost,
    SourceEmpty,
)
from robot.ports import ByteStream, Capabilities, Element, Fill, Identity, MachineState, MachineStatus
from robot.wire.lines import BadLineError
from robot.wire.odjp import ErrorName, Failed, Fields, Info, Init, Move, Ok, Request, Status, element_token
from robot.wire.odjp_status import decode_info, decode_status

_ERRORS: dict[str, Callable[[str], ChangerError]] = {
    ErrorName.SOURCE_EMPTY: SourceEmpty,
    ErrorName.DEST_FULL: DestinationFull,
    ErrorName.BAD_ADDRESS: BadAddress,
    ErrorName.BAD_COMMAND: BadAddress,
    ErrorName.BUSY: Busy,
    ErrorName.DRIVE_NOT_EJECTED: DriveNotEjected,
    ErrorName.DOOR_OPEN: DoorOpen,
    ErrorName.RETURN_ADDRESS_LOST: ReturnAddressLost,
}
_HELD = {"1": True, "0": False}
_INIT_SECONDS = 600.0
"""Longest homing and counting: 600 slots at a second each."""


class OdjpChanger:
    """A jukebox on a line.

    Questions are repeated by the link as often as needed. PROTOCOL.md ("Numbers") says why
    a repeated ``move`` is carried out once.

    Concurrency: one task at a time, as the port demands.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        patience: Patience | None = None,
        session: Callable[[], int] = random_session,
    ) -> None:
        """Take over ``stream``; nothing is sent before the first question.

        Args:
            stream: the line; closed by ``aclose``.
            patience: how long silence lasts before a line is repeated, and how often.
            session: draws 32 bits for each session; random, so that no machine remembers them from an earlier life.
        """
        self._link = OdjpLink(stream, patience or Patience(), session)
        self._info: tuple[Identity, Capabilities] | None = None

    async def identify(self) -> Identity:
        """Ask who the machine is. Raises CommunicationLost."""
        self._info = None
        return (await self._ask_info())[0]

    async def capabilities(self) -> Capabilities:
        """What the machine can do; asked once. Raises CommunicationLost."""
        return (await self._ask_info())[1]

    async def status(self) -> MachineStatus:
        """Read state, map and counters. Raises CommunicationLost."""
        fields = await self._query(Status())
        try:
            return decode_status(fields)
        except BadLineError as error:
            raise CommunicationLost(f"the jukebox answers STATUS with what cannot be read: {error}") from error

    async def initialize(self) -> None:
        """Home and count; nothing is done when the machine is ready and knows all its slots."""
        now = await self.status()
        if now.state is not MachineState.READY or any(e.fill is Fill.UNKNOWN for e in now.elements):
            await self._motion(Init(), "INIT", _INIT_SECONDS)

    async def move(self, source: Element, destination: Element) -> None:
        """Carry a disc; see the port. A jukebox that was restarted in between makes this PositionUnknown."""
        try:
            what = f"MOVE {element_token(source)} {element_token(destination)}"
        except BadLineError as error:
            raise BadAddress(str(error)) from error
        limit = (await self.capabilities()).move_timeout
        await self._motion(Move(source, destination), what, limit)

    async def aclose(self) -> None:
        """Close the line; the machine stays as it is."""
        await self._link.aclose()

    async def _ask_info(self) -> tuple[Identity, Capabilities]:
        if self._info is None:
            fields = await self._query(Info())
            try:
                self._info = decode_info(fields)
            except BadLineError as error:
                raise CommunicationLost(f"the jukebox answers INFO with what cannot be read: {error}") from error
        return self._info

    async def _query(self, request: Request) -> Fields:
        match await self._link.query(request):
            case Ok(fields):
                return fields
            case Failed(name, fields):
                raise _translate(type(request).__name__.upper(), name, fields)

    async def _motion(self, request: Request, what: str, limit: float) -> None:
        match await self._link.motion(request, what, limit):
            case Ok():
                return
            case Failed(name, fields):
                raise _translate(what, name, fields)


def _translate(what: str, name: str, fields: Fields) -> ChangerError:
    said = dict(fields)
    message = f"{what}: the jukebox answers {name}" + "".join(f" {key}={value}" for key, value in fields)
    if name == ErrorName.PICK_FAILED:
        return PickFailed(message, held=_HELD.get(said.get("held", "")))
    if name == ErrorName.NOT_READY:
        return MachineFault(f"{message}: it has not homed since it was switched on or opened; initialize it")
    return _ERRORS.get(name, MachineFault)(message)
