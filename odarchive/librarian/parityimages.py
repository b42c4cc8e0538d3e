"""The images of a set's parity discs, made in staging from the images of its data discs.

Those stay in staging until the parity discs are verified; one that is not there is read from its disc. Not for which
segments belong together (``catalogue.paritysets``), nor for the code (``odarchive.parity``).
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from odarchive.catalogue import discs, paritysets, plans, renewal
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Segment
from odarchive.catalogue.paritysets import PARITY, ParitySet
from odarchive.digest import stream_digest
from odarchive.errors import NoSpace, OdarchiveError, OperatorNeeded
from odarchive.librarian.bay import Bay
from odarchive.librarian.duplicate import image_from_copy
from odarchive.librarian.workroom import Workroom
from odarchive.model import SegmentId, SegmentState

if TYPE_CHECKING:
    from odarchive.parity.discset import Member


async def parity_images(room: Workroom, bay: Bay, segment: SegmentId) -> None:
    """Have the images of all parity discs of the set that a parity segment belongs to.

    Raises:
        OperatorNeeded: the set takes more data discs, or some are not burned yet.
        NoSpace: staging is full.
        OdarchiveError: numpy is missing, or a data disc cannot be read.
    """
    async with room.making:
        one = await room.read(discs.segment, segment)
        if one.image_size is None or not (room.config.staging / f"{one.label}.iso").exists():
            await _make(room, bay, segment)


async def _make(room: Workroom, bay: Bay, segment: SegmentId) -> None:
    found = await room.read(paritysets.of, segment, PARITY)
    assert found is not None  # noqa: S101  only called for parity segments
    for one in found.parity:
        if await room.read(renewal.on_disc, one.id):
            raise OdarchiveError(
                f"parity disc {one.label} of set {found.id} is burned, but the images of the others are gone from "
                f"staging; make them from the discs of the set: `odarchive repair LABEL --from DIR`"
            )
    if not found.closed:
        raise OperatorNeeded(
            f"parity set {found.id} has {len(found.data)} of {found.size} data discs; it waits for more, or for "
            f"`odarchive parity-set close {found.id}`"
        )
    waits = [one.label for one in found.data if one.state is not SegmentState.ARCHIVED]
    if waits or not found.data:
        raise OperatorNeeded(f"parity set {found.id} waits for its data discs: {', '.join(waits) or 'it has none'}")
    for one in found.data:
        path = room.config.staging / f"{one.label}.iso"
        if not path.exists() or path.stat().st_size not in (one.image_size, one.disc_size):
            await image_from_copy(room, bay, one, path)
    bay.doing(f"making parity of set {found.id}", sum(one.image_size or 0 for one in found.data))
    made = await room.heavy(lambda: _made(room, bay, found))
    await room.write(_record, made)


Image = tuple[SegmentId, int, bytes]
"""Segment, size and digest of an image."""


def _made(room: Workroom, bay: Bay, of: ParitySet) -> list[Image]:
    try:
        from odarchive.parity.sets import Wish, make_set  # noqa: PLC0415  the extra `parity` is needed here alone
    except ImportError as error:
        raise OdarchiveError("parity discs need numpy; install the extra: pip install 'odarchive[parity]'") from error
    staging = room.config.staging
    _check_space(staging, sum(one.planned_bytes for one in of.parity) * 2)
    data = [(staging / f"{one.label}.iso", _member(staging, one)) for one in of.data]
    labels = tuple(one.label for one in of.parity)
    wish = Wish(
        len(of.parity), labels, tuple(one.id for one in of.parity), room.archive_uuid, of.created_ns, uuid=of.uuid
    )
    for label in labels:  # what an earlier life left
        (staging / f"{label}.iso").unlink(missing_ok=True)
    paths = make_set(data, wish, staging, bay.advance)
    description = staging / f"{of.uuid}.parity-set.json"
    description.replace(room.config.root / description.name)
    found = []
    for one, path in zip(of.parity, paths, strict=True):
        with path.open("rb") as file:
            digest, size = stream_digest(file, path.stat().st_size)
        found.append((one.id, size, digest))
    return found


def _member(staging: Path, one: Segment) -> "Member":
    from odarchive.parity.discset import Member  # noqa: PLC0415

    assert one.image_size is not None  # noqa: S101  it is archived
    with (staging / f"{one.label}.iso").open("rb") as file:
        digest, size = stream_digest(file, one.image_size)
    return Member(one.label, one.id, size, digest)


def _check_space(staging: Path, size: int) -> None:
    free = os.statvfs(staging)
    if size > free.f_bavail * free.f_frsize:
        raise NoSpace(f"staging in {staging} has no room for {size} bytes of parity; free some space")


def _record(connection: Connection, made: list[Image]) -> None:
    """All images of a set at once."""
    for segment, size, digest in made:
        plans.imaged(connection, segment, size=size, digest=digest, sectors=())


async def release(room: Workroom, segment: SegmentId) -> None:
    """A parity disc is verified: if it was the set's last, the images of the data discs may go."""
    found = await room.read(paritysets.of, segment, PARITY)
    if found is not None and found.made:
        for one in found.data:
            (room.config.staging / f"{one.label}.iso").unlink(missing_ok=True)
