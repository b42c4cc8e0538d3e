"""The one way out of the writer: sectors in order to a descriptor or file object, in large writes, hashed beside.

Not for what the bytes mean. Output is never sought in, so a pipe does as well as a file.

Concurrency: the caller's thread reads and builds, one worker writes and hashes the image, two others run the hashes of
large pieces, SHA-256 in one and what else there is in the other, because SHA-256 alone takes as long as all the rest;
each does its jobs in the order given. They share bounded queues and the buffers of the ring; a buffer returns to it
when it is both hashed and written. So a slow burner is fed from up to 24 MiB that are ready. Progress is told in the
caller's thread.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from odarchive.image.bridge.errors import EmitError
from odarchive.image.bridge.sectors import SECTOR
from odarchive.image.bridge.worker import Job, Worker

CHUNK = 1 << 20
RING = 8  # buffers
LANES = 2
_QUEUE = 24  # jobs waiting at most in each worker, of no more than about 1 MiB

Progress = Callable[[int], None]


class Hasher(Protocol):
    """What hashlib and blake3 objects are."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take more bytes."""

    def digest(self) -> bytes:
        """The digest of what was taken."""


class Lanes(Protocol):
    """A hasher of several digests that do not wait for one another; each lane runs in a thread of its own."""

    @property
    def lanes(self) -> Sequence[Hasher]:
        """The hashers it consists of, at most `LANES`."""


class NewHasher(Protocol):
    """What hashlib.sha256 and blake3.blake3 are."""

    def __call__(self, data: bytes = b"", /) -> Hasher:
        """A hasher that has taken these bytes."""


class ByteWriter(Protocol):
    """A file object opened for writing bytes; a short count from ``write`` is completed."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Write some or all of the bytes."""


def lanes_of(hasher: Hasher) -> Sequence[Hasher]:
    """What of a hasher can run beside the rest of it."""
    return getattr(hasher, "lanes", (hasher,))


class Sink:
    """Collects parts, writes about 1 MiB at once; use as a context manager."""

    def __init__(self, out: int | ByteWriter, image: Hasher | None, progress: Progress | None) -> None:
        self._out, self._image, self._progress = out, image, progress
        self._parts: list[bytes] = []
        self._pending = 0  # bytes in parts
        self._given = 0  # bytes given to the writer
        self._written = 0  # set by the writer alone
        self._writer = Worker("image-write", _QUEUE)
        self._hashers = [Worker(f"image-hash-{lane}", _QUEUE) for lane in range(LANES)]
        self._buffers: SimpleQueue[bytearray] = SimpleQueue()
        self._made = 0

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in (*self._hashers, self._writer):
            worker.close()

    @property
    def taken(self) -> int:
        """Bytes taken so far, written or not."""
        return self._given + self._pending

    def put(self, part: bytes) -> None:
        """Take a small part."""
        self._parts.append(part)
        self._pending += len(part)
        if self._pending >= CHUNK:
            self.flush()

    def extend(self, parts: Iterable[bytes]) -> None:
        """Take many small parts."""
        append = self._parts.append
        pending = self._pending
        for part in parts:
            append(part)
            pending += len(part)
            if pending >= CHUNK:
                self._pending = pending
                self.flush()
                pending = 0
        self._pending = pending

    def buffer(self) -> bytearray:
        """A free buffer of 1 MiB, to be handed back through `put_buffer`."""
        if self._made < RING and self._buffers.empty():
            self._made += 1
            return bytearray(CHUNK)
        return self._buffers.get()

    def put_buffer(self, buffer: bytearray, length: int, hasher: Hasher) -> None:
        """Write the first bytes of a ring buffer and hash them beside."""
        self.flush()
        view = memoryview(buffer)[:length]
        self._write(view)
        self.hash(hasher, view)
        back = partial(self._buffers.put, buffer)
        self._after_hashing(partial(self._writer.later, back, always=True), always=True)

    def hash(self, hasher: Hasher, data: bytes | memoryview) -> None:
        """Hash a large piece beside, after all that were given before; waits while that is far behind."""
        for worker, lane in zip(self._hashers, lanes_of(hasher), strict=False):
            worker.later(partial(lane.update, data))

    def when_hashed(self, job: Job) -> None:
        """Do this when all hashes given before are done."""
        self._after_hashing(job, always=False)

    def _after_hashing(self, job: Job, *, always: bool) -> None:
        """Pass a job from lane to lane: the last one does it."""
        for worker in reversed(self._hashers[1:]):
            job = partial(worker.later, job, always=always)
        self._hashers[0].later(job, always=always)

    def pad_to(self, sector: int, *, header: bool = False) -> None:
        """Zeros to the start of a sector: less than one sector of them, but in the header.

        Raises:
            EmitError: The sink is not where the layout wants it.
        """
        missing = sector * SECTOR - self.taken
        if missing < 0 or (missing >= SECTOR and not header):
            raise EmitError(f"emission is {-missing} bytes past sector {sector}")
        if missing:
            self.put(bytes(missing))

    def flush(self) -> None:
        """Give what was collected to the writer.

        Raises:
            BaseException: What the output or a hasher raised earlier, or the progress callback.
        """
        if not self._parts:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        self._pending = 0
        self._write(data)

    def settle(self) -> None:
        """Wait until everything is written and every hash is up to date; raises as `flush`."""
        self.flush()
        for worker in (*self._hashers, self._writer):
            worker.settle()
        self._tell()

    def _write(self, data: bytes | memoryview) -> None:
        self._given += len(data)
        self._writer.check()
        for worker in self._hashers:
            worker.check()
        self._writer.later(partial(self._write_out, data))
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._written)

    def _write_out(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            count = os.write(self._out, view) if isinstance(self._out, int) else self._out.write(view)
            view = view[len(view) if count is None else count :]
        if self._image is not None:
            self._image.update(data)
        self._written += len(data)
