"""Contents of which some chunks are there: what a probe of a film reads, or a file while it is being staged.

A file ``partial/DIGEST`` as long as the content, with holes, and beside it ``DIGEST.have``: eight bytes of mark, eight
bytes that tell which grid it is of, then a bit for each chunk. A chunk's digest is compared before it is written, its
bit set after, and right bytes are never changed in that file, so a crash at any instant costs at most the last chunk.

The bits are only a claim. What a power cut or a bad disk may have done to the bytes is found out by the reader, who
compares each chunk with its digest before he hands out the first byte of it. So nothing is read again at start, and
nothing here has to wait for the disk.

An open file stays as it is: what is evicted is unlinked, what is kept of it is copied into a new one.

Concurrency: ``Partial`` is used by the librarian's thread alone, its ``check`` in any. ``PartialReader.lacks`` may run
in several threads at once.
"""

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from blake3 import blake3

from odarchive.cache.files import HAVE, digest_of, let_go, partial_place, translated
from odarchive.chunks import CHUNK, Chunk, Grid, chunk_digest
from odarchive.errors import DamageFound

MARK = b"ODPART1\n"
HEAD = 16
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITING = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def header(grid: Grid) -> bytes:
    """What a ``.have`` file of a grid begins with."""
    cuts = b"".join(struct.pack(">QQ", part.start, part.length) for part in grid.parts)
    return MARK + blake3(cuts).digest(HEAD - len(MARK))


