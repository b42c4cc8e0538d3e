"""Exchanges over the Open Disc Jukebox Protocol: sessions, numbers, silence, repetition.

For getting one answer to one request over a line that loses, delays and spoils bytes, without anything happening
twice. Not for what requests mean (``robot.changers.odjp``).

Rules: a line is repeated only under its own number, and a bounded number of times; replies under any other number are
dropped; a motion whose answer cannot be had ends as PositionUnknown, never as failed.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from robot.errors import CommunicationLost, MachineFault, PositionUnknown
from robot.ports import ByteStream
from robot.wire.lines import MACHINE_LINE_LIMIT, BadLineError, LineSplitter
from robot.wire.odjp import (
    HIGHEST_NUMBER,
    VERSION,
    Ack,
    Boot,
    Command,
    ErrorName,
    Failed,
    Fields,
    Hello,
    More,
    Nak,
    Ok,
    Reply,
    Request,
    Running,
    decode_reply,
    encode_command,
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How a host deals with silence. The defaults suit 115200 baud and signs of life at most 2 s apart."""

    silence: float = 3.0
    """Seconds without a line for us after which the command is repeated."""
    repeats: int = 5
    """Repetitions in a row without any line for us after which the machine counts as mute."""


def random_session() -> int:
    """32 random bits, from the system's own source."""
    return secrets.randbits(32)


class _RestartedError(Exception):
    """The machine has lost its memory of this session."""


class _MuteError(Exception):
    """No answer to any copy."""


@dataclass(slots=True)
class _Exchange:
    """One command and what has been heard of it so far."""

    command: Command
    copies: int = 0
    misses: int = 0
    has_begun: bool = False
    heeds_nak: bool = True
    parts: dict[int, Fields] = field(default_factory=dict)


class OdjpLink:
    """One line and the session on it.

    Concurrency: one exchange at a time. A cancelled exchange leaves the link usable: its late replies carry a number
    nobody waits for.
    """

    def __init__(self, stream: ByteStream, patience: Patience, draw_session: Callable[[], int]) -> None:
        self._stream = stream
        self._patience = patience
        self._draw_session = draw_session
        self._splitter = LineSplitter(MACHINE_LINE_LIMIT + 1)
        self._heard: deque[Reply] = deque()
        self._number = 0
        self._has_session = False

    async def query(self, request: Request) -> Ok | Failed:
        """Ask something that moves nothing; repeated until answered, over restarts too.

        Raises:
            CommunicationLost: no answer.
        """
        for _ in range(1 + self._patience.repeats):
            await self._open_session()
            try:
                return await self._converse(_Exchange(self._next(request)))
            except _RestartedError:
                self._has_session = False
            except _MuteError as error:
                raise self._mute(request) from error
        raise CommunicationLost("the jukebox keeps restarting; check its power supply")

    async def motion(self, request: Request, what: str, limit: float) -> Ok | Failed:
        """Have something moved, once.

        Args:
            request: the motion.
            what: its name in messages.
            limit: seconds the motion may take in all.

        Raises:
            MachineFault: the machine had restarted before; the motion has not begun.
            PositionUnknown: it may have begun, and how it ended cannot be learned.
            CommunicationLost: the line itself is gone, or there is no session to be had.
        """
        await self._open_session()
        exchange = _Exchange(self._next(request))
        try:
            with trio.fail_after(limit):
                answer = await self._converse(exchange)
        except trio.TooSlowError as error:
            raise PositionUnknown(f"{what}: not ended after {limit:g} s; look where the disc is") from error
        except _MuteError as error:
            raise PositionUnknown(f"{what}: no answer to {exchange.copies} copies; look where the disc is") from error
        except _RestartedError as error:
            self._has_session = False
            if exchange.copies == 1 and not exchange.has_begun:
                raise MachineFault(f"{what}: not begun, the jukebox restarted before; read its status") from error
            raise PositionUnknown(f"{what}: the jukebox restarted meanwhile; look where the disc is") from error
        if isinstance(answer, Failed) and answer.name == ErrorName.BAD_SEQUENCE:
            raise PositionUnknown(f"{what}: the jukebox has lost count; look where the disc is")
        return answer

    async def aclose(self) -> None:
        """Close the line."""
        await self._stream.aclose()

    async def _open_session(self) -> None:
        """Make sure the machine remembers us, and nobody before us."""
        if self._number >= HIGHEST_NUMBER - 1:
            self._number, self._has_session = 0, False
        if self._has_session:
            return
        hello = Hello(self._draw_session())
        try:
            answer = await self._converse(_Exchange(self._next(hello)))
        except _MuteError as error:
            raise self._mute(hello) from error
        if isinstance(answer, Failed):
            raise MachineFault(f"the jukebox refuses version {VERSION} of the protocol: {answer.name} {answer.fields}")
        if ("session", f"{hello.session:08X}") not in answer.fields:
            raise CommunicationLost("the jukebox greets another host; is a second program using it?")
        self._has_session = True

    def _next(self, request: Request) -> Command:
        self._number += 1
        return Command(self._number, request)

    def _mute(self, request: Request) -> CommunicationLost:
        name = type(request).__name__.upper()
        waited = self._patience.silence * (1 + self._patience.repeats)
        return CommunicationLost(f"no valid answer to {name} in {waited:g} s; is the jukebox on, and this its port?")

    async def _converse(self, exchange: _Exchange) -> Ok | Failed:
        """Send and listen until a final answer; repeat after silence."""
        line = encode_command(exchange.command)
        while exchange.misses <= self._patience.repeats:
            exchange.copies += 1
            exchange.parts.clear()
            await self._stream.send(line)
            answer = await self._listen(exchange)
            if answer is not None:
                return answer
            exchange.misses += 1
        raise _MuteError

    async def _listen(self, exchange: _Exchange) -> Ok | Failed | None:
        """Listen until the final answer; None when the command should be repeated."""
        while True:
            with trio.move_on_after(self._patience.silence) as waiting:
                reply = await self._reply_to(exchange.command.number)
            if waiting.cancelled_caught:
                exchange.heeds_nak = True
                return None
            match reply.body:
                case Nak() if exchange.heeds_nak:
                    exchange.heeds_nak = False  # one burst of noise may be answered by many of them
                    return None
                case Boot() if exchange.has_begun:
                    raise _RestartedError
                case Ack() | Running():
                    exchange.has_begun, exchange.misses = True, 0
                case More(index, fields):
                    exchange.parts[index] = fields
                case Failed(ErrorName.NO_SESSION):
                    raise _RestartedError
                case Failed() as failed:
                    return failed
                case Ok() as ok:
                    return _complete(ok, exchange.parts)
                case _:
                    pass

    async def _reply_to(self, number: int) -> Reply:
        """The next line that answers ``number`` or nobody in particular; all else is of the past, or noise."""
        while True:
            while self._heard:
                reply = self._heard.popleft()
                if reply.number in (0, number):
                    return reply
            for raw in self._splitter.feed(await self._stream.receive()):
                try:
                    self._heard.append(decode_reply(raw))
                except BadLineError:
                    continue


def _complete(ok: Ok, parts: dict[int, Fields]) -> Ok | None:
    """The whole answer, or None when parts of it were lost."""
    wanted = dict(ok.fields).get("more", "0")
    if wanted != str(len(parts)) or sorted(parts) != list(range(1, len(parts) + 1)):
        return None
    return Ok((*(pair for index in sorted(parts) for pair in parts[index]), *ok.fields))
