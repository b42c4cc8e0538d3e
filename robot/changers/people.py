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

PAUSE = 10.0
"""Seconds after which a way that was lost is tried again, where there are others."""


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

    A way that is lost (a terminal that was unplugged) is kept, and tried again every ``PAUSE`` seconds: what is asked
    is shown there anew, then it is listened to. A loss is raised when no way is left; the next call tries them all.
    """

    def __init__(self, ways: Sequence[Person]) -> None:
        self._ways = list(ways)
        self._said: deque[Said] = deque()
        self._shown: Errand | None = None
        self._lost: dict[int, float] = {}
        """Ways that are lost, by their place among the ways: when, by trio's clock, each is tried again."""

    async def show(self, errand: Errand) -> None:
        """Put it before the person everywhere."""
        self._shown = errand
        failed = []
        for number, way in enumerate(self._ways):
            try:
                await way.show(errand)
                self._found(number)
            except CommunicationLost as error:
                self._lose(number, error)
                failed.append(error)
        if len(failed) == len(self._ways):
            self._lost.clear()
            raise failed[-1]

    async def answer(self) -> Said:
        """The first answer that comes; others wait for the next call, cancelled or not."""
        while not self._said:
            failed: list[CommunicationLost] = []
            async with trio.open_nursery() as nursery:
                for number in range(len(self._ways)):
                    nursery.start_soon(self._listen, number, nursery.cancel_scope, failed)
            if failed and not self._said:
                self._lost.clear()
                raise failed[0]
        return self._said.popleft()

    async def _listen(self, number: int, stop: trio.CancelScope, failed: list[CommunicationLost]) -> None:
        while True:
            try:
                self._said.append(await self._heard(number))
                break
            except CommunicationLost as error:
                self._lose(number, error)
                if len(self._lost) == len(self._ways):
                    failed.append(error)
                    break
        stop.cancel()

    async def _heard(self, number: int) -> Said:
        way = self._ways[number]
        if number in self._lost:
            await trio.sleep_until(self._lost[number])
            if self._shown is not None:
                await way.show(self._shown)
                self._found(number)
        said = await way.answer()
        self._found(number)
        return said

    def _lose(self, number: int, error: CommunicationLost) -> None:
        if number not in self._lost and len(self._ways) > 1:
            log.warning("a person is not reached there, which is tried again every %g s: %s", PAUSE, error)
        self._lost[number] = trio.current_time() + PAUSE

    def _found(self, number: int) -> None:
        if self._lost.pop(number, None) is not None:
            log.info("a person is reached again in way %d of %d", number + 1, len(self._ways))

    def settled(self) -> None:
        """Everywhere."""
        self._shown = None
        for way in self._ways:
            way.settled()

    async def aclose(self) -> None:
        """Every way."""
        for way in self._ways:
            await way.aclose()
