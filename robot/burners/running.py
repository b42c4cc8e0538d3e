"""Runs one burning program to its end and listens to it, in a way that its starter's death does not disturb.

The program gets a session of its own (no Ctrl-C from a terminal reaches it), a file for its words (a pipe would break
with its reader) and the drive's lock (``robot.burners.orphans``). It is told to stop only when it no longer advances.

Not for: judging what was said.
"""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import trio

STOP_GRACE = 30.0
"""Seconds between asking a stalled program to stop and killing it, and between that and leaving it behind."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    returncode: int | None
    """As ``subprocess`` has it; None: it could not even be killed, and still holds the drive's lock."""
    stalled: bool
    """It was told to stop because it did not advance."""
    lines: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears the words of the program."""

    line: Callable[[str, float], None]
    """Called for each line with the time it was read."""
    deadline: Callable[[], float]
    """The time at which the program counts as stalled, as things stand."""


class Feed:
    """What gives the program its standard input, in a thread of its own.

    ``failure`` holds what it raised; that the program ended first is none.
    """

    def __init__(self, write: Callable[[int], None]) -> None:
        self._write = write
        self.failure: Exception | None = None

    async def run(self, descriptor: int) -> None:
        """Write to the descriptor and close it."""
        await trio.to_thread.run_sync(self._run, descriptor)

    def _run(self, descriptor: int) -> None:
        try:
            self._write(descriptor)
        except BrokenPipeError:
            pass
        except Exception as error:  # noqa: BLE001 - a source may fail in any way; the burner makes a BurnError of it
            self.failure = error
        finally:
            os.close(descriptor)


async def run_to_end(
    argv: list[str], *, lock: int, log: Path, listener: Listener, poll: float, feed: Feed | None = None
) -> Ending:
    """Start ``argv`` and stay with it until it ends or stalls. The caller shields this from cancellation.

    Args:
        argv: the program's path and arguments.
        lock: descriptor that the program inherits.
        log: file for its standard output and error; overwritten.
        listener: hears each line.
        poll: seconds between two looks at the log.
        feed: gives its standard input; without one that is empty.

    Raises:
        OSError: it could not be started.
    """
    began = trio.current_time()
    with ExitStack() as opened:
        words = opened.enter_context(open(log, "wb"))  # noqa: ASYNC230 - a new small local file
        ear = _Ear(opened.enter_context(open(log, "rb", buffering=0)).fileno(), listener)  # noqa: ASYNC230 - same
        source, sink = os.pipe() if feed else (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), None)
        with ExitStack() as unfed:
            if sink is not None:
                unfed.callback(os.close, sink)
            process = await _start(argv, words, lock, source)
            unfed.pop_all()
        async with trio.open_nursery() as nursery:
            if feed is not None and sink is not None:
                nursery.start_soon(feed.run, sink)
            stalled = await _stay(process, ear, listener, poll)
        ear.listen(last=True)
        return Ending(process.returncode, stalled, tuple(ear.lines), trio.current_time() - began)


async def _start(argv: list[str], words: BinaryIO, lock: int, source: int) -> trio.Process:
    try:
        return await trio.lowlevel.open_process(
            argv,
            stdin=source,
            stdout=words,
            stderr=words,
            pass_fds=(lock,),
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    finally:
        os.close(source)  # or the program's end would not break the pipe


async def _stay(process: trio.Process, ear: "_Ear", listener: Listener, poll: float) -> bool:
    """Listen until the program has ended; answers whether it had to be told to."""
    while not await _ended(process, poll):
        ear.listen()
        if trio.current_time() > listener.deadline():
            await _stop(process)
            return True
    return False


async def _ended(process: trio.Process, within: float) -> bool:
    with trio.move_on_after(within):
        await process.wait()
    return process.returncode is not None


async def _stop(process: trio.Process) -> None:
    """Ask, then kill. A program stuck inside the kernel survives both; its lock tells the next burn."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(sign)
        if await _ended(process, STOP_GRACE):
            return


class _Ear:
    """Reads the log as it grows and cuts it into lines."""

    def __init__(self, descriptor: int, listener: Listener) -> None:
        self._descriptor = descriptor
        self._listener = listener
        self._rest = b""
        self.lines: list[str] = []

    def listen(self, *, last: bool = False) -> None:
        """Take in what was written since; with ``last`` an unfinished line counts too."""
        data = self._rest
        while part := os.read(self._descriptor, 65_536):
            data += part
        *whole, self._rest = data.replace(b"\r", b"\n").split(b"\n")  # wodim shows progress on one line
        if last and self._rest:
            whole.append(self._rest)
        for raw in whole:
            line = raw.decode("utf-8", "backslashreplace").rstrip()
            self.lines.append(line)
            self._listener.line(line, trio.current_time())
