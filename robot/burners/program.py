"""Burns an image, from a file or as it is made, by a program that speaks one of the ``dialects``.

Not for: deciding that a disc is good. A report from here says that the program's words, its exit status and the drive
agree; only reading the disc back proves it.

Rules kept: the medium is proven blank and large enough right before the start. Nothing is burnt twice on one medium.
A running burn is finished, not killed: neither a cancel nor the death of this process ends it, only a stall does.

Tried on file-backed pseudo-drives (``stdio:``) and on virtual burners behind Linux's own sr (``tests/rig``); never on a
drive of metal.

Concurrency: one burn a drive, held by the drive's lock across processes; burns on several drives may run at once.
"""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import trio

from robot.burners import orphans
from robot.burners.advance import Advance, Patience
from robot.burners.dialect import Dialect, Task, Verdict, which
from robot.burners.running import Ending, Feed, Listener, run_to_end
from robot.errors import BurnerMissing, BurnError, DriveError, MediumRefused, NotBlank, TooSmall
from robot.ports import SECTOR, BurnProgress, BurnReport, Drive, ImageSource, Medium, Tray

STDIO_BLOCK = 65_536
"""xorriso 1.5.4 fills the last block of a pseudo-drive up to this many bytes (observed)."""
STDIO = "stdio:"
"""What the device of a file-backed drive begins with."""
TAIL = 40
"""Lines of the log that a report carries."""
DEFAULT_PATIENCE = Patience()

Watcher = Callable[[BurnProgress], None]


@runtime_checkable
class WriteLimited(Protocol):
    """A file-backed drive that knows after how many bytes a burn must fail."""

    async def write_limit(self) -> int:
        """Bytes a burn may write."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How to burn, where there is a choice."""

    speed: int | None = None
    """As the program counts for the medium (BD: 1 is 4,496 kB/s); None: the drive's own choice."""
    defects: bool = False
    """BD-R: with the drive's defect management, at half the speed and with less space."""


