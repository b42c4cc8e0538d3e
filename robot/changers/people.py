"""Ways to reach the person who is the robot: a board that others put before him, and several ways at once.

For ``robot.changers.manual``. Not for pages or messages themselves: those read the board and say on it what the person
answered. Whoever answers first decides.

Concurrency: everything runs in one trio thread; ``Board.say`` does not await.
"""

import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from robot.changers.manual import Person
from robot.errors import CommunicationLost
from robot.wire.errand import Answer, Errand, Said

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """An errand that waits for its answer."""

    errand: Errand
    since: float
    """By trio's clock."""


class Board:
    """A person who looks at a page, or at messages, and answers there."""

    def __init__(self) -> None:
        self.asked: Asked | None = None
        self._send, self._receive = trio.open_memory_channel[Said](math.inf)
        self._left = False

    def leave(self) -> None:
        """Nobody waits for the person any more: what is asked, or will be, is answered with not knowing.

        A person may take a day; whoever stops the program does not wait for that. Drives tell later what was done.
        """
        self._left = True
        if self.asked is not None:
            self.say(self.asked.errand.number, Answer.UNSURE, "the program is stopped")

    async def show(self, errand: Errand) -> None:
        """Put it on the board; shown again, it keeps the time of its first showing."""
        if self.asked is None or self.asked.errand.number != errand.number:
            self.asked = Asked(errand, trio.current_time())
        if self._left:
            self.leave()

    async def answer(self) -> Said:
        """Wait for what is said."""
        return await self._receive.receive()

    def settled(self) -> None:
        """The board is empty."""
        self.asked = None

    async def aclose(self) -> None:
        """Nothing is held."""

    def say(self, number: int, answer: Answer, words: str = "") -> bool:
        """Answer errand ``number``. Returns False if it is not asked (any more): then nothing is said."""
        if self.asked is None or self.asked.errand.number != number:
            return False
        self.asked = None
        self._send.send_nowait(Said(answer, number, words))
        return True


class Several:
    """One person, reached in several ways at once: shown everywhere, answered anywhere.

    A way that is lost (a terminal that was closed) is left out from then on, unless it is the last.
    """

    def __init__(self, ways: Sequence[Person]) -> None:
        self._ways = list(ways)
        self._said: deque[Said] = deque()

    async def show(self, errand: Errand) -> None:
        """Put it before the person everywhere."""
        for way in list(self._ways):
            try:
                await way.show(errand)
            except CommunicationLost as error:
                self._lost(way, error)

    async def answer(self) -> Said:
        """The first answer that comes; others wait for the next call, cancelled or not."""
        while not self._said:
            async with trio.open_nursery() as nursery:
                for way in list(self._ways):
                    nursery.start_soon(self._listen, way, nursery.cancel_scope)
        return self._said.popleft()

    async def _listen(self, way: Person, stop: trio.CancelScope) -> None:
        try:
            self._said.append(await way.answer())
        except CommunicationLost as error:
            self._lost(way, error)
        stop.cancel()

    def _lost(self, way: Person, error: CommunicationLost) -> None:
        if way in self._ways and len(self._ways) == 1:
            raise error
        if way in self._ways:
            self._ways.remove(way)
            log.warning("a person is no longer asked there: %s", error)

    def settled(self) -> None:
        """Everywhere."""
        for way in self._ways:
            way.settled()

    async def aclose(self) -> None:
        """Every way."""
        for way in self._ways:
            await way.aclose()
