"""Reads of contents that are in the cache in part: from the chunks that are there, or from the librarian's memory.

A chunk is compared with its digest before the first byte of it is handed out, wherever it comes from. How far a reader
will go is told from what he has read: who has read three chunks in a row is believed to want the rest.

Concurrency: one trio thread; what touches the disk runs in worker threads, on descriptors that it may find closed: then
the digest does not match, and that counts as not there.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import trio

from odarchive.cache import PartialReader
from odarchive.cache.files import partial_place
from odarchive.cache.parts import is_right
from odarchive.chunks import CHUNK, Grid
from odarchive.digest import content_digest
from odarchive.model import Content
from odarchive.service.client import AsyncClient

KEPT_OPEN = 256
"""Contents in part kept open."""
KEPT_LOOSE = 8
"""Chunks of one content kept that came from the librarian's memory: a reader takes one in several reads."""
SOME, MORE = 2, 8
"""Chunks read in a row after which some more are asked for ahead, and how many; after one more, the rest."""


class Part:
    """One content."""

    def __init__(self, content: Content, grid: Grid, directory: Path, client: AsyncClient) -> None:
        self._content, self.grid = content, grid
        self._directory, self._client = directory, client
        self._reader: PartialReader | None = None
        self._loose: OrderedDict[int, bytes] = OrderedDict()
        self._wrong = False

    def at_hand(self, offset: int, length: int) -> int | None:
        """A descriptor from which this range can be read at once; None if it cannot."""
        reader = self._reader
        covered = reader is not None and reader.covers(self.grid.over(offset, length))
        return reader.descriptor if covered and reader is not None else None

    async def read(self, offset: int, length: int) -> bytes | None:
        """A range, checked; None if not all of it is here."""
        length = min(length, self.grid.size - offset)
        numbers = self.grid.over(offset, length)
        if all(number in self._loose for number in numbers):
            return self._from_memory(numbers, offset, length)
        reader = await trio.to_thread.run_sync(self._current)
        if reader is None:
            return None
        absent, wrong = await trio.to_thread.run_sync(_looked_at, reader, numbers)
        self._wrong = bool(wrong)
        if reader is not self._reader or reader.descriptor < 0:
            return None  # closed meanwhile
        if absent or wrong:
            return await self._mixed(reader, numbers, offset, length)
        return await trio.to_thread.run_sync(read_and_close, os.dup(reader.descriptor), offset, length)

    def order(self, offset: int, length: int) -> Mapping[str, int]:
        """What to ask the librarian for, so that a read of this range succeeds."""
        numbers = self.grid.over(offset, length)
        seen = self._loose.keys() | (self._reader.seen if self._reader is not None else set())
        run = 0
        while run <= SOME and numbers[0] - run - 1 in seen:
            run += 1
        ahead = 0 if run < SOME else MORE * CHUNK if run == SOME else self.grid.size
        return {"start": offset, "length": length, "ahead": ahead, "wrong": self._wrong}

    async def fetch(self, offset: int, length: int) -> None:
        """Take what is in the librarian's memory of a range.

        Raises:
            NoLibrarian: nobody answers.
        """
        for number in self.grid.over(offset, length):
            if number in self._loose or (self._reader is not None and number in self._reader.seen):
                continue
            data = await self._client.chunk(self._content.id, number)
            if data is not None and is_right(self.grid[number], data):
                self._loose[number] = data
                if len(self._loose) > KEPT_LOOSE:
                    self._loose.popitem(last=False)

    def close(self) -> None:
        """Let go of it."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._loose.clear()

    def _current(self) -> PartialReader | None:
        """The file as it is now: what was thrown out and came again is another one."""
        reader = self._reader
        if reader is not None:
            try:
                if os.stat(self._directory / partial_place(self._content.digest)).st_ino == reader.inode:
                    return reader
            except OSError:
                return reader  # it may be whole by now, and what was seen of it is right for ever
        self._reader = PartialReader.open(self._directory, self._content.digest, self.grid)
        if reader is not None:
            reader.close()
        return self._reader

    async def _mixed(self, reader: PartialReader, numbers: range, offset: int, length: int) -> bytes | None:
        """Some chunks from the file, some from memory."""
        if not all(number in reader.seen or number in self._loose for number in numbers):
            return None
        parts = []
        for number in numbers:
            chunk = self.grid[number]
            low, high = max(offset, chunk.start), min(offset + length, chunk.start + chunk.length)
            if number in reader.seen:
                duplicate = os.dup(reader.descriptor)
                parts.append(await trio.to_thread.run_sync(read_and_close, duplicate, low, high - low))
            else:
                parts.append(self._loose[number][low - chunk.start : high - chunk.start])
        return b"".join(parts)

    def _from_memory(self, numbers: range, offset: int, length: int) -> bytes:
        first = self.grid[numbers[0]].start if numbers else offset
        joined = b"".join(self._loose[number] for number in numbers)
        return joined[offset - first : offset - first + length]


class Parts:
    """The contents in part that are being read."""

    def __init__(self, directory: Path, client: AsyncClient, grid_of: Callable[[Content], Grid | None]) -> None:
        """``grid_of``: asks the catalogue."""
        self._directory, self._client, self._grid_of = directory, client, grid_of
        self._open: OrderedDict[int, Part] = OrderedDict()
        self._small: OrderedDict[int, bytes] = OrderedDict()
        """Whole small contents that came through the librarian's memory."""

    async def fetch(self, content: Content, offset: int, length: int) -> None:
        """Take what is in the librarian's memory of a range, or of a small content.

        Raises:
            NoLibrarian: nobody answers.
        """
        part = self.of(content)
        if part is not None:
            await part.fetch(offset, length)
        elif content.size <= CHUNK:
            data = await self._client.chunk(content.id, 0)
            if data is not None and content_digest(data) == content.digest:
                self._small[content.id] = data
                if len(self._small) > KEPT_LOOSE:
                    self._small.popitem(last=False)

    def small(self, content: Content, offset: int, length: int) -> bytes | None:
        """A range of a small content that was fetched."""
        data = self._small.get(content.id)
        return None if data is None else data[offset : offset + length]

    def at_hand(self, content: int | None, offset: int, length: int) -> int | None:
        """A descriptor from which a range can be read at once; None if it cannot."""
        part = self._open.get(content) if content is not None else None
        return None if part is None else part.at_hand(offset, length)

    def of(self, content: Content) -> Part | None:
        """A content; None if it is believed as a whole only."""
        part = self._open.get(content.id)
        if part is None:
            grid = self._grid_of(content)
            if grid is None:
                return None
            part = self._open[content.id] = Part(content, grid, self._directory, self._client)
            if len(self._open) > KEPT_OPEN:
                self._open.popitem(last=False)[1].close()
        return part

    def forget(self, content: int | None) -> None:
        """Nobody has it open."""
        part = self._open.pop(content, None) if content is not None else None
        if part is not None:
            part.close()

    def close(self) -> None:
        """Let go of all."""
        while self._open:
            self._open.popitem()[1].close()


def _looked_at(reader: PartialReader, numbers: range) -> tuple[list[int], list[int]]:
    try:
        return reader.lacks(numbers)
    except OSError:
        return list(numbers), []


def read_and_close(descriptor: int, offset: int, length: int) -> bytes:
    """A range of a file, shorter at its end only; for a thread, which owns the descriptor."""
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
