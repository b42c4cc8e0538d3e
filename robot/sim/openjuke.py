"""A home-built random-access jukebox that speaks the Open Disc Jukebox Protocol (``robot/PROTOCOL.md``).

For being the firmware on the far side of the wire: sessions, numbers, memory of answers, signs of life, and the faults
of the conversation. Not for mechanics (``robot.sim.arm``) nor for what is true of discs (``robot.sim.world``).

Concurrency: one task reads the line and answers; at most one more carries out a motion, and it belongs to the machine,
not to the host: a host that hangs up does not stop the arm. All state changes between awaits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from robot.errors import CommunicationLost
from robot.ports import ByteStream, Capabilities, Identity, MachineState, MachineStatus
from robot.sim.arm import Arm, PowerCutError, Refusal, Timing
from robot.sim.faults import Fault, FaultKind, FaultPlan
from robot.sim.world import World
from robot.wire.lines import HOST_LINE_LIMIT, BadLineError, LineSplitter
from robot.wire.odjp import (
    VERSION,
    Ack,
    Boot,
    Command,
    ErrorName,
    Failed,
    Hello,
    Info,
    Init,
    Move,
    Nak,
    Ok,
    Reply,
    Request,
    Running,
    Status,
    UnknownCommandError,
    decode_command,
    encode_reply,
)
from robot.wire.odjp_status import encode_info, encode_status

HEARTBEAT = 1.0
"""Seconds between two signs of life during a motion; the protocol allows 2."""
_FIRMWARE = "1.0"


@dataclass(slots=True)
class _Motion:
    """The last motion that was accepted in this session: the machine's memory of answers."""

    command: Command
    answer: Reply | None = None
    """None while it runs."""
    fault: Fault | None = None
    """What goes wrong with the final answer to the newest copy of the command."""


