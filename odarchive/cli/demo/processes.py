"""The processes of a demonstration: each is started in a session of its own, and all end with the block.

A person's Ctrl-C reaches the demonstration alone, which then ends them in order: whoever uses another goes first.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from odarchive.errors import OdarchiveError

Word = str | bytes
_POLL = 0.05


class StepFailed(OdarchiveError):
    """A command of the demonstration failed; it has said why on stderr itself."""


class Ended(BaseException):
    """A signal asked for the end."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process that stays; its words are in ``log``."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise StepFailed if it has ended."""
        if (code := self.process.poll()) is not None:
            raise StepFailed(f"the {self.name} has ended ({code}); its last words: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log in one line."""
        lines = self.log.read_text("utf-8", "backslashreplace").split("\n")
        return " | ".join(line for line in lines[-6:] if line) or "none"

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Poll until something is there.

        Raises:
            StepFailed: the process ended, or time is up.
        """
        end = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > end:
                raise StepFailed(f"{what} did not come within {seconds:g} s; {self.name}: {self.last_words()}")
            time.sleep(_POLL)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does; once it ends, further signals do not disturb the taking down."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Ended

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def staying(name: str, argv: Sequence[Word], log: Path, *, patience: float) -> Iterator[Running]:
    """A process that runs while the block does; at its end it gets SIGTERM and ``patience`` seconds, then SIGKILL."""
    with log.open("wb") as words:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True, env=_environment()
        )
    try:
        yield Running(name, process, log)
    finally:
        _end(process, patience)


def run(*words: Word, archive: Path) -> bytes:
    """Run one command of this program to its end and answer its stdout; its stderr is the person's.

    Raises:
        StepFailed: its exit code is not 0.
    """
    argv = command(*words, archive=archive)
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True, env=_environment()
    )
    try:
        output, _ = process.communicate()
    finally:
        _end(process, 5)
    if process.returncode not in (0, 1):  # 1: done, but something was left out; the command has said what
        raise StepFailed(f"`odarchive {os.fsdecode(words[0])}` failed with exit code {process.returncode}")
    return output


def command(*words: Word, archive: Path) -> list[Word]:
    """The command line for this program, for an archive."""
    return [sys.executable, "-m", "odarchive", words[0], "--archive", str(archive), *words[1:]]


def _environment() -> dict[str, str]:
    """Logs of this program's processes are for files here, wherever the demonstration itself runs."""
    return {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with suppress(ProcessLookupError):  # whatever it started and left behind is in its session's first group
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
