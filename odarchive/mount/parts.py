"""Reads of contents that are in the cache in part: from the chunks that are there, or from the librarian's memory.

A chunk is compared with its digest before the first byte of it is handed out, wherever it comes from. How far a reader
will go is told from what he has read: who has read three chunks in a row is believed to want the rest.

Concurrency: one trio thread, which alone swaps files and closes them. What touches the disk runs in worker threads, on
descriptors that stay open until it is done: a number closed under it may be another file's by then.
"""

import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

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

_OURS = (errno.EBADF, errno.ENOMEM)
"""What says nothing about the bytes of a file."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of a range: chunks whose bytes are other ones or cannot be read, and the range if all is right."""

    wrong: Collection[int]
    data: bytes | None


class Held:
    """An open file of a content; it is closed when it is let go of and the last ``with`` is left."""

    def __init__(self, reader: PartialReader) -> None:
        self.reader = reader
        self._users = 1

    def __enter__(self) -> PartialReader:
        self._users += 1
        return self.reader

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Nobody begins to use it any more."""
        self._users -= 1
        if not self._users:
            self.reader.close()


class Part:
    """One content."""

    def __init__(self, content: Content, grid: Grid, directory: Path, client: AsyncClient) -> None:
        self._content, self.grid = content, grid
        self._directory, self._client = directory, client
        self._path = f"{directory}/{partial_place(content.digest)}"
        self._held: Held | None = None
        self._swapping = trio.Lock()
        self._closed = False
        self._loose: OrderedDict[int, bytes] = OrderedDict()
        self._wrong: set[int] = set()
        """Chunks whose bytes in the file are other ones, or cannot be read."""

    def at_hand(self, offset: int, length: int) -> int | None:
        """A descriptor from which this range can be read at once; None if it cannot."""
        if self._held is None or not self._held.reader.covers(self.grid.over(offset, length)):
            return None
        return self._held.reader.descriptor

    async def read(self, offset: int, length: int) -> bytes | None:
        """A range, checked; None if not all of it is here."""
        length = min(length, self.grid.size - offset)
        numbers = self.grid.over(offset, length)
        if all(number in self._loose for number in numbers):
            return self._from_memory(numbers, offset, length)
        held = self._held or await self._another(None)
        while held is not None:
            loose = {number: self._loose[number] for number in numbers if number in self._loose}
            with held as reader:
                look = await trio.to_thread.run_sync(_look, reader, self._path, numbers, offset, length, loose)
            if look is not None:
                self._wrong.difference_update(numbers)
                self._wrong.update(look.wrong)
                return look.data
            held = await self._another(held)
        return None

    def order(self, offset: int, length: int) -> Mapping[str, int]:
        """What to ask the librarian for, so that a read of this range succeeds."""
        numbers = self.grid.over(offset, length)
        seen = self._loose.keys() | self._seen()
        run = 0
        while run <= SOME and numbers[0] - run - 1 in seen:
            run += 1
        ahead = 0 if run < SOME else MORE * CHUNK if run == SOME else self.grid.size
        return {"start": offset, "length": length, "ahead": ahead, "wrong": not self._wrong.isdisjoint(numbers)}

    async def fetch(self, offset: int, length: int) -> None:
        """Take what is in the librarian's memory of a range.

        Raises:
            NoLibrarian: nobody answers.
        """
        for number in self.grid.over(offset, length):
            if number in self._loose or number in self._seen():
                continue
            data = await self._client.chunk(self._content.id, number)
            if data is not None and is_right(self.grid[number], data):
                self._loose[number] = data
                if len(self._loose) > KEPT_LOOSE:
                    self._loose.popitem(last=False)

    def close(self) -> None:
        """Let go of it."""
        self._closed = True
        self._swap(None)
        self._loose.clear()

    def _seen(self) -> set[int]:
        return set() if self._held is None else self._held.reader.seen

    def _swap(self, found: PartialReader | None) -> None:
        if self._held is not None:
            self._held.let_go()
        self._held = None if found is None else Held(found)
        if self._closed and self._held is not None:  # closed while it was opened
            self._held.let_go()
            self._held = None

    async def _another(self, old: Held | None) -> Held | None:
        """The file that is there now in place of the one before; one opens it for all."""
        async with self._swapping:
            if self._held is old and not self._closed:
                found = await trio.to_thread.run_sync(
                    PartialReader.open, self._directory, self._content.digest, self.grid
                )
                self._swap(found)
            return self._held

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


def _look(
    reader: PartialReader, path: str, numbers: range, offset: int, length: int, loose: Mapping[int, bytes]
) -> Look | None:
    """For a thread: a range from the file and from chunks in memory; None if there is another file at the path now."""
    try:
        if os.stat(path).st_ino != reader.inode:
            return None
    except OSError:
        pass  # it may be whole by now, and what was seen of it is right for ever
    try:
        absent, wrong = reader.lacks(numbers)
        if not absent and not wrong:
            data: bytes | None = _read(reader.descriptor, offset, length)
        else:
            data = _mixed(reader, numbers, offset, length, loose)
    except OSError as error:
        reader.seen.difference_update(numbers)
        return Look(() if error.errno in _OURS else numbers, None)
    return Look(wrong, data)


def _mixed(reader: PartialReader, numbers: range, offset: int, length: int, loose: Mapping[int, bytes]) -> bytes | None:
    """Some chunks from the file, some from memory; None if one is in neither."""
    if not all(number in reader.seen or number in loose for number in numbers):
        return None
    parts = []
    for number in numbers:
        chunk = reader.grid[number]
        low, high = max(offset, chunk.start), min(offset + length, chunk.start + chunk.length)
        if number in loose:
            parts.append(loose[number][low - chunk.start : high - chunk.start])
        else:
            parts.append(_read(reader.descriptor, low, high - low))
    return b"".join(parts)


def read_and_close(descriptor: int, offset: int, length: int) -> bytes:
    """A range of a file, shorter at its end only; for a thread, which owns the descriptor."""
    try:
        return _read(descriptor, offset, length)
    finally:
        os.close(descriptor)


def _read(descriptor: int, offset: int, length: int) -> bytes:
    parts = []
    while length > 0:
        part = os.pread(descriptor, length, offset)
        if not part:
            break
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
