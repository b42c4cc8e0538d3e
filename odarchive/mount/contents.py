"""The bytes of files: checked cache files where there are any, the librarian for the rest.

Every byte handed out comes from a file that the librarian let into the cache after its digest was right (a file from
before this boot is hashed again before its first use), or from a chunk of one that was compared here (``parts``). Reads
wait in slices, so a librarian that is restarted costs a delay and no error, until the deadline.

Concurrency: one trio thread; the table of open descriptors and the buffer are touched by this thread only. What
``read_now`` returns is a view of the one buffer, good until the next call: FUSE takes the bytes before that.
"""

import os
from collections.abc import Callable, Container, Mapping
from typing import Any

import trio

from odarchive.cache import CacheReader
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.errors import NoLibrarian
from odarchive.model import Content, ContentId
from odarchive.mount.parts import Parts, read_and_close
from odarchive.service.client import AsyncClient
from odfs.errors import ContentUnavailable, RecallRefused, RecallTimedOut
from odfs.ports import Attributes, Inode, Recall

SLICE = 20.0
"""Seconds one question to the librarian waits for its answer."""
KEPT_OPEN = 1024
"""Descriptors of cache files kept open."""
ABSENT = 0.5
"""Seconds for which nobody else looks for a librarian who was not there."""
KNOCKS = 200
"""Times a second that all readers together look for a librarian who is not there."""
ASKING = 32
"""Readers that ask the librarian at once; when more wait they take turns, each asking for a shorter time, so that
thousands of answers never come at once. What the librarian has been asked for it brings, whoever still listens."""
ASKED = 100
"""Questions a second in such a crowd: most of its files come along with those asked for, if they are given the time."""
GLANCE = 2.0
"""Seconds after which a reader who waits for his turn looks whether his file has come."""
LONGEST = 1 << 20
"""Bytes of the largest read that FUSE asks for (256 pages); longer ones take the slow way."""


