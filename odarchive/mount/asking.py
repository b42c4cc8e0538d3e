"""Contents of a mount that asks: a read that needs a disc waits until a person has allowed it.

A wrapper of ``odfs.ports.Contents``. One question per file, however many read it; it ends with the last of them. Leave
holds while the file is open: its later reads ask nobody. A file that comes into the cache meanwhile, because a person
recalled it, is served without an answer.

Concurrency: one trio thread; the tables of waiting readers and of leave change between checkpoints only.
"""

import logging
import os
import time
from collections import Counter

import trio

from odarchive.asked import Box, Question, Verdict
from odarchive.mount.contents import CachedContents
from odfs.errors import RecallRefused, RecallTimedOut
from odfs.ports import Attributes, Inode, Namespace, Recall

log = logging.getLogger(__name__)

PERIOD = 0.5
"""Seconds between two looks for an answer."""
ALIVE = 20.0
"""Seconds after which a question is touched."""


class AskingContents:
    """``odfs.ports.Contents`` and ``Backing`` on the real ones."""

    def __init__(self, inner: CachedContents, namespace: Namespace, box: Box, deadline: float) -> None:
        """``deadline``: seconds a reader waits for the answer at most."""
        self._inner = inner
        self._namespace = namespace
        self._box = box
        self._deadline = deadline
        self._waiting: Counter[int] = Counter()
        self._leave: set[Inode] = set()
        """Open files whose recall was allowed."""
        self.read_now = inner.read_now
        self.backing = inner.backing
        self.resident = inner.resident

    async def read(self, file: Attributes, offset: int, length: int, recall: Recall) -> bytes | memoryview:
        """See the port."""
        if recall is Recall.ASK:
            if file.ino not in self._leave:
                try:
                    return await self._inner.read(file, offset, length, Recall.NEVER)
                except RecallRefused:
                    await self._allowed(file)
            recall = Recall.WAIT
        return await self._inner.read(file, offset, length, recall)

    def forget(self, file: Attributes) -> None:
        """See the port."""
        self._leave.discard(file.ino)
        self._inner.forget(file)

    async def _allowed(self, file: Attributes) -> None:
        """Return when a person has allowed it, or it is here.

        Raises:
            RecallRefused: a person has refused it, or cannot be asked.
            RecallTimedOut: nobody answered.
        """
        content = file.content or 0
        path = os.fsdecode(self._namespace.path(file.ino))
        self._waiting[content] += 1
        try:
            with trio.move_on_after(self._deadline):
                if await self._answered(Question(content, path, file.size, "a reader of the mount", time.time())):
                    self._leave.add(file.ino)
                return
            raise RecallTimedOut(f"{path!r}: nobody allowed its recall in time (odarchive asked)")
        except OSError as error:
            raise RecallRefused(f"{path!r}: nobody can be asked ({error})") from error
        finally:
            self._waiting[content] -= 1
            if not self._waiting[content]:
                del self._waiting[content]
                self._box.forget(content)

    async def _answered(self, question: Question) -> bool:
        """Whether it was allowed; if not, it is here."""
        touched = -ALIVE
        while not self._inner.resident(question.content):
            if time.monotonic() - touched > ALIVE:
                if touched < 0:
                    log.info("%r waits for leave: odarchive asked", question.path)
                self._box.ask(question)
                touched = time.monotonic()
            verdict = self._box.verdict(question.content)
            if verdict is Verdict.ALLOWED:
                return True
            if verdict is Verdict.REFUSED:
                raise RecallRefused(f"{question.path!r}: its recall was refused")
            await trio.sleep(PERIOD)
        return False
