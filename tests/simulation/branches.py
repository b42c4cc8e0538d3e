"""Counters on the ways of recovery: a fault that never meets its handler proves nothing.

Each entry is a function of the product and a test that tells calls that were recovery; while ``counted`` is open, such
calls count in the dice under ``way NAME``. A function that ended by a crash of the host does not count.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from odarchive.catalogue import machine
from odarchive.librarian import burn, settle
from odarchive.librarian.blanks import Refusals
from odarchive.librarian.fetch import Fetcher
from odarchive.librarian.inventory import Inventory
from odarchive.librarian.recall import Recaller
from odarchive.librarian.scheduler import Librarian
from odarchive.model import DiscState
from robot.arm import Arm
from robot.jukebox import Jukebox
from tests.simulation.chance import Dice

Test = Callable[[Sequence[Any], Any], bool]
"""Whether a call was recovery, by its arguments and its result."""


def _always(_arguments: Sequence[Any], _result: Any) -> bool:
    return True


def _something(_arguments: Sequence[Any], result: Any) -> bool:
    return bool(result)


def _open_attempt(arguments: Sequence[Any], _result: Any) -> bool:
    return arguments[3].state in (DiscState.INTENDED, DiscState.WRITTEN, DiscState.ABANDONED)


WAYS: dict[str, tuple[Any, str, Test]] = {
    "a disc in the picker is put away": (Jukebox, "_park", _something),
    "a machine is homed": (Arm, "initialise", _always),
    "a motion left open is settled": (Arm, "reconcile", _something),
    "a tray is not open when the arm would come": (Arm, "_interlock", _something),
    "a drive is looked at after a failure": (Librarian, "_recover_bay", _always),
    "a drive is counted as failing": (Librarian, "_quarantined", _always),
    "readers are told that the machine failed": (Recaller, "robot_failed", _always),
    "slots nobody knows are searched": (Fetcher, "_search", _always),
    "a searched disc is found": (Fetcher, "_search", _something),
    "a slot in doubt is looked into": (Inventory, "look", _always),
    "beliefs become doubtful": (machine, "doubt", _something),
    "sensors change a belief": (machine, "see_fills", _something),
    "a label is read again": (settle, "cycle", _always),
    "an interrupted burn is settled by its label": (settle, "_settle_ours", _open_attempt),
    "a read-back fails": (settle, "read_back", _something),
    "a disc is spoiled": (burn, "_spoiled", _always),
    "a refused blank is put back": (Refusals, "put_back", _always),
}
"""What is counted: owner, name, and whether that call was recovery."""

RARE = frozenset({"slots nobody knows are searched", "a searched disc is found"})
"""Too rare for the kept seeds: the idle-time inventory mostly comes first. `make soak` counts them."""


@contextmanager
def counted(dice: Dice) -> Iterator[None]:
    """Count in ``dice`` while it is open."""
    with ExitStack() as wrapped:
        for name, (owner, attribute, test) in WAYS.items():
            real = getattr(owner, attribute)
            wrapped.enter_context(patch.object(owner, attribute, _counting(real, dice, f"way {name}", test)))
        yield


def _counting(real, dice: Dice, name: str, test: Test):
    if inspect.iscoroutinefunction(real):

        @functools.wraps(real)
        async def waiting(*arguments, **more):
            result = await real(*arguments, **more)
            if test(arguments, result):
                dice.count(name)
            return result

        return waiting

    @functools.wraps(real)
    def calling(*arguments, **more):
        result = real(*arguments, **more)
        if test(arguments, result):
            dice.count(name)
        return result

    return calling