class CachedContents:
    """``odfs.ports.Contents`` over cache and librarian."""

    def __init__(
        self,
        namespace: CatalogueNamespace,
        cache: CacheReader,
        client: AsyncClient,
        deadline: float,
        cached: Container[int],
        told: Callable[[Attributes], str] | None = None,
    ) -> None:
        """What is read from.

        Args:
            namespace: contents and their chunks.
            cache: what is at hand.
            client: the librarian.
            deadline: seconds a read may wait for a disc.
            cached: which contents are in the cache.
            told: a file, and where its discs are, for messages; else the path alone.
        """
        self._namespace = namespace
        self._told = told or self._named
        self._cache = cache
        self._client = client
        self._deadline = deadline
        self._cached = cached
        self._open: dict[Inode, int] = {}
        self._parts = Parts(cache.directory, client, namespace.grid)
        self._buffer = memoryview(bytearray(LONGEST))
        self._absent, self._absent_until = "", 0.0
        self._knocking = 0
        """Readers that wait for a librarian."""
        self._turns = trio.Semaphore(ASKING)
        self._asking = 0
        """Readers that ask or wait for their turn."""

    def read_now(self, file: Attributes, offset: int, length: int) -> memoryview | None:
        """See the port. Pages that are not in memory count as not at hand: reading them would block."""
        descriptor = self._open.get(file.ino)
        if descriptor is None:
            descriptor = self._parts.at_hand(file.content, offset, length) or self._find(file)
            if descriptor is None:
                return None
        if length > LONGEST:
            return None
        view = self._buffer[:length]
        try:
            got = os.preadv(descriptor, (view,), offset, os.RWF_NOWAIT)
        except OSError:  # EAGAIN, or the cache's file system does not know RWF_NOWAIT (EOPNOTSUPP)
            return None
        return view if got == length else None

    def backing(self, file: Attributes) -> int | None:
        """See ``odfs.ports.Backing``: the cache file, if it is there, whole and checked."""
        descriptor = self._open.get(file.ino)
        return self._find(file) if descriptor is None else descriptor

    async def read(self, file: Attributes, offset: int, length: int, recall: Recall) -> bytes:
        """See the port."""
        descriptor = self._open.get(file.ino)
        if descriptor is None:
            found = await self._bring(file, offset, length, recall)
            if not isinstance(found, int):
                return found
            descriptor = found
        # A duplicate, because the table may close the original while the thread reads.
        return await trio.to_thread.run_sync(read_and_close, os.dup(descriptor), offset, length)

    def resident(self, content: int | None) -> bool:
        """See the port."""
        return content is None or content in self._cached

    def forget(self, file: Attributes) -> None:
        """See the port."""
        descriptor = self._open.pop(file.ino, None)
        if descriptor is not None:
            os.close(descriptor)
        self._parts.forget(file.content)

    def close(self) -> None:
        """Let go of all descriptors."""
        self._parts.close()
        while self._open:
            os.close(self._open.popitem()[1])

    def _content(self, file: Attributes) -> Content:
        found = None if file.content is None else self._namespace.content(ContentId(file.content))
        if found is None:
            raise ContentUnavailable(f"inode {file.ino} is no longer in the archive's union")
        return found

    def _find(self, file: Attributes) -> int | None:
        """A descriptor of a cached file that needs no check."""
        content = self._content(file)
        descriptor = self._cache.open(content.digest, content.size, may_hash=False)
        return None if descriptor is None else self._keep(file.ino, descriptor)

    def _keep(self, ino: Inode, descriptor: int) -> int:
        kept = self._open.get(ino)
        if kept is not None:  # another reader of the same file was faster
            os.close(descriptor)
            return kept
        self._open[ino] = descriptor
        if len(self._open) > KEPT_OPEN:
            os.close(self._open.pop(next(iter(self._open))))
        return descriptor

    async def _bring(self, file: Attributes, offset: int, length: int, recall: Recall) -> int | bytes:
        """A descriptor of the content's bytes, or the wanted ones; by a recall that may wait for a disc."""
        content = self._content(file)
        why = "its disc has not come yet"
        vain = 0
        with trio.move_on_after(self._deadline):
            while True:
                found = await self._here(file, content, offset, length)
                if found is not None:
                    return found
                if recall is Recall.NEVER:
                    raise RecallRefused(f"{self._told(file)}: this reader may not have its disc loaded")
                waits = recall is Recall.WAIT
                come, told = await self._ask(file, content, (offset, length), SLICE if waits else 0.0)
                why = told or why
                vain += come
                if not waits and (not come or vain > 1):
                    raise RecallRefused(f"{self._told(file)}: {why}; it is being brought, try again later")
                if vain > 1:  # it came and was gone again: the cache is too small for all who read
                    await trio.sleep(min(0.01 * vain, 1.0))
        if why != self._absent:
            why += "; the recall goes on"
        raise RecallTimedOut(f"{self._told(file)}: {why}, try again later")

    def _named(self, file: Attributes) -> str:
        return repr(os.fsdecode(self._namespace.path(file.ino)))

    async def _here(self, file: Attributes, content: Content, offset: int, length: int) -> int | bytes | None:
        """What the cache gives without a disc."""
        part = self._parts.of(content)
        if part is not None and (data := await part.read(offset, length)) is not None:
            return data
        descriptor = await trio.to_thread.run_sync(self._cache.open, content.digest, content.size)
        return self._parts.small(content, offset, length) if descriptor is None else self._keep(file.ino, descriptor)

    async def _sleep(self, longest: float) -> None:
        """Wait for a librarian to come; the more readers wait, the longer, so that thousands cost what hundreds do."""
        self._knocking += 1
        try:
            await trio.sleep(min(longest, 1.0 + self._knocking / KNOCKS))
        finally:
            self._knocking -= 1

    async def _answer(self, content: Content, part: Mapping[str, int] | None, wait: float) -> dict[str, Any]:
        """The librarian's, to a question of a reader who has the time to wait for his turn."""
        if not wait:
            return await self._client.recall(content.id, wait, part)
        self._asking += 1
        try:
            while True:
                with trio.move_on_after(GLANCE) as glance:
                    await self._turns.acquire()
                if not glance.cancelled_caught:
                    break
                if content.id in self._cached:
                    return {"state": "done"}
            try:
                if self._asking <= ASKING:
                    return await self._client.recall(content.id, wait, part)
                ends = trio.current_time() + ASKING / ASKED
                answer = await self._client.recall(content.id, max(ASKING / ASKED, wait * ASKING / self._asking), part)
                await trio.sleep_until(ends)
                return answer
            finally:
                self._turns.release()
        finally:
            self._asking -= 1

    async def _ask(self, file: Attributes, content: Content, asked: tuple[int, int], wait: float) -> tuple[bool, str]:
        """One question to the librarian; returns whether it came, and else why it still waits."""
        part = self._parts.of(content)
        if trio.current_time() < self._absent_until:  # one reader has just looked for all
            await self._sleep(wait)
            return False, self._absent
        try:
            answer = await self._answer(content, None if part is None else part.order(*asked), wait)
            if answer.get("in_memory"):
                await self._parts.fetch(content, *asked)
        except NoLibrarian as error:
            self._absent, self._absent_until = str(error), trio.current_time() + ABSENT
            await self._sleep(wait)
            return False, str(error)
        if answer.get("state") == "failed":
            raise ContentUnavailable(f"{self._told(file)}: {answer.get('why')}")
        return answer.get("state") == "done", str(answer.get("why") or "")
