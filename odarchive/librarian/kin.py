"""The other discs of a disc's parity set: what the set is, and which of them can be had.

The set describes itself on its parity discs, and in a file beside the catalogue since these were made; an archive put
together again from discs has none, but what the file says follows from the catalogue. Not for how blocks are made again
(``odarchive.parity.piecemeal``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from odarchive.catalogue import discs, paritysets
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Segment
from odarchive.catalogue.paritysets import DATA, ParitySet
from odarchive.errors import DamageFound, NotFound
from odarchive.librarian.workroom import Workroom
from odarchive.model import SegmentId

if TYPE_CHECKING:
    from odarchive.parity.discset import DiscSet

NO_NUMPY = "making it again from its parity set needs numpy: pip install 'odarchive[parity]'"


@dataclass(frozen=True, slots=True)
class Kin:
    """A set from the side of one lost data disc."""

    number: int
    """The number people use."""
    of: "DiscSet"
    lost: int
    """The disc's number in it."""
    segments: tuple[SegmentId, ...]
    """Of all its discs, in its order."""
    order: tuple[int, ...]
    """Numbers of the others that can be had, the handiest first."""


async def kin_of(room: Workroom, segment: SegmentId) -> Kin | None:
    """The set that a segment's disc can be made again from; None: it is in none that is burned.

    Raises:
        NotFound: too many discs of the set are away.
        DamageFound: the set's description is no use.
    """
    found = await room.read(paritysets.of, segment, DATA)
    if found is None or not found.closed or any(one.image_size is None for one in (*found.data, *found.parity)):
        return None
    numbers = tuple(one.id for one in (*found.data, *found.parity))
    lost = numbers.index(segment)
    ranks = await room.read(_ranks, numbers)
    order = sorted((rank, number) for number, rank in enumerate(ranks) if rank is not None and number != lost)
    if len(order) < len(found.data):
        away = [one.label for one, rank in zip((*found.data, *found.parity), ranks, strict=True) if rank is None]
        raise NotFound(f"parity set {found.id} cannot make it again: {', '.join(away)} cannot be had either")
    described = await room.heavy(_described(room, found))
    return Kin(found.id, described, lost, numbers, tuple(number for _, number in order))


def _ranks(connection: Connection, segments: tuple[SegmentId, ...]) -> list[int | None]:
    """For each segment 0 if a good disc of it lies in a slot, 1 or 2 if it is said to lie elsewhere or to be bad."""
    outside = discs.outside(connection)
    found: list[int | None] = []
    for segment in segments:
        ranks = [
            (disc.slot is None) + (disc.state != "verified")
            for disc in discs.readable_of(connection, segment)
            if disc.slot is not None or disc.id in outside
        ]
        found.append(min(ranks, default=None))
    return found


def _described(room: Workroom, found: ParitySet) -> Callable[[], "DiscSet"]:
    path = room.config.root / f"{found.uuid}.parity-set.json"

    def described() -> "DiscSet":
        try:
            of = _kept(path, found) or _derived(room.archive_uuid, found)
        except ImportError as error:
            raise DamageFound(NO_NUMPY) from error
        if any(member.size % of.layout.block for member in of.members):
            raise DamageFound(f"discs of parity set {found.id} are cut within a block; `odarchive repair` can use it")
        return of

    return described


def _kept(path: Path, found: ParitySet) -> "DiscSet | None":
    from odarchive.parity.discset import parse  # noqa: PLC0415  the extra `parity` is needed here alone

    try:
        of = parse(path.read_bytes())
    except (OSError, DamageFound):
        return None
    members = [SegmentId(member.segment) for member in of.members]
    same = of.uuid == found.uuid and members == [one.id for one in (*found.data, *found.parity)]
    return of if same else None


def _derived(archive: str, found: ParitySet) -> "DiscSet":
    """What the description says, from the catalogue; but for digests, which nobody here needs."""
    import numpy as np  # noqa: PLC0415

    from odarchive.parity.discset import DiscSet, Member  # noqa: PLC0415
    from odarchive.parity.images import described  # noqa: PLC0415
    from odarchive.parity.layout import BLOCK, Layout  # noqa: PLC0415

    layout = Layout.of(len(found.data), len(found.parity), BLOCK, max(map(_size, found.data)))
    payload = layout.length * layout.block
    members = tuple(Member(one.label, one.id, _size(one), bytes(32)) for one in found.data)
    members += tuple(Member(one.label, one.id, payload) for one in found.parity)
    of = DiscSet(archive, found.uuid, layout, members, found.created_ns)
    return described(of, np.zeros((layout.discs, layout.length), np.uint64))


def _size(one: Segment) -> int:
    return one.image_size or 0
