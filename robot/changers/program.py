"""Changers that are moved by another program: one run of it at a time, and none of them broken off in the middle.

For starting a program and waiting for it, with a limit. Not for what its output means. No shell is ever involved.

Rules: a run that is no longer waited for (cancelled) goes on, because the arm it drives goes on; until it has ended
or its limit is over, the next one is refused. Only past its limit a program is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import IO, Protocol

import trio

from robot.errors import Busy, ChangerError, CommunicationLost
from robot.wire.run import Completed

_REAPING = 2.0
"""Seconds a killed program is waited for; one that hangs in the kernel stays, and keeps the machine busy."""


class TookTooLong(ChangerError):
    """The program was killed after its limit; drivers translate this into what it means for the discs."""


class Job(Protocol):
    """One run."""

    def has_ended(self) -> bool:
        """Whether it is over."""
        ...

    async def wait(self) -> Completed:
        """Wait for its end. Cancelling the wait does not touch the run."""
        ...

    def kill(self) -> None:
        """End it by force; harmless when it has ended."""
        ...

    def release(self) -> None:
        """Let go of what is left of a run that has ended; idempotent."""
        ...


Launch = Callable[[Sequence[str]], Awaitable[Job]]
"""Starts a program. Raises CommunicationLost if it cannot be started."""


class Process:
    """A process of the operating system as a job; its output goes to unlinked files, so it never waits for a reader."""

    def __init__(self, process: trio.Process, out: IO[bytes], err: IO[bytes]) -> None:
        self._process = process
        self._out = out
        self._err = err

    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    async def wait(self) -> Completed:
        """Wait for its end and read what it wrote."""
        status = await self._process.wait()
        done = Completed(status, _text_of(self._out), _text_of(self._err))
        self.release()
        return done

    def kill(self) -> None:
        """Kill it with everything it started."""
        if not self.has_ended():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def release(self) -> None:
        """Close its files."""
        self._out.close()
        self._err.close()


async def launch_process(argv: Sequence[str]) -> Job:
    """Start ``argv`` in a session of its own, so that an interrupt meant for us does not reach a moving arm."""
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  they live as long as the job
    try:
        process = await trio.lowlevel.open_process(
            list(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    except OSError as error:
        out.close()
        err.close()
        raise CommunicationLost(f"cannot start {argv[0]}: {error.strerror}; install it or correct its path") from error
    return Process(process, out, err)


class Programs:
    """Runs one program at a time.

    Concurrency: one task at a time calls ``run``; what it left behind by a cancel is remembered here.
    """

    def __init__(self, launch: Launch = launch_process) -> None:
        self._launch = launch
        self._job: Job | None = None
        self._deadline = 0.0

    def is_running(self) -> bool:
        """Whether a run that nobody waits for any more still goes on. Past its limit it is killed here."""
        if self._job is None:
            return False
        if trio.current_time() >= self._deadline:
            self._job.kill()
        if not self._job.has_ended():
            return True
        self._job.release()
        self._job = None
        return False

    async def run(self, argv: Sequence[str], limit: float) -> Completed:
        """Run ``argv`` to its end, at most ``limit`` seconds.

        Raises:
            Busy: an earlier run still goes on; nothing was started.
            CommunicationLost: it cannot be started.
            TookTooLong: it was killed.
        """
        if self.is_running():
            raise Busy("the last command to the machine still runs; wait for it")
        job = self._job = await self._launch(argv)
        self._deadline = trio.current_time() + limit
        with trio.move_on_after(limit):
            done = await job.wait()
            self._job = None
            return done
        job.kill()
        with trio.move_on_after(_REAPING):
            await job.wait()
            self._job = None
        raise TookTooLong(f"{argv[0]}: no end within {limit:g} s")


def _text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "surrogateescape")
