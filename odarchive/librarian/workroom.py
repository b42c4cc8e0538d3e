"""What every task of the librarian is given: catalogue, robot, burner, clocks, ids, in one frozen value.

Everything that is not deterministic enters here (threads, wall clock, random ids), so that a simulation can hand in its
own. Not for rules: it only carries.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import trio

from odarchive.cache import Cache
from odarchive.catalogue import discs
from odarchive.catalogue.database import Catalogue, Connection
from odarchive.config import Config
from odarchive.model import DiscId, JobId
from odarchive.seal.keyring import Keyring
from robot.changers.people import Board
from robot.jukebox import Jukebox
from robot.ports import Burner, Drive, DriveId, Element

P = ParamSpec("P")
T = TypeVar("T")


Clock = Callable[[], int]
"""Nanoseconds since the epoch."""


class Blocking(Protocol):
    """Runs a blocking function without stopping the other tasks."""

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Run it and return what it returns."""
        ...


class Threads:
    """The real :class:`Blocking`: a worker thread, at most ``limit`` at a time. Not cancellable on the way."""

    def __init__(self, limit: int) -> None:
        self._limiter = trio.CapacityLimiter(limit)

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Run it in a thread."""
        return await trio.to_thread.run_sync(function, limiter=self._limiter)


@dataclass(frozen=True, slots=True)
class Workroom:
    """The librarian's collaborators."""

    config: Config
    archive_uuid: str
    catalogue: Catalogue
    jukebox: Jukebox
    drives: Mapping[DriveId, Drive]
    burner: Burner
    cache: Cache
    now_ns: Clock = time.time_ns
    new_uuid: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))
    database: Blocking = field(default_factory=lambda: Threads(1))
    heavy: Blocking = field(default_factory=lambda: Threads(4))
    keyring: Keyring = field(default_factory=Keyring)
    """What opens the discs of an encrypted archive."""
    claims: set[int] = field(default_factory=set)
    """Slots whose disc a bay holds or is about to fetch; no other bay may ask the arm for it."""

    making: trio.Lock = field(default_factory=trio.Lock)
    """Held while the parity images of a set are made: they all come at once, for whichever drive asks first."""

    captions: dict[Element, str] = field(default_factory=dict)
    """Which disc lies at a place, or should come from it, in words: for a machine that is a person."""
    board: Board = field(default_factory=Board)
    """Where that person is asked, and answers, beside a terminal."""

    async def write(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a catalogue function in a durable transaction of its own."""

        def transaction() -> T:
            with self.catalogue.write() as connection:
                return function(connection, *args, **kwargs)

        return await self.database(transaction)

    async def read(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a catalogue function on a consistent view."""

        def view() -> T:
            with self.catalogue.read() as connection:
                return function(connection, *args, **kwargs)

        return await self.database(view)

    async def note(self, kind: str, message: str, *, disc: DiscId | None = None, job: JobId | None = None) -> None:
        """Write one line into the archive's diary."""
        await self.write(discs.event, kind, message, now_ns=self.now_ns(), disc=disc, job=job)
