"""The loop that speaks FUSE to the kernel itself: no library between, no step of a scheduler for what need not wait.

What pyfuse3's way costs, and what this one gives, is in the decision page on adapters. Rules kept here:

- Other tasks get their turn at least every ``SLICE`` seconds, however many requests come.
- Nothing spins while nothing happens: after ``spin`` seconds without a request the loop sleeps in trio.
- A request that waits is a task of its own; an interrupt (a signal to the reader) answers it at once with EINTR.
- At most ``max_tasks`` reads wait; one more is answered EAGAIN rather than left in the kernel's queue.
- Of reads that come at once, ``AT_ONCE`` are begun between two turns of the loop: thousands delay nobody who need not
  wait.

Concurrency: one trio thread. ``notify_*`` may be called from any thread, as each is one write.
"""

import errno
import logging
import os
import select
import time
from collections import deque
from pathlib import Path

import trio

from odfs import device, mountpoint, wire
from odfs.answering import Crowd, OpenFile, Waits
from odfs.answers import Answers
from odfs.errors import MountFailed
from odfs.options import MountOptions
from odfs.ports import Annotations, Contents, Namespace

log = logging.getLogger(__name__)

SLICE = 0.005
"""Seconds after which other tasks get a turn although requests go on."""
AT_ONCE = 8
"""Reads begun between two turns of the loop; beginning one takes a fraction of a millisecond."""
_NO_REPLY = frozenset({wire.Op.FORGET, wire.Op.BATCH_FORGET, 41})
_GONE = (errno.ENODEV, errno.ECONNABORTED, errno.EBADF)


