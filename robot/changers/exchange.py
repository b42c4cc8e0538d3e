"""Question and answer on a line whose protocol has no numbers and no checksums.

For keeping answers and orders together as well as can be, where nothing in an answer says what it answers. Not for any
language. Rules: what was said before a command is dropped before it is sent; nothing is ever repeated; an order whose
answer was given up leaves the exchange ``lost`` until the machine has been homed anew, because a late answer would be
taken for that of the next order.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from robot.errors import CommunicationLost, PositionUnknown
from robot.ports import ByteStream

QUIET = 0.2
"""Seconds of silence after which nothing more of the past is expected on the line."""

Cut = Callable[[bytearray], bytes | None]
"""Takes the first whole answer out of a buffer; None if there is none yet."""
Wanted = Callable[[bytes], bool]
"""Whether an answer can be one to the command at hand; others are noise."""


class Exchange:
    """One line.

    Concurrency: one task at a time. A cancelled order leaves the exchange ``lost``, so drivers shield their orders.
    """

    def __init__(self, stream: ByteStream, cut: Cut) -> None:
        self._stream = stream
        self._cut = cut
        self._buffer = bytearray()
        self.lost = False
        """Nobody knows whether an order of the past is still carried out: home the machine."""

    async def ask(self, command: bytes, seconds: float, wanted: Wanted) -> bytes:
        """Ask what moves nothing.

        Raises:
            CommunicationLost: no answer in time.
        """
        await self._drain()
        await self._stream.send(command)
        with trio.move_on_after(seconds):
            return await self._next(wanted)
        raise CommunicationLost(f"no answer to {command!r} within {seconds:g} s; is the machine on, and this its port?")

    async def collect(self, command: bytes, seconds: float) -> bytes:
        """Ask what has an answer of unknown form: everything that comes until the line is quiet."""
        await self._drain()
        await self._stream.send(command)
        said = bytearray()
        with trio.move_on_after(seconds):
            said += await self._stream.receive()
            while True:
                with trio.move_on_after(2 * QUIET) as waiting:
                    said += await self._stream.receive()
                if waiting.cancelled_caught:
                    return bytes(said)
        return bytes(said)

    async def order(self, command: bytes, seconds: float, wanted: Wanted) -> bytes:
        """Have something moved, and return the answer.

        Raises:
            PositionUnknown: no answer in time.
            CommunicationLost: the line is gone.
        """
        await self._drain()
        before, self.lost = self.lost, True
        await self._stream.send(command)
        with trio.move_on_after(seconds):
            answer = await self._next(wanted)
            self.lost = before
            return answer
        raise PositionUnknown(f"no answer to {command!r} within {seconds:g} s; look where the disc is")

    async def aclose(self) -> None:
        """Close the line."""
        await self._stream.aclose()

    async def _drain(self) -> None:
        """Drop what was said before, until the line is quiet."""
        self._buffer.clear()
        while True:
            with trio.move_on_after(QUIET) as waiting:
                await self._stream.receive()
            if waiting.cancelled_caught:
                return

    async def _next(self, wanted: Wanted) -> bytes:
        while True:
            while (answer := self._cut(self._buffer)) is not None:
                if wanted(answer):
                    return answer
            self._buffer += await self._stream.receive()
