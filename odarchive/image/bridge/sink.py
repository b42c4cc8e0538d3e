"""The one way out of the writer: sectors in order to a descriptor or file object, in large writes, hashed beside.

Not for what the bytes mean. Output is never sought in, so a pipe does as well as a file.

Concurrency: one worker thread per sink runs the hashes of large pieces in the order given, while the caller's thread
reads and writes. Between them lie a bounded queue and the buffers of the sink's ring; nothing else is shared. `close`
joins it.
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from queue import SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Protocol

from odarchive.image.bridge.errors import EmitError
from odarchive.image.bridge.sectors import SECTOR

CHUNK = 1 << 20
RING = 6  # buffers
_QUEUE = 24  # jobs waiting at most: together no more than 24 MiB

Progress = Callable[[int], None]
Job = Callable[[], object]


class Hasher(Protocol):
    """What hashlib and blake3 objects are."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take more bytes."""

    def digest(self) -> bytes:
        """The digest of what was taken."""


class NewHasher(Protocol):
    """What hashlib.sha256 and blake3.blake3 are."""

    def __call__(self, data: bytes = b"", /) -> Hasher:
        """A hasher that has taken these bytes."""


class ByteWriter(Protocol):
    """A file object opened for writing bytes; a short count from ``write`` is completed."""

    def write(self, data: bytes | memoryview, /) -> int | None:
        """Write some or all of the bytes."""


class Sink:
    """Collects parts, writes about 1 MiB at once; use as a context manager."""

    def __init__(self, out: int | ByteWriter, image: Hasher | None, progress: Progress | None) -> None:
        self._out, self._image, self._progress = out, image, progress
        self._parts: list[bytes | memoryview] = []
        self._pending = 0
        self._written = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._room = BoundedSemaphore(_QUEUE)
        self._buffers: SimpleQueue[bytearray] = SimpleQueue()
        self._made = 0
        self._failure: BaseException | None = None
        self._worker: Thread | None = None

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._worker is not None:
            self._jobs.put(None)
            self._worker.join()
            self._worker = None

    def put(self, part: bytes | memoryview) -> None:
        """Take a small part."""
        self._parts.append(part)
        self._pending += len(part)
        if self._pending >= CHUNK:
            self.flush()

    def extend(self, parts: Iterable[bytes | memoryview]) -> None:
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
        """A free buffer of 1 MiB; hand it back through `put_buffer` or `release`."""
        if self._made < RING and self._buffers.empty():
            self._made += 1
            return bytearray(CHUNK)
        return self._buffers.get()

    def release(self, buffer: bytearray) -> None:
        """Give a buffer back unused."""
        self._buffers.put(buffer)

    def put_buffer(self, buffer: bytearray, length: int, hasher: Hasher) -> None:
        """Write the first bytes of a ring buffer and hash them beside."""
        self.flush()
        view = memoryview(buffer)[:length]
        self.later(lambda: hasher.update(view))
        if self._image is not None:
            self.later(partial(self._image.update, view))
        self._pending = length
        self._write(view)
        self.later(lambda: self._buffers.put(buffer))

    def later(self, job: Job) -> None:
        """Have the worker do this after all it was given before; waits while the worker is far behind."""
        if self._worker is None:
            self._worker = Thread(target=self._work, name="image-hash", daemon=True)
            self._worker.start()
        self._room.acquire()
        self._jobs.put(job)

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
        """Write what was collected."""
        if not self._parts:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        if self._image is not None:
            self.later(partial(self._image.update, data))
        self._write(data)

    def settle(self) -> None:
        """Write everything and wait until every hash is up to date.

        Raises:
            BaseException: What a hasher raised in the worker.
        """
        self.flush()
        for _ in range(_QUEUE):
            self._room.acquire()
        for _ in range(_QUEUE):
            self._room.release()
        if self._failure is not None:
            raise self._failure

    @property
    def taken(self) -> int:
        """Bytes taken so far, written or not."""
        return self._written + self._pending

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            count = os.write(self._out, view) if isinstance(self._out, int) else self._out.write(view)
            view = view[len(view) if count is None else count :]
        self._written += self._pending
        self._pending = 0
        if self._progress is not None:
            self._progress(self._written)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException as failure:  # noqa: BLE001 - `settle` raises it in the caller's thread
                self._failure = self._failure or failure
            finally:
                self._room.release()
