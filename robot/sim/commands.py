"""Machines that are driven by running a program: a simulated program, as a job of a driver and behind a serial port.

For everything between "these are the arguments" and "this is the exit status" that is the same for all of them: one
command at a time, and the faults of the conversation. Not for what a program prints (``robot.sim.mtxsim``,
``robot.sim.scriptsim``). On a port, ``robot.sim.client`` is the program people and drivers run.

Concurrency: the machine belongs to nobody; commands queue. A command that nobody waits for any more is carried out.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from robot.errors import CommunicationLost
from robot.ports import ByteStream
from robot.sim.faults import Fault, FaultKind, FaultPlan
from robot.wire.run import Completed


class CommandSet(Protocol):
    """A program and the machine behind it."""

    def word(self, arguments: Sequence[str]) -> str:
        """The word the fault plan knows a command by: MOVE, STATUS, INIT, INFO."""
        ...

    async def execute(self, arguments: Sequence[str], motion: Fault | None) -> Completed:
        """Carry out one command line (without the program's own name)."""
        ...


class CommandMachine:
    """The machine. It has one arm: one command at a time."""

    def __init__(self, commands: CommandSet, faults: FaultPlan) -> None:
        self._commands = commands
        self.faults = faults
        self._lock = trio.Lock()
        self._previous: Completed | None = None

    async def run(self, arguments: Sequence[str]) -> Completed:
        """One run of the program, faults of the conversation included; MUTE and DEAF never return."""
        word = self._commands.word(arguments)
        fault = self.faults.of_line(word)
        if fault and fault.kind is FaultKind.DEAF:
            fault.hit()
            await trio.sleep_forever()
        async with self._lock:
            motion = self.faults.of_motion(word) if word in ("MOVE", "INIT") else None
            done = await self._commands.execute(arguments, motion)
        return await self._spoiled(done, fault)

    async def _spoiled(self, done: Completed, fault: Fault | None) -> Completed:
        previous, self._previous = self._previous, done
        if fault is None:
            return done
        if fault.kind is not FaultKind.EARLIER or previous:
            fault.hit()
        match fault.kind:
            case FaultKind.MUTE:
                await trio.sleep_forever()
            case FaultKind.LATE:
                await trio.sleep(fault.seconds)
            case FaultKind.GARBLED:
                half = len(done.out) // 2
                return Completed(done.status, f"{done.out[:half]}\x15{done.out[half + 1 :]}", done.err)
            case FaultKind.HALF:
                return Completed(-9, done.out[: len(done.out) // 2], "")
            case FaultKind.EARLIER if previous:
                return previous
            case _:
                pass
        return done

    async def serve(self, line: ByteStream) -> None:
        """Answer ``robot.sim.client``: a line ``[id, argument, ...]`` is answered by ``[id, status, out, err]``."""
        rest = b""
        async with trio.open_nursery() as nursery:
            while True:
                *lines, rest = (rest + await line.receive()).split(b"\n")
                for text in filter(None, lines):
                    try:
                        number, *arguments = json.loads(text)
                    except ValueError:
                        continue  # noise, or a client that was killed in the middle
                    nursery.start_soon(self._answer, line, number, [str(argument) for argument in arguments])

    async def _answer(self, line: ByteStream, number: object, arguments: list[str]) -> None:
        done = await self.run(arguments)
        try:
            await line.send(json.dumps([number, done.status, done.out, done.err]).encode() + b"\n")
        except CommunicationLost:
            return  # nobody is there any more


class SimulatedJob:
    """A run inside this process, for tests with a virtual clock."""

    def __init__(self) -> None:
        self._ended = trio.Event()
        self._done = Completed(-9, "", "")

    async def live(self, machine: CommandMachine, arguments: Sequence[str]) -> None:
        """Be the run; started in a nursery that outlives whoever waits."""
        done = await machine.run(arguments)
        if not self._ended.is_set():
            self._done = done
            self._ended.set()

    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._ended.is_set()

    async def wait(self) -> Completed:
        """Wait for its end."""
        await self._ended.wait()
        return self._done

    def kill(self) -> None:
        """End the program; an arm that moves goes on."""
        self._ended.set()

    def release(self) -> None:
        """Nothing is held."""


def launcher(
    machine: CommandMachine, nursery: trio.Nursery, skip: int = 1
) -> Callable[[Sequence[str]], Awaitable[SimulatedJob]]:
    """A launch function for ``Programs`` whose processes are tasks of ``nursery``; drops ``skip`` words of argv."""

    async def launch(argv: Sequence[str]) -> SimulatedJob:
        await trio.lowlevel.checkpoint()
        job = SimulatedJob()
        nursery.start_soon(job.live, machine, list(argv[skip:]))
        return job

    return launch
