"""A range of a content that a reader asks for, and what he is answered."""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from odarchive.librarian.demand import Waiter, Want


@dataclass(frozen=True, slots=True)
class Asked:
    """Bytes of a content that a reader needs now."""

    start: int
    length: int
    ahead: int = 0
    """How many further bytes he will probably ask for."""
    wrong: bool = False
    """He has found wrong bytes there in the cache."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it."""

    state: str
    """``done``, ``waiting`` or ``failed``."""
    why: str = ""
    in_memory: bool = False
    """The bytes are not in the cache, which has no room, but can be had from the librarian for a moment."""


@dataclass(slots=True)
class Waiting:
    """A reader who waits; `end` takes him out."""

    want: Want
    start: int
    stop: int
    in_memory: Callable[[], bool]
    woken: trio.Event = field(default_factory=trio.Event)
    waiter: Waiter = field(init=False)

    def __post_init__(self) -> None:
        self.waiter = Waiter(self.start, self.stop, self.woken.set)
        self.want.waiters.append(self.waiter)

    def end(self) -> Answer:
        """How it stands now."""
        memory = self.in_memory()
        if self.waiter in self.want.waiters:
            self.want.waiters.remove(self.waiter)
        if self.waiter.failed:
            return Answer("failed", self.waiter.failed)
        if self.waiter.served or not self.want.lacks(self.waiter):
            return Answer("done", in_memory=memory)
        if self.want.failed:
            return Answer("failed", self.want.why)
        return Answer("waiting", self.want.why or "waiting for its disc")