class ProgramBurner:
    """``robot.ports.Burner`` by an external program.

    Args:
        lock_directory: existing directory for a lock and a log file a drive; the same in every life of the program.
        dialect: what the program is told, and what its words mean.
        manner: how to burn.
        patience: when a burn counts as stalled.
        poll: seconds between two looks at the program's words.
    """

    def __init__(
        self,
        lock_directory: Path,
        dialect: Dialect,
        *,
        manner: Manner = Manner(),
        patience: Patience = DEFAULT_PATIENCE,
        poll: float = 0.25,
    ) -> None:
        self._directory = lock_directory
        self._dialect = dialect
        self._manner = manner
        self._patience = patience
        self._poll = poll

    async def wait_idle(self, target: Drive, timeout: float) -> bool:
        """See the port. ``timeout`` 0 looks once."""
        with trio.move_on_after(timeout):
            while not self._is_free(target):  # noqa: ASYNC110 - the holder of the lock may be another process
                await trio.sleep(self._poll)
            return True
        return self._is_free(target)

    async def burn(
        self, target: Drive, image: Path | ImageSource, size: int, *, progress: Watcher | None = None
    ) -> BurnReport:
        """See the port.

        Cancellation: before the program is started it takes effect at once; afterwards at the end of the burn, which
        a stall bounds. ``progress`` must not raise.
        """
        _check_source(image, size)
        feed = None if isinstance(image, Path) else Feed(image.write_to)
        with ExitStack() as held:
            held.callback(os.close, lock := self._lock(target))
            medium = await _proven_blank(target, size)
            argv = await self._command(target, self._task(target, image, size, medium), medium)
            hearing = _Hearing(self._dialect, size, trio.current_time(), self._patience, progress)
            with trio.CancelScope(shield=True):
                ending = await self._run(target, argv, lock, hearing, feed)
                if feed is not None and feed.failure is not None:
                    what = f"drive {target.number}: the image could not be made to its end: {feed.failure}"
                    raise BurnError(what, medium_touched=True) from feed.failure
                await _settle(target, size, ending, self._dialect)
        if progress is not None:
            progress(BurnProgress(written=size, total=size))
        return BurnReport(
            program=self._dialect.name, written=size, seconds=ending.seconds, log_tail=ending.lines[-TAIL:]
        )

    def _is_free(self, target: Drive) -> bool:
        try:
            lock = orphans.take(orphans.lock_path(self._directory, target.number))
        except OSError as error:
            raise _untouched(target, f"cannot look at the lock in {self._directory}: {error.strerror}") from error
        if lock is None:
            return False
        os.close(lock)
        return True

    def _lock(self, target: Drive) -> int:
        try:
            lock = orphans.take(orphans.lock_path(self._directory, target.number))
        except OSError as error:
            raise _untouched(target, f"cannot lock it in {self._directory}: {error.strerror}") from error
        if lock is None:
            raise _untouched(target, "an earlier burning program still writes to it: wait for its end")
        return lock

    async def rehearse(self, target: Drive, image: Path, size: int) -> Sequence[str]:
        """All of a burn but the laser: the medium stays blank. Returns the program's words.

        Raises:
            BurnError: the burn would fail, as far as that can be told, or the program or medium has no such mode.
        """
        _check_source(image, size)
        with ExitStack() as held:
            held.callback(os.close, lock := self._lock(target))
            medium = await _proven_blank(target, size)
            task = replace(self._task(target, image, size, medium), rehearsal=True)
            argv = await self._command(target, task, medium)
            hearing = _Hearing(self._dialect, size, trio.current_time(), self._patience, None)
            with trio.CancelScope(shield=True):
                ending = await self._run(target, argv, lock, hearing)
        if not ending.stalled and ending.returncode == 0:
            return ending.lines
        verdict = self._dialect.judge(ending.returncode or 0, ending.lines, size)
        raise _failed(target, verdict, "in the rehearsal", touched=False)

    async def _run(
        self, target: Drive, argv: list[str], lock: int, hearing: "_Hearing", feed: Feed | None = None
    ) -> Ending:
        listener = Listener(hearing.line, hearing.advance.deadline)
        log = orphans.log_path(self._directory, target.number)
        try:
            return await run_to_end(argv, lock=lock, log=log, listener=listener, poll=self._poll, feed=feed)
        except OSError as error:
            raise BurnerMissing(f"cannot start {argv[0]}: {error.strerror}") from error

    def _task(self, target: Drive, image: Path | ImageSource, size: int, medium: Medium) -> Task:
        source = os.path.abspath(image) if isinstance(image, Path) else None
        return Task(target.device, source, size, medium.profile, self._manner.speed, self._manner.defects)

    async def _command(self, target: Drive, task: Task, medium: Medium) -> list[str]:
        is_file = target.device.startswith(STDIO)
        if is_file and not self._dialect.writes_files:
            raise _untouched(target, f"{self._dialect.name} writes to real drives only: set [burn] program = xorriso")
        if (refusal := self._dialect.refuses(task)) is not None:
            raise _untouched(target, refusal)
        argv = [self._dialect.found(), *self._dialect.arguments(task)]
        if not is_file:
            return argv
        limit = await target.write_limit() if isinstance(target, WriteLimited) else medium.capacity
        if limit >= medium.capacity:  # the filling of the last block is no data
            limit = -(-medium.capacity // STDIO_BLOCK) * STDIO_BLOCK
        return [which("prlimit"), f"--fsize={limit}", "--", *argv]


class _Hearing:
    """Turns lines into progress, measures the speed and remembers when the burn last advanced."""

    def __init__(self, dialect: Dialect, size: int, began: float, patience: Patience, progress: Watcher | None) -> None:
        self._dialect = dialect
        self._size = size
        self._began = began
        self._progress = progress
        self.advance = Advance(patience, began)

    def line(self, line: str, now: float) -> None:
        """Take in one line."""
        found = self._dialect.progress(line, self._size)
        self.advance.feed(found, now, closing=self._dialect.closing(line))
        if found is not None and self._progress is not None:
            seconds = now - self._began
            self._progress(replace(found, speed=found.written / seconds if seconds > 0 and found.written else None))


def _untouched(target: Drive, what: str) -> BurnError:
    return BurnError(f"drive {target.number}: {what}", medium_touched=False)


def _check_source(image: Path | ImageSource, size: int) -> None:
    """Refuses what would be burned wrongly: a directory, a pipe, a cut image."""
    if size <= 0 or size % SECTOR:
        raise BurnError(f"image {image}: {size} bytes are no whole number of sectors", medium_touched=False)
    if not isinstance(image, Path):
        return
    try:
        found = os.stat(image)
    except OSError as error:
        raise BurnError(f"image {image}: {error.strerror}", medium_touched=False) from error
    if not stat.S_ISREG(found.st_mode):
        raise BurnError(f"image {image}: not a regular file", medium_touched=False)
    if found.st_size != size:
        raise BurnError(f"image {image}: has {found.st_size} bytes, not {size}: build it again", medium_touched=False)


async def _proven_blank(target: Drive, size: int) -> Medium:
    try:
        if await target.tray() is not Tray.CLOSED:
            raise _untouched(target, "its tray is not closed")
        medium = await target.medium()
    except DriveError as error:
        raise BurnError(str(error), medium_touched=False) from error
    if not medium.blank:
        raise NotBlank(f"drive {target.number}: the {medium.profile} in it is not blank")
    if medium.capacity < size:
        raise TooSmall(
            f"drive {target.number}: the image has {size} bytes, the {medium.profile} takes {medium.capacity}"
        )
    return medium


async def _settle(target: Drive, size: int, ending: Ending, dialect: Dialect) -> None:
    """Weigh the program's words against the drive's.

    Raises:
        BurnError: they do not agree that ``size`` bytes were written.
    """
    if ending.stalled:
        left = "" if ending.returncode is not None else " and cannot be ended: power the drive off and on"
        raise BurnError(f"drive {target.number}: the burn stalled{left}", medium_touched=True)
    verdict = dialect.judge(ending.returncode or 0, ending.lines, size)
    try:
        medium = await target.medium()
    except DriveError as error:
        raise _failed(target, verdict, f"and then: {error}", touched=True) from error
    if not verdict.success and not verdict.began and medium.blank:
        raise MediumRefused(str(_failed(target, verdict, "", touched=False)))
    if not verdict.success:
        raise _failed(target, verdict, "", touched=True)
    if medium.blank:
        raise _failed(target, verdict, "the program claims success, the drive says blank", touched=True)
    if medium.readable < size:
        raise _failed(target, verdict, f"only {medium.readable} of {size} bytes are readable", touched=True)


def _failed(target: Drive, verdict: Verdict, more: str, *, touched: bool) -> BurnError:
    what = ": ".join(part for part in (verdict.reason, more) if part)
    return BurnError(f"drive {target.number}: the burn failed: {what}", medium_touched=touched)
