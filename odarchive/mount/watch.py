"""Keeps a running mount up to date: new discs and snapshots, and what comes into the cache, show without a remount.

The kernel believes names and attributes for an hour; this tells it within seconds of what is different. Polls, because
SQLite has no word for other processes: a question to its header and 256 ``stat`` a period.

Concurrency: one task; what may take long runs in a worker thread, on a connection of its own. A catalogue that cannot
be read is asked again the next time; the mount goes on with what it has.
"""

import json
import logging
from dataclasses import dataclass

import trio

from odarchive.catalogue.changes import Changes, ChangeWatch
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.errors import OdarchiveError
from odarchive.mount.marks import Marks
from odarchive.mount.residency import Residency
from odarchive.mount.views import STATUS_NAME, TOP, ViewsNamespace
from odfs.mount import RunningMount
from odfs.ports import Inode, Totals

log = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two looks."""
QUIET = 3
"""Looks without a change after which the namespace holds its transaction."""
MANY = 20_000
"""Inodes above which changed residency is not told: ``st_blocks`` is a hint, and an hour old at most."""


@dataclass(frozen=True, slots=True)
class _Seen:
    committed: bool
    changes: Changes
    moved: set[int]
    totals: Totals | None
    attributes: frozenset[bytes] | None
    """Names of extended attributes that occur, if something was committed."""
    status: bytes


async def watch(
    mount: RunningMount,
    namespace: CatalogueNamespace,
    changes: ChangeWatch,
    residency: Residency,
    marks: Marks,
    views: ViewsNamespace,
) -> None:
    """Look and tell, until cancelled."""
    quiet = 0
    while True:
        try:
            seen = await trio.to_thread.run_sync(_look, changes, residency)
        except OdarchiveError as error:
            log.warning("cannot see what changed in the archive: %s", error)
            await trio.sleep(PERIOD)
            continue
        quiet = 0 if seen.committed else quiet + 1
        if seen.committed:
            namespace.let_go()
        elif quiet == QUIET:
            namespace.hold()
        if seen.totals is not None:
            namespace.told_totals(seen.totals)
        if seen.attributes is not None:
            marks.told_names(seen.attributes)
        if views.tell(seen.status):
            await mount.invalidate(entries=[(TOP, STATUS_NAME)])
        await _tell(mount, seen)
        await trio.sleep(PERIOD)


def _look(changes: ChangeWatch, residency: Residency) -> _Seen:
    told = changes.look()
    moved = residency.look()
    inodes = changes.shown_inodes(moved) if len(moved) <= MANY else set()
    names = None if told is None else changes.attribute_names()
    return _Seen(told is not None, told or Changes(), inodes, changes.totals(), names, _status(changes, residency))


def _status(changes: ChangeWatch, residency: Residency) -> bytes:
    """``status.json``: numbers of snapshots, discs and open jobs by state, contents in the cache."""
    return json.dumps({**changes.tally(), "cached_contents": len(residency)}, indent=1, sort_keys=True).encode() + b"\n"


async def _tell(mount: RunningMount, seen: _Seen) -> None:
    entries = [(Inode(parent), name) for parent, name in seen.changes.entries]
    inodes = [Inode(ino) for ino in seen.changes.inodes | seen.moved]
    if entries or inodes:
        await mount.invalidate(entries, inodes)
    if entries:
        log.info("%d names mean something else now", len(entries))
