"""One mount from its parts: catalogue, cache and librarian behind a file system, until it ends.

Imported only where FUSE is installed; ``manner`` holds what can be said without.
"""

import os
import pwd
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from odarchive.asked import Box
from odarchive.cache import CacheReader
from odarchive.catalogue.changes import ChangeWatch
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.catalogue.standing import Standings
from odarchive.catalogue.views import Views
from odarchive.config import FILE_NAME, Config
from odarchive.errors import ConfigError, MountFailed
from odarchive.mount.asking import AskingContents
from odarchive.mount.contents import CachedContents
from odarchive.mount.manner import MountManner
from odarchive.mount.marks import Marks
from odarchive.mount.residency import Residency
from odarchive.mount.views import ViewsNamespace, WithStatus
from odarchive.mount.watch import watch
from odarchive.service.client import AsyncClient
from odarchive.service.descriptors import raise_limit
from odarchive.service.notify import notify
from odfs import mount as life
from odfs.errors import OdfsError
from odfs.owners import Owners
from odfs.ports import Attributes, Recall
from odfs.readers import CRAWLERS

GRACE = 30.0
"""Seconds that a read may take beyond the deadline of its recall, before the file system ends it."""


async def serve(config: Config, mountpoint: Path, manner: MountManner, ready: Callable[[], None]) -> None:
    """Mount and serve until unmounted or SIGTERM/SIGINT; calls ``ready`` when it answers.

    Raises:
        MountFailed: it cannot be mounted there, or it died.
        NoArchive: there is no catalogue.
    """
    raise_limit()
    namespace = CatalogueNamespace(config.catalogue, counts=False)
    changes = ChangeWatch(config.catalogue)
    standings = Standings(config.catalogue)
    client = AsyncClient(config.socket)
    residency = Residency(config.cache, changes.numbers)
    cache = CacheReader(config.cache)
    catalogue_views = Views(config.catalogue)
    views = ViewsNamespace(namespace, catalogue_views)
    contents = CachedContents(namespace, cache, client, config.deadline, residency, partial(_told, views, standings))
    asking = AskingContents(contents, views, Box(config.root), config.deadline)
    marks = Marks(standings, catalogue_views, cache.held)
    marks.told_names(changes.attribute_names())
    shown = Owners(manner.uid, manner.gid, manner.umask).applied(views)
    run = partial(life.run, mountpoint, shown, WithStatus(asking, views), _options(config, manner), annotations=marks)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(life.stop_on_signals, nursery.cancel_scope)
            mounted = await nursery.start(_until_it_ends, run, nursery.cancel_scope)
            nursery.start_soon(watch, mounted, namespace, changes, residency, marks, views)
            notify("READY=1", f"STATUS=mounted on {mountpoint}")
            ready()
    finally:
        contents.close()
        for catalogue in (namespace, changes, standings, catalogue_views):
            catalogue.close()
        with trio.CancelScope(shield=True), trio.move_on_after(2):
            await client.aclose()


def _told(views: ViewsNamespace, standings: Standings, file: Attributes) -> str:
    """A file and its discs, for messages."""
    name = repr(os.fsdecode(views.path(file.ino)))
    words = "" if file.content is None else standings.words(file.content)
    return f"{name}, {words}" if words else name


def _options(config: Config, manner: MountManner) -> life.MountOptions:
    return life.MountOptions(
        source=f"odarchive:{config.root.name}",
        allow_other=manner.allow_other,
        read_deadline=config.deadline + GRACE,
        recall={"auto": Recall.WAIT, "ask": Recall.ASK, "never": Recall.NEVER}[manner.recall],
        refused_readers=CRAWLERS + config.mount.refuse,
        trusted_readers=config.mount.trust,
        recall_users=_numbers(config.mount.users),
        recall_rate=config.mount.rate,
    )


def _numbers(users: tuple[str, ...]) -> frozenset[int] | None:
    """The numbers of users by name or number."""
    if not users:
        return None
    try:
        return frozenset(int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid for user in users)
    except KeyError as error:
        raise ConfigError(f"{FILE_NAME}: [mount] users: {error}; name users of this machine") from None


async def _until_it_ends(
    run: Callable[..., Awaitable[None]], scope: trio.CancelScope, *, task_status: trio.TaskStatus[life.RunningMount]
) -> None:
    try:
        await run(task_status=task_status)
    except OdfsError as error:
        raise MountFailed(str(error)) from error
    scope.cancel()
