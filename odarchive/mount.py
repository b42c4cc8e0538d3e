"""The mount's process: the catalogue as a namespace, checked cache files as contents, the librarian for the rest.

Not for FUSE itself (``odfs``). Every byte handed out comes from a file that the librarian let into the cache after its
digest was right; a file from before this boot is hashed again before its first use. Reads wait in slices, so a
librarian that is restarted costs a delay and no error, until the deadline.

Concurrency: one trio thread; open descriptors are kept in a small table that only this thread touches.
"""

import os
from collections import OrderedDict

import trio

from odarchive.cache import CacheReader
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.errors import NoLibrarian
from odarchive.model import Content
from odarchive.service.client import AsyncClient
from odfs.errors import ContentUnavailable, RecallTimedOut
from odfs.ports import Inode

SLICE = 20.0
"""Seconds one question to the librarian waits for its answer."""
KEPT_OPEN = 1024
"""Descriptors of cache files kept open."""


class CachedContents:
    """``odfs.ports.Contents`` over cache and librarian."""

    def __init__(self, namespace: CatalogueNamespace, cache: CacheReader, client: AsyncClient, deadline: float) -> None:
        """``deadline``: seconds a read may wait for a disc."""
        self._namespace = namespace
        self._cache = cache
        self._client = client
        self._deadline = deadline
        self._open: OrderedDict[Inode, int] = OrderedDict()

    def read_now(self, ino: Inode, offset: int, length: int) -> bytes | None:
        """See the port. Pages that are not in memory count as not at hand: reading them would block."""
        descriptor = self._descriptor(ino)
        if descriptor is None:
            content = self._namespace.content_of(ino)
            if content is None:
                return None
            descriptor = self._keep(ino, self._cache.open(content.digest, content.size, may_hash=False))
        if descriptor is None:
            return None
        buffer = bytearray(length)
        try:
            got = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError:  # the cache's file system does not know RWF_NOWAIT (EOPNOTSUPP)
            return None
        whole = got == length or self._at_end(ino, offset + got)
        return bytes(memoryview(buffer)[:got]) if whole else None

    async def read(self, ino: Inode, offset: int, length: int) -> bytes:
        """See the port."""
        descriptor = self._descriptor(ino)
        if descriptor is None:
            content = self._namespace.content_of(ino)
            if content is None:
                return self._without_content(ino)
            descriptor = self._keep(ino, await self._fetch(ino, content))
        if descriptor is None:
            raise ContentUnavailable(f"{os.fsdecode(self._namespace.path(ino))!r}: the cache does not keep it")
        # A duplicate, because the table may close the original while the thread reads.
        return await trio.to_thread.run_sync(_pread, os.dup(descriptor), offset, length)

    def resident(self, ino: Inode) -> bool:
        """See the port."""
        content = self._namespace.content_of(ino)
        return content is None or ino in self._open or self._cache.has(content.digest)

    def forget(self, ino: Inode) -> None:
        """See the port."""
        descriptor = self._open.pop(ino, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of all descriptors."""
        for ino in list(self._open):
            self.forget(ino)

    def _without_content(self, ino: Inode) -> bytes:
        attributes = self._namespace.attributes(ino)
        if attributes is None or attributes.size > 0:
            raise ContentUnavailable(f"inode {ino} is no longer in the archive's union")
        return b""

    def _descriptor(self, ino: Inode) -> int | None:
        descriptor = self._open.get(ino)
        if descriptor is not None:
            self._open.move_to_end(ino)
        return descriptor

    def _keep(self, ino: Inode, descriptor: int | None) -> int | None:
        if descriptor is None:
            return None
        kept = self._open.get(ino)
        if kept is not None:  # another reader of the same file was faster
            os.close(descriptor)
            return kept
        self._open[ino] = descriptor
        if len(self._open) > KEPT_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def _at_end(self, ino: Inode, position: int) -> bool:
        content = self._namespace.content_of(ino)
        return content is None or position >= content.size

    async def _fetch(self, ino: Inode, content: Content) -> int | None:
        """A descriptor of the content's bytes, from the cache or by a recall that may wait for a disc."""
        name = os.fsdecode(self._namespace.path(ino))
        why = "the librarian did not answer in time"
        with trio.move_on_after(self._deadline):
            while True:
                descriptor = await trio.to_thread.run_sync(self._cache.open, content.digest, content.size)
                if descriptor is not None:
                    return descriptor
                why = await self._ask(name, content) or why
        raise RecallTimedOut(f"{name!r}: {why}; the recall goes on, try again later")

    async def _ask(self, name: str, content: Content) -> str:
        """One question to the librarian; returns why it still waits."""
        try:
            answer = await self._client.recall(content.id, SLICE)
        except NoLibrarian as error:
            await trio.sleep(1.0)
            return str(error)
        if answer.get("state") == "failed":
            raise ContentUnavailable(f"{name!r}: {answer.get('why')}")
        return str(answer.get("why") or "")


def _pread(descriptor: int, offset: int, length: int) -> bytes:
    try:
        parts = []
        while length > 0:
            part = os.pread(descriptor, length, offset)
            if not part:
                break
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
