"""pyfuse3's request loop without two scheduler passes per request; trio stays trio for whatever really waits.

pyfuse3 takes a free lock, waits for its descriptor and answers, each by trio's scheduler: measured, three quarters of
the cost of a request that needs no waiting. Its module variable ``trio`` is meant to be replaced (that is how
``pyfuse3.asyncio`` works). ``LoopTrio`` stands in for it and differs from trio in three things: a free lock is taken
at once; a descriptor that is readable, or becomes so within some microseconds, is not waited for; and a new worker is
given the turn it needs. Everything else is trio's own, looked up when asked for.

Rules kept here:

- Other tasks get their turn at least every ``SLICE`` seconds, however many requests come.
- Nothing spins while nothing happens: after ``spin`` seconds without a request the loop sleeps in trio.
- If what pyfuse3 has is not what this was made for, plain trio stays (``installed`` yields False).

Concurrency: one trio thread, one loop per process, as in pyfuse3 itself.
"""

import logging
import select
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import pyfuse3
import trio

log = logging.getLogger(__name__)

SLICE = 0.005
"""Seconds after which other tasks get a turn although requests go on."""

_PYFUSE3: Any = pyfuse3
"""Its type stubs do not tell of the module variable."""

USED = frozenset({"ClosedResourceError", "Lock", "lowlevel", "open_nursery"})
"""What pyfuse3 3.5's loop takes from trio. Another version may use more, which ``LoopTrio`` hands through."""


class FreeLock:
    """``trio.Lock`` as far as pyfuse3 uses it; it costs nothing when it is free."""

    def __init__(self) -> None:
        self._held = False
        self._waiting = trio.lowlevel.ParkingLot()

    async def __aenter__(self) -> Self:
        while self._held:
            await self._waiting.park()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._held = False
        if self._waiting:
            self._waiting.unpark()


class Workers:
    """``trio.open_nursery()``, which notes that a worker was started and waits for its first turn."""

    def __init__(self, waits: "Waits") -> None:
        self._manager = trio.open_nursery()
        self._waits = waits

    async def __aenter__(self) -> Self:
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, trace)

    def start_soon(self, function: Callable[..., Awaitable[Any]], *args: object, name: str | None = None) -> None:
        """As trio's."""
        self._waits.yield_next = True
        self._nursery.start_soon(function, *args, name=name)


class Waits:
    """``trio.lowlevel``, with a ``wait_readable`` that looks before it waits."""

    def __init__(self, spin: float) -> None:
        self.yield_next = True
        self._spin = spin
        self._turn = 0.0
        self._descriptor = -1
        self._ready: Callable[[int], list[tuple[int, int]]] = select.poll().poll

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever trio.lowlevel has
        return getattr(trio.lowlevel, name)

    async def wait_readable(self, descriptor: int) -> None:
        """Return when ``descriptor`` is readable; at once, without the scheduler, if it is or is about to be."""
        clock = time.perf_counter
        if descriptor != self._descriptor:
            self._watch(descriptor)
        now = clock()
        if self.yield_next or now - self._turn > SLICE:
            if self.yield_next:  # within one pass tasks run in any order; after it the new worker has had its turn
                self.yield_next = False
                await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            now = self._turn = clock()
        ready = self._ready
        if ready(0):
            return
        end = now + self._spin
        while clock() < end:
            if ready(0):
                return
        await trio.lowlevel.wait_readable(descriptor)
        self._turn = clock()

    def _watch(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        self._descriptor, self._ready = descriptor, poll.poll


class LoopTrio:
    """What pyfuse3 gets as its ``trio``."""

    Lock = FreeLock

    def __init__(self, spin: float) -> None:
        self.lowlevel = Waits(spin)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever trio has
        return getattr(trio, name)

    def open_nursery(self) -> Workers:
        """As trio's."""
        return Workers(self.lowlevel)


@contextmanager
def installed(spin: float) -> Iterator[bool]:
    """Within the block pyfuse3 runs on ``LoopTrio``; yields whether it does.

    Args:
        spin: seconds to look for the next request before sleeping; 0 leaves plain trio in place.
    """
    if spin <= 0:
        yield False
        return
    doubt = _doubt()
    if doubt:
        log.warning("requests are answered more slowly: %s", doubt)
        yield False
        return
    before = _PYFUSE3.trio
    _PYFUSE3.trio = LoopTrio(spin)
    try:
        yield True
    finally:
        _PYFUSE3.trio = before


def _doubt() -> str:
    """Why pyfuse3 may not be what this module was made for, or an empty string."""
    if getattr(_PYFUSE3, "trio", None) is not trio:
        return "pyfuse3 does not run on plain trio"
    version = str(getattr(_PYFUSE3, "__version__", ""))
    if not version.startswith("3.5."):
        return f"the fast loop was proven with pyfuse3 3.5, this is {version or 'unknown'}"
    lacking = sorted(name for name in USED if not hasattr(trio, name))
    return f"trio lacks {', '.join(lacking)}" if lacking else ""