class DirectSession:
    """One connection to the kernel."""

    def __init__(
        self,
        namespace: Namespace,
        contents: Contents,
        options: MountOptions,
        annotations: Annotations | None,
    ) -> None:
        self._options = options
        self._connection = -1
        self._backings = device.Backings(-1)
        self._answers = Answers(namespace, contents, options, annotations, self)
        self._waiting: dict[int, trio.CancelScope] = {}
        self._crowd = Crowd(options.max_tasks)
        self._due: deque[tuple[tuple[OpenFile, int, int], bytes, int, int]] = deque()
        """Reads that wait and have not been begun: what is read, request, unique, node."""
        self._arrivals = trio.lowlevel.ParkingLot()

    def mount(self, path: Path, words: set[str]) -> None:
        """Mount; requests wait for ``main``.

        Raises:
            MountFailed: the kernel or its helper refused.
        """
        self._connection = device.mount(path, words)
        self._backings = device.Backings(self._connection)

    async def main(self) -> None:
        """Answer until the file system is unmounted or the connection cut."""
        await self._begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._begin_reads, nursery)
            await self._loop()
            nursery.cancel_scope.cancel()

    async def _begin(self) -> None:
        await trio.lowlevel.wait_readable(self._connection)
        request = os.read(self._connection, wire.ROOM)
        unique = wire.HEADER.unpack_from(request)[2]
        kernel = wire.parse_init(request)
        if kernel.major != wire.MAJOR or kernel.minor < wire.OLDEST_MINOR:
            raise MountFailed(f"the kernel speaks FUSE {kernel.major}.{kernel.minor}, too old for this program")
        wanted = wire.WANTED
        if self._options.passthrough:
            wanted |= wire.Init.PASSTHROUGH
        abilities = kernel.abilities & wanted
        self._backings.wanted = wire.Init.PASSTHROUGH in abilities
        read_ahead = max(kernel.read_ahead, self._options.read_ahead_kib << 10)
        os.write(self._connection, wire.init_reply(unique, read_ahead, abilities, self._options.max_background))

    async def _loop(self) -> None:
        connection, read, clock, spin = self._connection, os.read, time.perf_counter, self._options.spin_us / 1e6
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        ready, turn = poll.poll, clock()
        while True:
            now = clock()
            if now - turn > SLICE:
                await trio.lowlevel.checkpoint()
                turn = clock()
            if not ready(0):
                end = now + spin
                while not ready(0):
                    if clock() >= end:
                        await trio.lowlevel.wait_readable(connection)
                        turn = clock()
                        break
            try:
                request = read(connection, wire.ROOM)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in _GONE:
                    return
                if error.errno in (errno.ENOENT, errno.EINTR):  # the request was taken back
                    continue
                raise
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        _, op, unique, node, *_ = wire.HEADER.unpack_from(request)
        handler = self._answers.handlers.get(op)
        if handler is None:
            self._others(op, unique, request)
            return
        try:
            reply = handler(request, unique, node)
        except Waits as waits:
            self._wait(waits, request, unique, node)
            return
        except Exception as error:  # noqa: BLE001  no handler may end the mount; errno_of logs what is unexpected
            reply = wire.error_reply(unique, self._answers.errno_of(error, op, request, node))
        if reply is not None:
            self._write(reply)

    def _others(self, op: int, unique: int, request: bytes) -> None:
        """Requests that need no answer, or no more than an errno."""
        if op == wire.Op.INTERRUPT:
            (interrupted,) = wire.UNIQUE_IN.unpack_from(request, wire.IN)
            scope = self._waiting.pop(interrupted, None)
            if scope is not None:
                self._write(wire.error_reply(interrupted, errno.EINTR))
                scope.cancel()
        elif op not in _NO_REPLY:
            done = op == wire.Op.DESTROY
            number = 0 if done else errno.EROFS if op in wire.CHANGES else errno.ENOSYS
            self._write(wire.error_reply(unique, number))

    def _wait(self, waits: Waits, request: bytes, unique: int, node: int) -> None:
        if self._crowd.is_full(len(self._waiting)):
            self._write(wire.error_reply(unique, errno.EAGAIN))
            return
        self._waiting[unique] = trio.CancelScope()
        self._due.append((waits.read, request, unique, node))
        self._arrivals.unpark()

    async def _begin_reads(self, nursery: trio.Nursery) -> None:
        while True:
            if not self._due:
                await self._arrivals.park()
            for _ in range(min(AT_ONCE, len(self._due))):
                nursery.start_soon(self._read, *self._due.popleft())
            await trio.lowlevel.checkpoint()

    async def _read(self, read: tuple[OpenFile, int, int], request: bytes, unique: int, node: int) -> None:
        scope = self._waiting.get(unique)
        if scope is None:
            return  # interrupted before it began
        with scope:
            try:
                data = await self._answers.read_slowly(*read)
            except Exception as error:  # noqa: BLE001  as in _answer
                number = self._answers.errno_of(error, wire.Op.READ, request, node)
                if self._waiting.pop(unique, None):
                    self._write(wire.error_reply(unique, number))
                return
        if self._waiting.pop(unique, None) and not scope.cancelled_caught:
            self.send(wire.REPLY.pack(wire.OUT + len(data), 0, unique), data)

    # The kernel's side of the answers

    def send(self, header: bytes, data: bytes | memoryview) -> None:
        """Reply with bytes."""
        try:
            os.writev(self._connection, (header, data))
        except OSError as error:
            self._unsent(error)

    def back(self, descriptor: int) -> int:
        """Hand a file to the kernel; its number there, or 0."""
        return self._backings.add(descriptor) if self._backings.wanted else 0

    def unback(self, number: int) -> None:
        """The end of that."""
        self._backings.remove(number)

    def _write(self, reply: bytes) -> None:
        try:
            os.write(self._connection, reply)
        except OSError as error:
            self._unsent(error)

    @staticmethod
    def _unsent(error: OSError) -> None:
        """ENOENT: who asked was killed meanwhile; gone: the loop sees it next."""
        if error.errno != errno.ENOENT and error.errno not in _GONE:
            log.error("the kernel does not take a reply: %s", error.strerror)

    # The end, and notifications

    def notify_entry(self, parent: int, name: bytes) -> None:
        """The kernel shall look a name up again. May wait for a lookup under way: not for the trio thread."""
        self._notify(wire.invalidate_entry(parent, name))

    def notify_inode(self, ino: int) -> None:
        """The kernel shall ask for attributes again."""
        self._notify(wire.invalidate_inode(ino))

    def _notify(self, message: bytes) -> None:
        try:
            os.write(self._connection, message)
        except OSError as error:
            if error.errno not in (errno.ENOENT, *_GONE):  # ENOENT: the kernel does not know it
                raise

    def close(self, path: Path, device_number: int, *, unmount: bool) -> None:
        """Give the descriptor back, which answers all waiting clients with an error, and unmount if asked to."""
        if self._connection >= 0:
            os.close(self._connection)
            self._connection = -1
        there = mountpoint.mounted_at(path)
        if unmount and there and (there.device == device_number or not device_number):
            mountpoint.unmount(path, lazy=True)
