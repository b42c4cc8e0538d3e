"""Bytes by way of the librarian: ask for contents in the order of discs and sectors, take them from the cache.

So many are asked for at once that the librarian always knows what else the loaded disc should give, but no more than
half the cache holds: what was brought must not be thrown out before it was taken.
"""

import os
from pathlib import Path

import trio

from odarchive.cache import CacheReader
from odarchive.catalogue.wanted import Wanted
from odarchive.errors import NoLibrarian, NoSpace
from odarchive.restore.work import Work
from odarchive.service.client import AsyncClient

MOST = 256
"""Contents asked for at once."""
WAIT = 30.0
"""Seconds of one question; it is asked again until the librarian has an answer."""
PATIENCE = 60.0
"""Seconds a librarian may be away (a restart) before the rest is given up."""


class Recall:
    """Brings everything that is open of a piece of work."""

    def __init__(self, work: Work, client: AsyncClient, cache: CacheReader, quota: int) -> None:
        """``quota``: bytes of the cache."""
        self._work = work
        self._client = client
        self._cache = cache
        self._room = max(quota // 2, 1)
        self._used = 0
        self._freed = trio.Event()
        self._slots = trio.CapacityLimiter(MOST)

    async def run(self) -> None:
        """Return when every content was delivered or failed.

        Raises:
            NoLibrarian: it is away.
            NoSpace: the target's disk is full.
        """
        async with trio.open_nursery() as nursery:
            for wanted in list(self._work.open.values()):
                token = object()
                await self._slots.acquire_on_behalf_of(token)
                while self._used and self._used + wanted.size > self._room:
                    await self._freed.wait()
                self._used += wanted.size
                nursery.start_soon(self._one, wanted, token)

    async def _one(self, wanted: Wanted, token: object) -> None:
        try:
            for _ in range(3):
                why = await self._ask(wanted)
                if why:
                    self._work.fail(wanted, why)
                    return
                if self._take(wanted):
                    return
            self._work.fail(wanted, "the cache loses it as soon as it has it; is its quota too small?")
        finally:
            self._used -= wanted.size
            self._freed.set()
            self._freed = trio.Event()
            self._slots.release_on_behalf_of(token)

    async def _ask(self, wanted: Wanted) -> str:
        """Wait until the content is in the cache; returns why it will not come, or an empty string."""
        away = 0.0
        while True:
            try:
                answer = await self._client.recall(wanted.content, WAIT)
            except NoLibrarian:
                away += 1.0
                if away > PATIENCE:
                    raise
                await trio.sleep(1.0)
                continue
            away = 0.0
            if answer["state"] == "failed":
                return str(answer["why"])
            if answer["state"] == "done":
                return ""

    def _take(self, wanted: Wanted) -> bool:
        descriptor = self._cache.open(wanted.digest, wanted.size)
        if descriptor is None:
            return False
        try:
            with self._work.landing(wanted) as landing:
                landing.fill(descriptor)
                return self._work.deliver(wanted, landing)
        except NoSpace:
            raise
        except OSError as error:
            self._work.fail(wanted, error.strerror or str(error))
            return True
        finally:
            os.close(descriptor)


def bring(work: Work, socket: Path, cache: Path, quota: int) -> None:
    """Bring everything that is open through the librarian at ``socket``; see :meth:`Recall.run` for errors."""

    async def main() -> None:
        client = AsyncClient(socket)
        try:
            await Recall(work, client, CacheReader(cache), quota).run()
        finally:
            with trio.move_on_after(5, shield=True):
                await client.aclose()

    trio.run(main)
