"""Config to objects: with ``drivers`` the only module that names concrete drivers and puts the parts together.

Everything is complete when constructed. Not for rules of any kind.
"""

import fcntl
import logging
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import trio

from odarchive import config as configuration
from odarchive.cache import Cache, Keeping
from odarchive.catalogue import archive, grids
from odarchive.catalogue.archive import Facts
from odarchive.catalogue.database import Catalogue
from odarchive.chunks import Grid
from odarchive.config import Config
from odarchive.drivers import address, open_changer, open_drives
from odarchive.errors import ConfigError, Locked, MountFailed, NoSpace, OdarchiveError, RobotTrouble, TryLater
from odarchive.librarian.journal import CatalogueJournal
from odarchive.librarian.workroom import Threads, Workroom
from odarchive.mount.manner import MountManner
from odarchive.opened import open_archive
from odarchive.seal.keyring import Keyring
from robot.errors import RobotError
from robot.ports import Element, SlotId

if TYPE_CHECKING:
    from odarchive.rebuild.hand import Hand

T = TypeVar("T")

log = logging.getLogger(__name__)

IDLE_STATUS = 5.0
"""Seconds between two status lines to systemd."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a test may put in the place of the real thing."""

    wrap_catalogue: Callable[[Catalogue], Catalogue] = field(default=lambda catalogue: catalogue)


def serve(root: Path, *, hooks: Hooks | None = None) -> None:
    """Be the librarian until SIGTERM or SIGINT.

    Raises:
        Locked: the archive has a librarian already.
        RobotTrouble: the robot does not answer at start.
    """
    opened = open_archive(root)
    with _only_one(opened.config.root / "librarian.lock"):
        catalogue = (hooks or Hooks()).wrap_catalogue(opened.catalogue)
        _run(_serve, opened.config, catalogue)


def at_robot(config: Config, work: Callable[["Hand"], T]) -> T:
    """Do what needs the discs of the robot while no librarian runs; ``work`` is called in a thread.

    Raises:
        Locked: a librarian runs.
        ConfigError: the robot's configuration is wrong, or a person is the robot and there is no terminal to ask on.
        RobotTrouble: the robot does not work.
        TryLater: a person stopped it.
    """
    done: list[T] = []
    with _only_one(config.root / "librarian.lock"):
        _run(_at_robot, config, work, done)
        if done:
            for path in (config.root / "run").glob("rebuild-motions.db*"):
                path.unlink(missing_ok=True)
    if not done:
        raise TryLater("stopped; what was read is kept, and the same command goes on from there")
    return done[0]


async def _at_robot(config: Config, work: Callable[["Hand"], T], done: list[T]) -> None:
    from odarchive.drivers import open_burner  # noqa: PLC0415  see workroom
    from odarchive.rebuild.hand import Hand  # noqa: PLC0415
    from robot.changers.people import Board  # noqa: PLC0415
    from robot.jukebox import Jukebox  # noqa: PLC0415

    drives, board, parking = open_drives(config), Board(), config.robot.parking
    if not drives:
        raise ConfigError(f"{config.root / configuration.FILE_NAME}: no [[drive]] is configured")
    work_folder = config.root / "run"
    work_folder.mkdir(exist_ok=True)
    moves = work_folder / "rebuild-motions.db"
    if not moves.exists():  # the catalogue is lost, but an arm's motions need a journal that outlives this process
        archive.create(moves, Facts(uuid=str(uuid.uuid4()), label_prefix="MOVES", created_ns=time.time_ns()))
    journal = CatalogueJournal(archive.open_catalogue(moves), Threads(1), time.time_ns)
    changer = open_changer(config, drives, {}, board, board_is_shown=False)  # it has no page without a librarian
    try:
        hand = Hand(Jukebox(changer, drives, journal, parking=SlotId(parking) if parking else None), drives, parking)
        burner = open_burner(config, work_folder)
        try:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(_stop_on_signals, scope, board.leave)
                    for drive in drives.values():
                        await burner.wait_idle(drive, timeout=24 * 3600.0)
                    done.append(await trio.to_thread.run_sync(work, hand))
                    nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await hand.leave()
    finally:
        with trio.move_on_after(5, shield=True):
            await changer.aclose()


def _run(main: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """``trio.run`` that lets a lone error for a person out of the groups that nurseries put it in."""
    try:
        trio.run(main, *arguments)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, OdarchiveError | KeyboardInterrupt):
            raise error from group
        raise


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another librarian serves this archive ({path} is held); stop it first") from None
        yield
    finally:
        os.close(descriptor)


