"""Chunk digests: what lets a part of a content be checked before the rest of it is there. Pure.

A content, or the part of one that a disc carries, is divided into chunks of 1 MiB from its first byte on; the last may
be shorter. Each has the first 16 bytes of its BLAKE3. What fits into one chunk has none: its whole digest does as well.
A grid is the chunks of a whole content, put together from the parts on its discs. Why so: decisions/0009.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from blake3 import blake3

CHUNK = 1 << 20
"""Bytes of a chunk."""
CHUNK_DIGEST = 16
"""Bytes of a chunk's digest: the beginning of its BLAKE3."""


def chunk_digest(data: bytes | bytearray | memoryview) -> bytes:
    """The digest of one chunk."""
    return blake3(data).digest(CHUNK_DIGEST)


def digests_size(length: int) -> int:
    """Bytes of all chunk digests of a part with this length."""
    return 0 if length <= CHUNK else -(-length // CHUNK) * CHUNK_DIGEST


class ChunkedBlake3:
    """BLAKE3 of a stream, and of its chunks on the way; a stream of one chunk costs nothing more."""

    __slots__ = ("_chunk", "_found", "_taken", "_whole")

    def __init__(self, data: bytes = b"", /) -> None:
        self._taken = 0
        self._found = b""
        self._chunk: blake3 | None = None
        """Of a chunk that came in part."""
        if len(data) <= CHUNK:
            self._whole, self._taken = blake3(data), len(data)
        else:
            self._whole = blake3()
            self.update(data)

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take more bytes."""
        view = memoryview(data)
        while view:
            room = CHUNK - self._taken % CHUNK
            part, view = view[:room], view[room:]
            if self._taken >= CHUNK:
                self._behind_the_first(part, room)
            self._whole.update(part)
            self._taken += len(part)

    def _behind_the_first(self, part: memoryview, room: int) -> None:
        """Bytes of one chunk, ``room`` bytes before its end."""
        if self._taken == CHUNK:
            self._found = self._whole.digest(CHUNK_DIGEST)  # of the first chunk: it is all that was taken
        if len(part) == CHUNK:
            self._found += chunk_digest(part)
            return
        if self._chunk is None:
            self._chunk = blake3()
        self._chunk.update(part)
        if len(part) == room:
            self._close(self._chunk)

    def _close(self, chunk: blake3) -> None:
        self._found += chunk.digest(CHUNK_DIGEST)
        self._chunk = None

    def digest(self) -> bytes:
        """BLAKE3 of everything taken."""
        return self._whole.digest()

    def chunks(self) -> bytes:
        """The chunk digests of everything taken, joined; empty for one chunk. Nothing may be taken after it."""
        if self._chunk is not None:
            self._close(self._chunk)
        return self._found


class Part(NamedTuple):
    """The chunk digests of a range of a content, as the disc that carries it has them."""

    start: int
    length: int
    digests: bytes


class Chunk(NamedTuple):
    """A range of a content that can be checked alone."""

    start: int
    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Grid:
    """All chunks of a content in order."""

    size: int
    parts: tuple[Part, ...]
    _starts: tuple[int, ...]
    _numbers: tuple[int, ...]
    """Number of the first chunk of each part, and of all."""

    @classmethod
    def of(cls, size: int, parts: Iterable[Part]) -> "Grid | None":
        """Put a grid together; None if the parts leave a gap, or the content is one chunk.

        Args:
            size: bytes of the content.
            parts: in any order, overlapping or not; one that is one chunk long has its 16 bytes as well.
        """
        if size <= CHUNK:
            return None
        row = _covering(size, [part for part in parts if _whole(part)])
        if row is None:
            return None
        numbers = [0]
        for part in row:
            numbers.append(numbers[-1] + len(part.digests) // CHUNK_DIGEST)
        return cls(size, tuple(row), tuple(part.start for part in row), tuple(numbers))

    def __len__(self) -> int:
        return self._numbers[-1]

    def __getitem__(self, number: int) -> Chunk:
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = bisect_right(self._numbers, number) - 1
        part, within = self.parts[place], number - self._numbers[place]
        start = within * CHUNK
        digest = part.digests[within * CHUNK_DIGEST : (within + 1) * CHUNK_DIGEST]
        return Chunk(part.start + start, min(CHUNK, part.length - start), digest)

    def at(self, offset: int) -> int:
        """The number of the chunk that a byte of the content lies in."""
        place = bisect_right(self._starts, offset) - 1
        return self._numbers[place] + (offset - self._starts[place]) // CHUNK

    def ends(self) -> Iterator[int]:
        """The numbers of the last chunk of each part: the only ones that may be shorter."""
        return (number - 1 for number in self._numbers[1:])

    def over(self, offset: int, length: int) -> range:
        """The numbers of the chunks that a range of bytes touches; bytes beyond the end are none."""
        end = min(offset + length, self.size)
        return range(self.at(offset), self.at(end - 1) + 1) if offset < end else range(0)

    def __iter__(self) -> Iterator[Chunk]:
        return (self[number] for number in range(len(self)))


def _whole(part: Part) -> bool:
    return part.length > 0 and len(part.digests) == -(-part.length // CHUNK) * CHUNK_DIGEST


def _covering(size: int, parts: list[Part]) -> list[Part] | None:
    """Parts that follow one another from the first byte to the last."""
    starting: dict[int, list[Part]] = {}
    for part in sorted(parts, key=lambda part: part.length):
        starting.setdefault(part.start, []).append(part)
    reached: dict[int, Part | None] = {0: None}
    for start in sorted(starting):  # ends lie behind starts, so one pass in this order finds every way
        if start in reached:
            for part in starting[start]:
                reached.setdefault(part.start + part.length, part)
    row: list[Part] = []
    at = size
    while at:
        last = reached.get(at)
        if last is None:
            return None
        row.append(last)
        at = last.start
    return row[::-1]
