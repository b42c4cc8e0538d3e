"""Driver for disc duplicators with the "generic" one-letter command set: a stack machine with one drive.

For turning moves between bins and the drive into letters. Not for trays: the host opens the drive before ``I``, ``G``
and ``A``, and waits until it is out. Standing: proven against the simulated machine; never on one.

What such a machine cannot tell: how many discs a bin holds, whether the drive holds one, whether the picker does.
So all of these are UNKNOWN, except what follows from the orders of this life. An ``E`` to ``I`` may be an empty bin, a
failed pick, or (a Kodak unit, with five discs or fewer left) a success: the drive itself has to be looked into.
"""

from __future__ import annotations

import trio

from robot.changers.exchange import Exchange
from robot.changers.look import Look
from robot.changers.unproven import warn_unproven
from robot.errors import (
    BadAddress,
    ChangerError,
    DestinationFull,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    PICKER,
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
from robot.wire.oneletter import Code, Letter, Reply, cut_reply, decode_status, describe, encode, is_reply

MOVE_LIMIT = 60.0
"""Seconds a letter may take; drivers in use wait 30 s."""
HOME_LIMIT = 120.0
QUERY_LIMIT = 3.0
INPUT = Element(ElementKind.INPUT_BIN, 1)
OUTPUT = Element(ElementKind.OUTPUT_BIN, 1)
REJECT = Element(ElementKind.REJECT_BIN, 1)
DRIVE = drive(0)

_ORDERS: dict[tuple[Element, Element], tuple[Letter, ...]] = {
    (INPUT, DRIVE): (Letter.INSERT,),
    (DRIVE, OUTPUT): (Letter.ACCEPT,),
    (DRIVE, REJECT): (Letter.GET, Letter.REJECT),
    (DRIVE, PICKER): (Letter.GET,),
    (PICKER, REJECT): (Letter.REJECT,),
    (PICKER, OUTPUT): (Letter.ACCEPT,),
}
"""Every move such a machine can make."""
_BROKEN = range(Code.TOP_SENSOR, Code.TRAY_EMPTY)
"""Numbers that speak of sensors and motors, not of discs."""


class OneLetterChanger:
    """A duplicator.

    Concurrency: one task at a time. A cancel takes effect when the arm rests.
    """

    proven = False

    def __init__(self, stream: ByteStream, *, look: Look | None = None, get_first: bool = False) -> None:
        """Nothing is sent before the first question.

        Args:
            stream: the line, as ``robot.wire.oneletter.SETTINGS`` says; closed by ``aclose``.
            look: looks into the drive after an ``E``; without it such an end is PositionUnknown.
            get_first: send ``G`` before ``A``, which some machines need.
        """
        self._exchange = Exchange(stream, cut_reply)
        self._look = look
        self._get_first = get_first
        self._homed = False
        self._trouble = False
        self._fills = {DRIVE: Fill.UNKNOWN, PICKER: Fill.UNKNOWN}
        warn_unproven("duplicators with the one-letter command set")

    async def identify(self) -> Identity:
        """What it says to ``V``; in what form, differs. Raises CommunicationLost if the line is gone."""
        said = await self._exchange.collect(encode(Letter.VERSION), QUERY_LIMIT)
        text = "".join(chr(byte) for byte in said if 32 <= byte < 127).strip()
        return Identity("generic", "duplicator", text.removesuffix("X").strip(), "")

    async def capabilities(self) -> Capabilities:
        """Three bins and a drive."""
        return Capabilities(
            slots=0, drives=1, random_access=False, reports_source=False, has_reject=True, move_timeout=2 * MOVE_LIMIT
        )

    async def status(self) -> MachineStatus:
        """What is known of it by its answers so far; there is no question it would answer."""
        if self._exchange.lost or not self._homed:
            state = MachineState.UNINITIALISED
        else:
            state = MachineState.FAULT if self._trouble else MachineState.READY
        fills = {INPUT: Fill.UNKNOWN, OUTPUT: Fill.UNKNOWN, REJECT: Fill.UNKNOWN, **self._fills}
        return MachineStatus(state, tuple(ElementState(element, fill) for element, fill in fills.items()), None)

    async def initialize(self) -> None:
        """Sign on and calibrate, unless that was done and nothing has gone wrong since."""
        if (await self.status()).state is MachineState.READY:
            return
        await self._exchange.collect(encode(Letter.VERSION), MOVE_LIMIT)  # it answers when the arm rests
        answer = await self._exchange.order(encode(Letter.CALIBRATE), HOME_LIMIT, is_reply)
        if answer == Reply.FAILURE.value:
            raise MachineFault(f"the machine cannot calibrate: {describe(await self._code())}")
        self._homed, self._trouble, self._exchange.lost = True, False, False

    async def move(self, source: Element, destination: Element) -> None:
        """Carry the top disc; see the port."""
        letters = _ORDERS.get((source, destination))
        if letters is None:
            raise BadAddress(f"{source} to {destination}: this machine cannot move a disc that way")
        if self._exchange.lost or not self._homed:
            raise MachineFault("the machine was not calibrated since it was opened: initialize it")
        self._refuse(source, destination)
        if self._get_first and letters == (Letter.ACCEPT,) and source == DRIVE:
            letters = (Letter.GET, Letter.ACCEPT)
        self._forget(source, destination)
        with trio.CancelScope(shield=True):  # bounded by the limits of the letters
            for letter in letters:
                await self._do(letter)
        self._know(source, Fill.EMPTY)
        self._know(destination, Fill.FULL)

    async def aclose(self) -> None:
        """Close the line."""
        await self._exchange.aclose()

    def _refuse(self, source: Element, destination: Element) -> None:
        """What our own record already rules out: this machine would put a second disc onto the first."""
        if self._fills[PICKER] is Fill.FULL and source != PICKER:
            raise PickFailed("the picker holds a disc: move it to the reject bin first", held=True)
        if self._fills.get(source) is Fill.EMPTY:
            raise SourceEmpty(f"{source} holds no disc, by the orders given so far")
        if self._fills.get(destination) is Fill.FULL:
            raise DestinationFull(f"{destination} holds a disc, by the orders given so far")

    def _know(self, element: Element, fill: Fill) -> None:
        if element in self._fills:
            self._fills[element] = fill

    def _forget(self, *elements: Element) -> None:
        for element in elements:
            self._know(element, Fill.UNKNOWN)

    async def _do(self, letter: Letter) -> None:
        """Give one order and weigh its answer. Every letter takes a disc on the way, and may keep it."""
        self._forget(PICKER)
        try:
            answer = await self._exchange.order(encode(letter), MOVE_LIMIT, is_reply)
        except PositionUnknown as silence:
            raise PositionUnknown(f"{letter.value}: {silence}") from silence
        if answer == Reply.SUCCESS.value:
            self._know(PICKER, Fill.FULL if letter is Letter.GET else Fill.EMPTY)
            return
        code = await self._code()
        error = self._weigh(letter, code)
        if letter is Letter.INSERT:
            await self._look_after_insert(error)
        else:
            raise error

    def _weigh(self, letter: Letter, code: int | None) -> ChangerError:
        said = f"{letter.value}: the machine answers E, {describe(code)}"
        if code is not None and (code in _BROKEN or code not in set(Code)):
            self._trouble = True
            return MachineFault(said)
        if (letter, code) in {(Letter.INSERT, Code.INPUT_EMPTY), (Letter.GET, Code.TRAY_EMPTY)}:
            return SourceEmpty(said)
        if (letter, code) == (Letter.ACCEPT, Code.TRAY_EMPTY):
            return SourceEmpty(said)
        return PickFailed(said, held=None)

    async def _look_after_insert(self, error: ChangerError) -> None:
        """Whether the drive got a disc although the machine says that it failed."""
        fill = await self._look(DriveId(DRIVE.number)) if self._look else Fill.UNKNOWN
        match fill:
            case Fill.FULL:
                self._know(PICKER, Fill.EMPTY)
            case Fill.EMPTY:
                self._know(DRIVE, Fill.EMPTY)
                raise error
            case Fill.UNKNOWN:
                raise PositionUnknown(f"{error}; look whether the drive got a disc") from error

    async def _code(self) -> int | None:
        return decode_status(await self._exchange.collect(encode(Letter.STATUS), QUERY_LIMIT))
