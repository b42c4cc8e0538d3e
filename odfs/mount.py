"""The life of a mount: mount, answer, tell the owner it is ready, end cleanly or leave a dead mount behind.

Not for: the checks of the mountpoint and unmounting from outside (``mountpoint.py``). Rules kept here:

- A clean end unmounts: cancellation of ``run``, or somebody unmounting from outside, upon which ``run`` returns.
- A crash does not. A mountpoint that suddenly looks empty lets a mirroring program delete the mirror; a dead mount
  answers ENOTCONN until the next ``run`` on it takes it over. So ``auto_unmount`` is never asked for.
- Signals are the caller's: nest ``run`` in a cancel scope and start ``stop_on_signals`` beside it.
- Two adapters to FUSE, one behaviour: ``direct`` where it can work, else ``library`` (``MountOptions.adapter``).

Concurrency: ``run`` serves in the trio thread. The process must not touch its own mount from that thread, which would
wait for itself; here the first probe and the notifications of the kernel go through worker threads.
"""

import logging
import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import trio

from odfs import device, kernel, mountpoint
from odfs.direct import DirectSession
from odfs.errors import AlreadyMounted, MountAborted, MountFailed
from odfs.mountpoint import unmount
from odfs.options import Adapter, MountOptions
from odfs.ports import Annotations, Contents, Inode, Namespace

__all__ = ["MountOptions", "RunningMount", "run", "stop_on_signals", "unmount"]

log = logging.getLogger(__name__)

_CLOSE_GRACE = 2.0
"""Seconds that a notification under way may take before the session is closed under it."""
_STAYS = "the mount has ended and its dead mount stays in place; mount again to take it over"


class Session(Protocol):
    """A connection to the kernel, by either adapter."""

    def mount(self, path: Path, words: set[str]) -> None:
        """Mount; requests wait for ``main``. Raises MountFailed."""
        ...

    async def main(self) -> None:
        """Answer until the file system is unmounted or the connection cut."""
        ...

    def notify_entry(self, parent: int, name: bytes) -> None:
        """The kernel shall look a name up again; not from the trio thread."""
        ...

    def notify_inode(self, ino: int) -> None:
        """The kernel shall ask for attributes again; not from the trio thread."""
        ...

    def close(self, path: Path, device_number: int, *, unmount: bool) -> None:
        """Give the descriptor back, which answers all waiting clients with an error, and unmount if asked to."""
        ...


class RunningMount:
    """A mount that answers. Made by ``run``, handed out through its ``task_status``."""

    def __init__(self, path: Path, read_deadline: float, session: Session) -> None:
        self._session = session
        self.path = path
        """Where it is mounted."""
        self.read_deadline = read_deadline
        """Seconds after which a waiting read is answered ETIMEDOUT: the wish, shortened to the kernel's own limit."""
        self.device = 0
        """Its ``st_dev``, once it has answered."""
        self._closed = False
        self._notifying = trio.Lock()

    async def invalidate(self, entries: Iterable[tuple[Inode, bytes]] = (), inodes: Iterable[Inode] = ()) -> None:
        """Make the kernel ask again at once instead of when its timeouts end. Harmless for what it does not know.

        Args:
            entries: names in directories that appeared, vanished or mean another inode now. Needed also for
                names that are new, if somebody has looked for them in vain within ``negative_timeout``.
            inodes: files and directories whose attributes changed. The bytes of a file stay cached, as they never do.

        One batch runs at a time. After the mount's end it does nothing. A cancel is noticed after the batch.
        """
        todo_entries, todo_inodes = list(entries), list(inodes)
        async with self._notifying:
            await trio.to_thread.run_sync(self._notify, todo_entries, todo_inodes)

    def _notify(self, entries: list[tuple[Inode, bytes]], inodes: list[Inode]) -> None:
        """In a thread: the kernel makes the caller wait for a lookup under way, which the trio thread must answer."""
        for parent, name in entries:
            if self._closed:
                return
            self._session.notify_entry(parent, name)
        for ino in inodes:
            if self._closed:
                return
            self._session.notify_inode(ino)

    async def _close(self, *, unmount: bool) -> None:
        """Give the descriptor back, which answers all waiting clients with an error."""
        self._closed = True
        with trio.move_on_after(_CLOSE_GRACE, shield=True):
            async with self._notifying:
                pass
        self._session.close(self.path, self.device, unmount=unmount)