class Partial:
    """The writer's side of one content."""

    def __init__(self, directory: Path, digest: bytes, grid: Grid) -> None:
        """Open what is there of it, or begin.

        Raises:
            NoSpace: there is no room for even the beginning.
        """
        self.digest, self.grid = digest, grid
        self.path = directory / partial_place(digest)
        self._directory = directory
        self._hasher, self._hashed = blake3(), 0
        self._file = self._have = -1
        try:
            self._open()
        except OSError as error:
            self.close()
            raise translated(error, directory) from error

    def _open(self) -> None:
        begin, size = header(self.grid), HEAD + (len(self.grid) + 7) // 8
        self._file = os.open(self.path, _WRITING, 0o644)
        self._have = os.open(f"{self.path}{HAVE}", _WRITING, 0o644)
        there = os.pread(self._have, size, 0)
        if len(there) != size or there[:HEAD] != begin or os.fstat(self._file).st_size != self.grid.size:
            os.ftruncate(self._have, 0)
            os.ftruncate(self._file, self.grid.size)
            there = begin + bytes(size - HEAD)
            os.pwrite(self._have, there, 0)
        self._bits = bytearray(there[HEAD:])
        short = sum(CHUNK - self.grid[number].length for number in self.grid.ends() if number in self)
        self.bytes = sum(byte.bit_count() for byte in self._bits) * CHUNK - short
        """How much of it is there."""

    def __contains__(self, number: int) -> bool:
        return bool(self._bits[number >> 3] >> (number & 7) & 1)

    @property
    def complete(self) -> bool:
        """Whether every chunk is there."""
        return self.bytes == self.grid.size

    @property
    def descriptor(self) -> int:
        """The open file; -1 once it is closed."""
        return self._file

    def put(self, number: int, data: bytes) -> None:
        """Write a chunk if it is the right one; its bit is set when it is written.

        Raises:
            DamageFound: these are other bytes.
            NoSpace: the disk is full.
        """
        chunk = self.grid[number]
        verify(chunk, data)
        if number in self:
            return
        try:
            write_all(self._file, data, chunk.start)
            self._mark(number)
        except OSError as error:
            raise translated(error, self._directory) from error
        self.bytes += chunk.length
        if chunk.start == self._hashed:
            self._hasher.update(data)
            self._hashed += chunk.length

    def _mark(self, number: int) -> None:
        place = number >> 3
        value = self._bits[place] | 1 << (number & 7)
        os.pwrite(self._have, bytes((value,)), HEAD + place)
        self._bits[place] = value

    def _unmark(self, number: int) -> None:
        place = number >> 3
        self._bits[place] &= ~(1 << (number & 7))
        with suppress(OSError):  # a claim that stays is found wrong by each reader
            os.pwrite(self._have, self._bits[place : place + 1], HEAD + place)

    def _is_right(self, number: int) -> bool:
        chunk = self.grid[number]
        try:
            return is_right(chunk, os.pread(self._file, chunk.length, chunk.start))
        except OSError:
            return False

    def recheck(self, numbers: Iterable[int]) -> list[int]:
        """Read chunks that somebody found wrong again; those that are, are no longer claimed, and are returned.

        What the disk does not give is wrong as well.
        """
        wrong = []
        for number in numbers:
            chunk = self.grid[number]
            if number in self and not self._is_right(number):
                self._unmark(number)
                self.bytes -= chunk.length
                self._hasher, self._hashed = blake3(), 0
                wrong.append(number)
        return wrong

    def check(self) -> None:
        """Compare the whole with its digest; for free if it came in order.

        Raises:
            DamageFound: it is another one, although every chunk was right.
            NoSpace: the disk does not give it.
        """
        if self._hashed == self.grid.size:
            found = self._hasher.digest()
        else:
            found = digest_of(self._file, self.grid.size, self._directory)
        if found != self.digest:
            raise DamageFound(
                f"content {self.digest.hex()[:16]}: the chunks read from disc have another digest together"
            )

    def read(self, number: int) -> bytes:
        """A chunk that is claimed, unchecked."""
        chunk = self.grid[number]
        return os.pread(self._file, chunk.length, chunk.start)

    def close(self) -> None:
        """Let go of the files; they stay."""
        descriptors, self._file, self._have = (self._file, self._have), -1, -1
        for descriptor in descriptors:
            let_go(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PartialReader:
    """The mount's side of one content: chunks as they arrive, each compared before its first use."""

    def __init__(self, descriptor: int, have: int, grid: Grid) -> None:
        self.descriptor, self._have, self.grid = descriptor, have, grid
        self.inode = os.fstat(descriptor).st_ino
        self.seen: set[int] = set()
        """Chunks that were right."""

    @classmethod
    def open(cls, directory: Path, digest: bytes, grid: Grid) -> "PartialReader | None":
        """What there is of a content; None if there is nothing."""
        path = f"{directory}/{partial_place(digest)}"
        try:
            descriptor = os.open(path, _READING)
        except OSError:
            return None
        try:
            have = os.open(path + HAVE, _READING)
        except OSError:
            os.close(descriptor)
            return None
        reader = cls(descriptor, have, grid)
        try:
            usable = os.pread(have, HEAD, 0) == header(grid) and os.fstat(descriptor).st_size == grid.size
        except OSError:  # the disk cannot read it
            usable = False
        if not usable:
            reader.close()
            return None
        with suppress(OSError):
            os.utime(descriptor)  # last use, for eviction
        return reader

    def covers(self, numbers: range) -> bool:
        """Whether all these chunks were seen and right, so that they can be read without a look at anything else."""
        return self.seen.issuperset(numbers)

    def lacks(self, numbers: range) -> tuple[list[int], list[int]]:
        """Look at chunks that were not seen yet: those that are not there, and those that are wrong."""
        absent, wrong = [], []
        for number in numbers:
            if number in self.seen:
                continue
            bits = os.pread(self._have, 1, HEAD + (number >> 3))
            if not bits or not bits[0] >> (number & 7) & 1:
                absent.append(number)
                continue
            chunk = self.grid[number]
            if is_right(chunk, os.pread(self.descriptor, chunk.length, chunk.start)):
                self.seen.add(number)
            else:
                wrong.append(number)
        return absent, wrong

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self.descriptor, self._have):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._have = -1


def claimed(have: Path) -> int:
    """How many chunks a ``.have`` file claims; 0 if it is none."""
    try:
        raw = have.read_bytes()
    except OSError:
        return 0
    return sum(byte.bit_count() for byte in raw[HEAD:]) if raw.startswith(MARK) else 0


def verify(chunk: Chunk, data: bytes | memoryview) -> None:
    """See that these are the bytes of a chunk.

    Raises:
        DamageFound: they are not.
    """
    if not is_right(chunk, data):
        raise DamageFound(f"bytes {chunk.start} to {chunk.start + chunk.length} have another digest")


def is_right(chunk: Chunk, data: bytes | memoryview) -> bool:
    """Whether these are the bytes of a chunk."""
    return len(data) == chunk.length and chunk_digest(data) == chunk.digest


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of it there."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done
