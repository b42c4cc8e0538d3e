"""Machines of simple protocols: one reply to each command, no numbers. What they share, faults of the line included.

For hearing commands in their order, one motion at a time, and spoiling replies as ordered. Not for any language
(subclasses) nor for mechanics (``robot.sim.bins``).

Concurrency: commands queue behind the arm; questions that a machine answers while it moves do not. A motion belongs
to the machine: a host that hangs up does not stop the arm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

import trio

from robot.errors import CommunicationLost
from robot.ports import ByteStream
from robot.sim.arm import PowerCutError, Timing
from robot.sim.bins import BinArm
from robot.sim.faults import Fault, FaultKind, FaultPlan
from robot.sim.world import World


class PlainMachine(ABC):
    """The machine. Making one is switching it on."""

    bin_holds: int | None = None
    """Discs that go into an output or reject bin; None: any number."""

    def __init__(self, world: World, *, timing: Timing | None = None, faults: FaultPlan | None = None) -> None:
        self.world = world
        self.timing = timing or Timing()
        self.faults = faults or FaultPlan()
        self.arm = BinArm(world, self.timing, self.bin_holds)
        self._line: ByteStream | None = None
        self._moving = trio.Lock()
        self._asleep = False
        self._previous = b""

    async def serve(self, line: ByteStream) -> None:
        """Be the machine on ``line`` until cancelled, or until the line is gone and the arm at rest."""
        self._line = line
        buffer = bytearray()
        async with trio.open_nursery() as nursery:
            with suppress(CommunicationLost):
                while True:
                    buffer += await line.receive()
                    while not self._asleep and (command := self.cut(buffer)) is not None:
                        nursery.start_soon(self._hear, command)
                        await trio.lowlevel.checkpoint()

    @abstractmethod
    def cut(self, buffer: bytearray) -> bytes | None:
        """Take the first whole command out of the buffer; None if there is none."""

    @abstractmethod
    def word(self, command: bytes) -> str:
        """The word the fault plan calls a command by."""

    @abstractmethod
    def answer_at_once(self, command: bytes) -> bytes | None:
        """The reply to a question that is answered even while the arm moves; None: it is no such question."""

    @abstractmethod
    async def perform(self, command: bytes, motion: Fault | None) -> bytes:
        """Carry out one command and return the reply. May raise PowerCutError."""

    def reboot(self) -> None:
        """Forget what only working memory held."""
        self.arm = BinArm(self.world, self.timing, self.bin_holds)

    async def _hear(self, command: bytes) -> None:
        fault = self.faults.of_line(self.word(command))
        if fault and fault.kind is FaultKind.DEAF:
            fault.hit()
            return
        reply = self.answer_at_once(command)
        if reply is None:
            async with self._moving:
                try:
                    reply = await self.perform(command, self.faults.of_motion(self.word(command)))
                except PowerCutError:
                    self._asleep = True
                    await trio.sleep(self.timing.boot)
                    self._asleep = False
                    self.reboot()
                    return
        await self._say(reply, fault)

    async def _say(self, data: bytes, fault: Fault | None) -> None:
        previous, self._previous = self._previous, data
        if fault and (fault.kind is not FaultKind.EARLIER or previous):
            fault.hit()
        match fault.kind if fault else None:
            case FaultKind.MUTE:
                return
            case FaultKind.LATE if fault:
                await trio.sleep(fault.seconds)
            case FaultKind.GARBLED:
                middle = len(data) // 2
                data = data[:middle] + bytes([data[middle] ^ 0x15]) + data[middle + 1 :]
            case FaultKind.HALF:
                data = data[: len(data) // 2]
            case FaultKind.EARLIER if previous:
                data = previous
            case _:
                pass
        if self._line is not None and data:
            with suppress(CommunicationLost):  # a UART does not notice that nobody listens
                await self._line.send(data)