class OpenJuke:
    """The machine. Making one is switching it on."""

    def __init__(self, world: World, *, timing: Timing | None = None, faults: FaultPlan | None = None) -> None:
        self.world = world
        self.timing = timing or Timing()
        self.faults = faults or FaultPlan()
        self.arm = Arm(world, self.timing)
        self._line: ByteStream | None = None
        self._asleep = False
        self._start()
        self._previous = Reply(0, Boot(self.arm.epoch))

    async def serve(self, line: ByteStream) -> None:
        """Be the machine on ``line`` until cancelled, or until the line is gone and the arm at rest.

        May be called again with another line while the last motion of the earlier one still runs.
        """
        self._line = line
        async with trio.open_nursery() as nursery:
            self._spawn: Callable[..., None] = nursery.start_soon
            await self._say(Reply(0, Boot(self.arm.epoch)))
            with suppress(CommunicationLost):
                while True:
                    await self._take_in(await line.receive())

    def _start(self) -> None:
        """What switching on does: everything in working memory is gone."""
        memory = self.world.memory
        memory["boots"] = str(int(memory.get("boots", "0")) + 1)
        self.world.save()
        self.arm.forget()
        self._splitter = LineSplitter(HOST_LINE_LIMIT)
        self._session: int | None = None
        self._motion: _Motion | None = None
        self._highest = 0

    async def _take_in(self, data: bytes) -> None:
        if not self._asleep:
            for raw in self._splitter.feed(data):
                await self._hear(raw)

    async def _hear(self, raw: bytes) -> None:
        try:
            command = decode_command(raw)
        except BadLineError:
            await self._say(Reply(0, Nak("CRC")))
            return
        except UnknownCommandError as error:
            await self._say(Reply(error.number, Failed(ErrorName.BAD_COMMAND)))
            return
        fault = self.faults.of_line(type(command.request).__name__.upper())
        if fault and fault.kind is FaultKind.DEAF:
            fault.hit()
            return
        number = command.number
        match command.request:
            case Hello() as hello:
                await self._answer(self._greet(number, hello), fault)
            case _ if self._session is None:
                await self._answer([Reply(number, Failed(ErrorName.NO_SESSION))], fault)
            case Init() | Move():
                await self._hear_motion(command, fault)
            case Info():
                await self._answer([Reply(number, Ok(encode_info(self._identity(), self._capabilities())))], fault)
            case Status():
                await self._answer(encode_status(number, self._status()), fault)

    def _greet(self, number: int, hello: Hello) -> list[Reply]:
        if hello.version != VERSION:
            return [Reply(number, Failed(ErrorName.BAD_VERSION, (("version", str(VERSION)),)))]
        if hello.session != self._session:
            self._session = hello.session
            self._highest = 0
            if self._motion:  # goes on if it still moves, but answers nobody any more
                self._motion.command = Command(-1, self._motion.command.request)
        fields = (("version", str(VERSION)), ("session", f"{hello.session:08X}"), ("epoch", self.arm.epoch))
        return [Reply(number, Ok(fields))]

    def _status(self) -> MachineStatus:
        state = self.arm.state()
        if self._is_moving() and state is not MachineState.DOOR_OPEN:
            state = MachineState.BUSY
        return MachineStatus(state, self.arm.elements(), self.arm.moves, self.arm.epoch)

    async def _hear_motion(self, command: Command, fault: Fault | None) -> None:
        """The rule of numbers: a motion is carried out once, and an answer once given stays the answer."""
        motion, number = self._motion, command.number
        if motion and number == motion.command.number:
            if command != motion.command:
                await self._answer([Reply(number, Failed(ErrorName.BAD_SEQUENCE))], fault)
            elif motion.answer is None:
                motion.fault = fault
                await self._acknowledge(number, fault)
            else:
                await self._answer([motion.answer], fault)
        elif self._is_moving() and number >= self._highest:
            self._highest = number
            await self._answer([Reply(number, Failed(ErrorName.BUSY))], fault)
        elif number <= self._highest:
            name = ErrorName.BUSY if number == self._highest else ErrorName.BAD_SEQUENCE
            await self._answer([Reply(number, Failed(name))], fault)
        else:
            self._highest = number
            self._motion = _Motion(command, fault=fault)
            await self._acknowledge(number, fault)
            self._spawn(self._carry_out, self._motion)

    async def _acknowledge(self, number: int, fault: Fault | None) -> None:
        if fault and fault.kind is FaultKind.MUTE:
            fault.hit()
        else:
            await self._say(Reply(number, Ack()))

    async def _carry_out(self, motion: _Motion) -> None:
        request = motion.command.request
        disturbance = self.faults.of_motion(type(request).__name__.upper())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._show_life, motion)
            body = await self._attempt(request, disturbance)
            nursery.cancel_scope.cancel()
        if body is None:
            await self._reboot()
            return
        motion.answer = Reply(motion.command.number, body)
        if motion.command.number > 0:
            await self._answer([motion.answer], motion.fault)

    async def _attempt(self, request: Request, disturbance: Fault | None) -> Ok | Failed | None:
        """Let the arm do it; None when power failed."""
        try:
            if isinstance(request, Move):
                await self.arm.move(request.source, request.destination, disturbance)
            else:
                await self.arm.initialize(disturbance)
        except Refusal as refusal:
            return Failed(refusal.name, tuple(refusal.facts.items()))
        except PowerCutError:
            return None
        return Ok()

    async def _show_life(self, motion: _Motion) -> None:
        while True:
            await trio.sleep(HEARTBEAT)
            number = motion.command.number
            if number > 0 and not (motion.fault and motion.fault.kind is FaultKind.MUTE):
                await self._say(Reply(number, Running("moving")))

    async def _reboot(self) -> None:
        self._asleep = True
        self._start()
        await trio.sleep(self.timing.boot)
        self._asleep = False
        await self._say(Reply(0, Boot(self.arm.epoch)))

    def _is_moving(self) -> bool:
        return self._motion is not None and self._motion.answer is None

    async def _answer(self, replies: list[Reply], fault: Fault | None) -> None:
        """Say final answers, as ``fault`` spoils them."""
        previous, self._previous = self._previous, replies[-1]
        data = b"".join(encode_reply(reply) for reply in replies)
        kind = fault.kind if fault else None
        if fault:
            fault.hit()
        match kind:
            case FaultKind.MUTE:
                return
            case FaultKind.LATE if fault:
                self._spawn(self._send_later, data, fault.seconds)
                return
            case FaultKind.GARBLED:
                data = data[:-3] + bytes([data[-3] ^ 0x15]) + data[-2:]
            case FaultKind.HALF:
                data = data[: len(data) // 2]
            case FaultKind.EARLIER:
                data = encode_reply(previous)
            case _:
                pass
        await self._send(data)

    async def _say(self, reply: Reply) -> None:
        await self._send(encode_reply(reply))

    async def _send_later(self, data: bytes, seconds: float) -> None:
        await trio.sleep(seconds)
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        if self._line is not None and not self._asleep:
            with suppress(CommunicationLost):  # a UART does not notice that nobody listens
                await self._line.send(data)

    def _identity(self) -> Identity:
        return Identity("odarchive", "openjuke", _FIRMWARE, f"sim-{self.world.directory.name}")

    def _capabilities(self) -> Capabilities:
        shape = self.world.shape
        return Capabilities(slots=shape.slots, drives=shape.drives, mailslots=shape.mailslots)
