"""Lines to machines: a serial port as a :class:`robot.ports.ByteStream`, and a pair in memory for tests.

For moving bytes. Not for framing, time-outs or retries: those belong to the driver of each protocol. A file
descriptor is read only when the kernel says it has something, so no thread waits in ``read`` and a cancelled
``receive`` loses nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable

import serial
import trio

from robot.errors import CommunicationLost
from robot.ports import ByteStream

if sys.platform == "win32":  # pragma: no cover
    raise ImportError("serial lines are read through POSIX descriptors here")

_READ_SIZE = 4096


class DescriptorStream:
    """A non-blocking descriptor of a terminal (a serial port, either end of a pseudo-terminal) as a byte stream.

    Concurrency: one task reads, one task (or the same) writes.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.name = name

    async def send(self, data: bytes) -> None:
        """Write all of ``data``. Raises CommunicationLost if the line is gone."""
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._open_descriptor(), rest) :]
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_writable)
            except OSError as error:
                raise self._lost(error) from error

    async def receive(self) -> bytes:
        """Wait for at least one byte. Raises CommunicationLost if the line is gone (unplugged, closed)."""
        while True:
            await self._wait(trio.lowlevel.wait_readable)
            try:
                data = os.read(self._open_descriptor(), _READ_SIZE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._lost(error) from error
            if not data:  # Linux reports an unplugged USB adapter as readable and empty
                raise CommunicationLost(f"{self.name}: the line hung up; check the cable and the machine's power")
            return data

    async def aclose(self) -> None:
        """Close the descriptor; idempotent."""
        self._close()
        await trio.lowlevel.checkpoint()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            trio.lowlevel.notify_closing(descriptor)
            os.close(descriptor)

    def _open_descriptor(self) -> int:
        if self._descriptor < 0:
            raise CommunicationLost(f"{self.name}: the line is closed on this side")
        return self._descriptor

    async def _wait(self, until_ready: Callable[[int], Awaitable[None]]) -> None:
        try:
            await until_ready(self._open_descriptor())
        except (OSError, trio.ClosedResourceError) as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> CommunicationLost:
        return CommunicationLost(f"{self.name}: {error}; check the cable and the machine's power")


class SerialStream(DescriptorStream):
    """A serial port, opened by pyserial for this program alone (``flock``), 8 data bits, 1 stop bit.

    What was in the port's buffers from before is dropped at opening.
    """

    def __init__(
        self, port: str, baudrate: int = 115200, *, parity: str = serial.PARITY_NONE, rtscts: bool = False
    ) -> None:
        """Open ``port``; ``rtscts``: with hardware flow control, else with none.

        Raises:
            CommunicationLost: no such port, no permission, or another program has it.
        """
        try:
            self._port = serial.Serial(port, baudrate, parity=parity, timeout=0, rtscts=rtscts, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise CommunicationLost(f"{port}: cannot open the serial port: {error}") from error
        super().__init__(self._port.fileno(), port)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            trio.lowlevel.notify_closing(descriptor)
            self._port.close()


class ReopeningStream:
    """A line that is opened again after it was lost: an adapter replugged, a machine switched off and on.

    The loss itself is still raised, once, because nobody knows what the machine heard of what was sent. The next
    ``send`` or ``receive`` opens the line anew (protocols without numbers listen before they speak); until it can be
    opened, both raise CommunicationLost.

    Concurrency: as the streams it opens.
    """

    def __init__(self, open_line: Callable[[], ByteStream]) -> None:
        """Open the line for the first time with ``open_line``; raises CommunicationLost if it cannot be opened."""
        self._open_line = open_line
        self._line: ByteStream | None = open_line()

    async def send(self, data: bytes) -> None:
        """See the port."""
        if self._line is None:
            self._line = self._open_line()
        try:
            await self._line.send(data)
        except CommunicationLost:
            await self._drop()
            raise

    async def receive(self) -> bytes:
        """See the port."""
        if self._line is None:
            await trio.lowlevel.checkpoint()
            self._line = self._open_line()
        try:
            return await self._line.receive()
        except CommunicationLost:
            await self._drop()
            raise

    async def aclose(self) -> None:
        """See the port."""
        await self._drop()

    async def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with trio.CancelScope(shield=True):  # closing a descriptor does not wait
                await line.aclose()


class MemoryStream:
    """One end of a line in memory; made by :func:`memory_pair`."""

    def __init__(
        self, outgoing: trio.MemorySendChannel[bytes], incoming: trio.MemoryReceiveChannel[bytes], name: str
    ) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self.name = name
        self.sent = 0
        """Bytes sent through this end so far."""

    async def send(self, data: bytes) -> None:
        """Hand ``data`` to the other end at once. Raises CommunicationLost if either end is closed."""
        await trio.lowlevel.checkpoint()
        try:
            self._outgoing.send_nowait(bytes(data))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise CommunicationLost(f"{self.name}: the other end is closed") from error
        self.sent += len(data)

    async def receive(self) -> bytes:
        """Wait for bytes. Raises CommunicationLost when the other end is closed and all it sent has been read."""
        try:
            return await self._incoming.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError) as error:
            raise CommunicationLost(f"{self.name}: the other end is closed") from error

    async def aclose(self) -> None:
        """Close both directions; idempotent."""
        self._outgoing.close()
        self._incoming.close()
        await trio.lowlevel.checkpoint()


def memory_pair(name: str = "memory line") -> tuple[MemoryStream, MemoryStream]:
    """Two ends of one line: what one sends, the other receives, in order and at once."""
    to_b, from_a = trio.open_memory_channel[bytes](float("inf"))
    to_a, from_b = trio.open_memory_channel[bytes](float("inf"))
    return MemoryStream(to_b, from_b, name), MemoryStream(to_a, from_a, name)