async def run(
    directory: Path,
    namespace: Namespace,
    contents: Contents,
    options: MountOptions,
    *,
    annotations: Annotations | None = None,
    task_status: trio.TaskStatus[RunningMount] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Mount on ``directory`` and serve until cancelled or unmounted from outside.

    ``task_status.started`` is called with the RunningMount when the mount has answered its first requests.
    Cancellation unmounts; readers that wait for a disc then get an error at once, files still open answer ENOTCONN.

    Raises:
        FuseUnavailable, MountpointUnusable, AlreadyMounted: nothing has been mounted.
        MountFailed: the kernel refused, or the mount did not answer in time; nothing stays mounted.
        MountAborted: it ended without being asked to. The dead mount stays in place.
    """
    path = await _prepare(directory, options)
    options = replace(options, read_deadline=kernel.read_deadline(options.read_deadline, kernel.request_timeout()))
    session = _session(namespace, contents, options, annotations)
    session.mount(path, fuse_options(options))
    running = RunningMount(path, options.read_deadline, session)
    leave_dead = False
    try:
        await _serve(running, session, options, task_status)
    except MountAborted:
        leave_dead = True
        raise
    finally:
        await running._close(unmount=not leave_dead)  # noqa: SLF001  (one unit with run; owners must not close)
    log.info("%s: unmounted", path)


async def stop_on_signals(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Cancel ``scope`` at the first SIGTERM or SIGINT, then leave signals alone: a second one ends the process.

    Only in the main thread. Start it before ``run``, so that no signal falls into a half-made mount.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("%s: unmounting", signal.Signals(number).name)
            scope.cancel()
            return


def fuse_options(options: MountOptions) -> set[str]:
    """The ``-o`` words for the helper or libfuse."""
    source = options.source.encode("ascii", "replace").decode().replace(",", "_").replace("\\", "_")
    words = {
        f"fsname={source}",
        f"subtype={mountpoint.SUBTYPE}",
        "default_permissions",
        "ro",
        "nosuid",
        "nodev",
        "noatime",
    }
    return words | {"allow_other"} if options.allow_other else words


async def _prepare(directory: Path, options: MountOptions) -> Path:
    check = partial(mountpoint.prepare, directory, allow_other=options.allow_other)
    try:
        with trio.fail_after(options.startup_timeout):
            return await trio.to_thread.run_sync(check, abandon_on_cancel=True)
    except trio.TooSlowError:
        raise AlreadyMounted(f"{directory} has a mount that does not answer: unmount it lazily first") from None


def _session(
    namespace: Namespace, contents: Contents, options: MountOptions, annotations: Annotations | None
) -> Session:
    if options.adapter is Adapter.DIRECT or (options.adapter is Adapter.AUTO and device.can_mount()):
        return DirectSession(namespace, contents, options, annotations)
    from odfs.library import LibrarySession  # noqa: PLC0415  loads libfuse

    return LibrarySession(namespace, contents, options, annotations)


async def _serve(
    running: RunningMount, session: Session, options: MountOptions, task_status: trio.TaskStatus[RunningMount]
) -> None:
    """Answer requests until the connection ends."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_announce, running, options, task_status)
            await session.main()
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        if failed := group.subgroup(MountFailed):
            raise failed.exceptions[0] from None
        raise MountAborted(f"{running.path}: {_STAYS} (cause: {group.exceptions[0]!r})") from group
    if running.device and mountpoint.device_at(running.path) == running.device:
        raise MountAborted(f"{running.path}: {_STAYS} (the kernel cut the connection)")
    if not running.device:
        raise MountFailed(f"{running.path}: unmounted before it answered")


async def _announce(running: RunningMount, options: MountOptions, task_status: trio.TaskStatus[RunningMount]) -> None:
    try:
        with trio.fail_after(options.startup_timeout):
            running.device = await trio.to_thread.run_sync(_probe, running.path, abandon_on_cancel=True)
    except trio.TooSlowError:
        raise MountFailed(f"{running.path}: the new mount does not answer") from None
    except OSError as error:
        raise MountFailed(f"{running.path}: the new mount answers with {error.strerror}") from error
    await trio.to_thread.run_sync(kernel.tune, running.device, options)
    log.info("%s: mounted", running.path)
    task_status.started(running)


def _probe(path: Path) -> int:
    """Ask the file system itself twice; answers its ``st_dev``."""
    os.statvfs(path)
    return path.stat().st_dev
