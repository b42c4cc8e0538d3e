"""How long a disc keeps its drive: a reader that goes on and on must not keep out the readers of other discs.

A read in the mount waits for ``[recall] deadline`` seconds at most. So the discs that are waited for share most of that
time: nobody who waits for one drive with others starves, and discs are not exchanged more often than that needs.

Concurrency: nothing awaits.
"""

import trio

from odarchive.librarian.bay import Bay
from odarchive.librarian.order import Pace
from odarchive.model import DiscId

SHARE = 0.85
"""Of the deadline; the rest is for what does not go as expected."""
SHORTEST = 60.0
"""Seconds of a turn at least: about an exchange."""


def turn(deadline: float, waiting: int) -> float:
    """Seconds a disc may keep its drive while readers wait for ``waiting`` discs that are in no drive."""
    return max(SHORTEST, SHARE * deadline / max(1, waiting) - Pace().exchange)


class Turns:
    """Since when each bay has held its present disc, as far as anybody has looked."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._since: dict[Bay, tuple[DiscId, float]] = {}

    def is_over(self, bay: Bay, waiting: int) -> bool:
        """Whether the disc in a bay has had its turn, with readers waiting for ``waiting`` discs in no drive."""
        now = trio.current_time()
        if bay.disc is None:
            self._since.pop(bay, None)
            return False
        disc, since = self._since.get(bay, (None, now))
        if disc != bay.disc:
            self._since[bay] = (bay.disc, now)
            return False
        return waiting > 0 and now - since >= turn(self._deadline, waiting)
