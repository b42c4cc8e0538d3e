"""The image of a segment again, read from a copy: for a disc that fades, or one copy more than there was.

A copy counts as read when the digest of all of it is what it was; nothing less gets a name in staging. Sectors that do
not come in one go are tried in smaller pieces; what is lost then comes back from the disc's error correction, if it has
one. Not for discs that nobody can read: for these a person gives images to ``odarchive repair``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from odarchive.cache.parts import write_all
from odarchive.catalogue import discs
from odarchive.catalogue.discs import Disc, Segment
from odarchive.correction.dvdisaster import repair
from odarchive.errors import BurnFailed, NoSpace, OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.workroom import Workroom
from odarchive.model import SECTOR
from robot.errors import ReadFailed

WINDOW = 512
CLUSTER = 16
"""Sectors that drives correct together."""


async def image_from_copy(room: Workroom, bay: Bay, segment: Segment, path: Path) -> None:
    """Have the image of a segment in staging, as a copy in the robot holds it.

    Raises:
        OperatorNeeded: every copy is outside of the robot, or one is in another drive.
        BurnFailed: none can be read completely.
        NoSpace: staging is full.
        RobotError: the machine failed.
    """
    failed, away = [], []
    for disc in await room.read(discs.readable_of, segment.id):
        if disc.slot is not None and disc.slot in room.claims - {bay.home}:
            raise OperatorNeeded(
                f"another drive has disc {disc.label}, of which a copy is to be made; it is tried again"
            )
        if disc.slot is None:
            away.append(disc.label)
            continue
        found = await bay.load(disc.slot)
        if found.disc is None or found.disc.id != disc.id:
            away.append(disc.label)
            continue
        bay.doing(f"reading {disc.label} for a new copy", disc.image_size)
        if await _read(room, bay, disc, path, segment):
            return
        failed.append(disc.label)
    if away or not failed:
        raise OperatorNeeded(
            f"a copy of {segment.label} is to be made, and {', '.join(away) or 'every disc of it'} is not at hand; put "
            "it into the robot"
        )
    raise BurnFailed(
        f"{', '.join(failed)} cannot be read completely any more; give what you have of it (images, its parity set): "
        f"`odarchive repair {failed[0]} --from DIR`"
    )


async def _read(room: Workroom, bay: Bay, disc: Disc, path: Path, segment: Segment) -> bool:
    """Read all of a disc into a file; False: it does not come as it was, nor can its error correction help."""
    draft = path.with_name(f".{path.name}.copy")
    with _draft(room, draft, disc.image_size) as descriptor:
        lost, digest = await _sectors(bay, disc, descriptor, whole=segment.ecc_size is None)
        right = not lost and digest == disc.digest
        if not right and segment.ecc_size is not None:
            bay.doing(f"repairing {disc.label} with its error correction", disc.image_size)
            size = segment.image_size or disc.image_size
            right = await room.heavy(lambda: repair(draft, disc.digest, disc.image_size, size, lost))
        if not right:
            return False
        os.ftruncate(descriptor, segment.image_size or disc.image_size)
        await room.heavy(lambda: os.fsync(descriptor))
        draft.replace(path)
    return True


async def _sectors(bay: Bay, disc: Disc, descriptor: int, *, whole: bool) -> tuple[list[tuple[int, int]], bytes]:
    """Copy what comes; returns what does not, as (first, count), and the digest. ``whole``: the first loss ends it."""
    hasher = blake3()
    lost: list[tuple[int, int]] = []
    os.ftruncate(descriptor, disc.image_size)
    sectors = disc.image_size // SECTOR
    for first in range(0, sectors, WINDOW):
        end = min(first + WINDOW, sectors)
        for at, count, data in await _window(bay, first, end):
            if data is None:
                lost.append((at, count))
            else:
                hasher.update(data)
                write_all(descriptor, data, at * SECTOR)
        if lost and whole:
            break
        bay.advance((end - first) * SECTOR)
    return lost, hasher.digest()


async def _window(bay: Bay, first: int, end: int) -> list[tuple[int, int, bytes | None]]:
    """Sectors in runs: (first, count, their bytes or None)."""
    try:
        return [(first, end - first, await bay.drive.read(first, end - first))]
    except ReadFailed:
        runs = [(at, min(CLUSTER, end - at)) for at in range(first, end, CLUSTER)]
    return [(at, count, await _cluster(bay, at, count)) for at, count in runs]


async def _cluster(bay: Bay, first: int, count: int) -> bytes | None:
    try:
        return await bay.drive.read(first, count)
    except ReadFailed:
        return None


@contextmanager
def _draft(room: Workroom, draft: Path, size: int) -> Iterator[int]:
    room.config.staging.mkdir(parents=True, exist_ok=True)
    free = os.statvfs(room.config.staging)
    if size > free.f_bavail * free.f_frsize:
        raise NoSpace(f"staging in {room.config.staging} has no room for {size} bytes; free some space")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