async def _serve(config: Config, catalogue: Catalogue) -> None:
    from odarchive.librarian.scheduler import Librarian  # noqa: PLC0415  it imports the robot
    from odarchive.service.hooks import hooks  # noqa: PLC0415
    from odarchive.service.http import serve_http  # noqa: PLC0415  the extra `service` is needed here alone
    from odarchive.service.notices import tell  # noqa: PLC0415

    with trio.CancelScope() as scope:
        # The room is the outer one: arm and drives come to rest, shielded, before the line to the robot is closed.
        async with workroom(config, catalogue) as room, trio.open_nursery() as nursery:
            await nursery.start(_stop_on_signals, scope, room.board.leave)
            librarian = Librarian(room)
            try:
                await nursery.start(librarian.run)
            except RobotError as error:
                raise RobotTrouble(
                    f"the robot ({address(config.robot)}) failed at start: {error}; "
                    "check that it is on and connected, then try again"
                ) from error
            await nursery.start(serve_http, librarian, config.socket)
            nursery.start_soon(_tell_systemd, librarian)
            if ways := hooks(config.root, config.notify):
                nursery.start_soon(tell, librarian, ways)
            log.info("librarian ready on %s", config.socket)
            await trio.sleep_forever()


async def _stop_on_signals(
    scope: trio.CancelScope, leave: Callable[[], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Stop at the first SIGTERM or SIGINT; what runs is finished to a safe point: arm at rest, burn ended.

    ``leave`` is called then: a person who is the arm is not waited for.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            log.info("%s: stopping", signal.Signals(number).name)
            scope.cancel()
            leave()
            return


async def _tell_systemd(librarian: object) -> None:
    from odarchive.librarian.scheduler import Librarian  # noqa: PLC0415  see _serve
    from odarchive.service.notify import notify, watchdog_seconds  # noqa: PLC0415

    assert isinstance(librarian, Librarian)  # noqa: S101  only _serve calls this
    notify("READY=1", "STATUS=ready")
    period = min(IDLE_STATUS, (watchdog_seconds() or 2 * IDLE_STATUS) / 2)
    while True:
        steps = "; ".join(f"drive {bay.number}: {bay.activity.step}" for bay in librarian.bays)
        notify("WATCHDOG=1", f"STATUS={steps or 'no drives'}")
        await trio.sleep(period)


def open_cache(config: Config, catalogue: Catalogue) -> Cache:
    """The cache of an archive, for its one writer.

    Raises:
        OSError: its folder cannot be made or read.
    """

    def grid_of(digest: bytes) -> Grid | None:
        with catalogue.read() as connection:
            return grids.by_digest(connection, digest)

    return Cache(
        config.cache, Keeping(config.cache_bytes, config.keep_free, config.keep_small, config.keep_head), grid_of
    )


@asynccontextmanager
async def workroom(config: Config, catalogue: Catalogue) -> AsyncIterator[Workroom]:
    """The librarian's collaborators, with the line to the robot open.

    Raises:
        ConfigError: the robot's configuration is wrong.
        RobotTrouble: the port cannot be opened.
        NoSpace: the cache cannot be made.
    """
    from odarchive.drivers import open_burner  # noqa: PLC0415  commands without a robot need none of it
    from robot.changers.people import Board  # noqa: PLC0415
    from robot.jukebox import Jukebox  # noqa: PLC0415

    database = Threads(1)
    drives = open_drives(config)
    try:
        config.staging.mkdir(parents=True, exist_ok=True)
        cache = open_cache(config, catalogue)
    except OSError as error:
        raise NoSpace(f"staging or cache cannot be made: {error}") from error
    locks = config.root / "run"
    locks.mkdir(exist_ok=True)
    captions: dict[Element, str] = {}
    board = Board()
    changer = open_changer(config, drives, captions, board)
    try:
        journal = CatalogueJournal(catalogue, database, time.time_ns)
        with catalogue.read() as connection:
            facts = archive.facts(connection)
        keyring = Keyring.of(facts.recipients, config.key)
        parking = config.robot.parking
        yield Workroom(
            config=config,
            archive_uuid=facts.uuid,
            catalogue=catalogue,
            jukebox=Jukebox(changer, drives, journal, parking=SlotId(parking) if parking else None),
            drives=drives,
            burner=open_burner(config, locks),
            cache=cache,
            database=database,
            captions=captions,
            board=board,
            keyring=keyring,
        )
    finally:
        with trio.move_on_after(5, shield=True):
            await changer.aclose()


def mount(root: Path, mountpoint: Path, manner: MountManner, *, ready: Callable[[], None]) -> None:
    """Mount the archive and serve until unmounted or SIGTERM/SIGINT; calls ``ready`` when it answers.

    Raises:
        MountFailed: it cannot be mounted there; the message says why.
    """
    config = open_archive(root).config
    try:
        from odarchive.mount.serve import serve as serve_mount  # noqa: PLC0415  the extra `fuse` is needed here alone
    except ImportError as error:
        raise MountFailed(
            f"mounting needs pyfuse3 ({error}); install the extra: pip install 'odarchive[fuse]'"
        ) from error
    _run(serve_mount, config, mountpoint, manner, ready)
