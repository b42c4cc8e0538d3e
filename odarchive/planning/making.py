"""Making a plan: one transaction; either it is recorded or nothing is. Run again with nothing new it does nothing."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from odarchive import plan
from odarchive.catalogue import plans, seals
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.publish import publish
from odarchive.catalogue.unplanned import Unplanned, unplanned
from odarchive.errors import MediumTooSmall
from odarchive.image import costs, ondisc
from odarchive.media import Medium
from odarchive.model import ContentId, SegmentId, SegmentState
from odarchive.plan import DiscPlan, Part, Shape, Stream
from odarchive.planning.exact import Exact
from odarchive.planning.tree import Tree
from odarchive.planning.wish import Wish
from odarchive.seal.sizes import room

LABEL_PREFIX_SIZE = 24
"""Room is left for ``_0001`` and for the copy's number behind it."""
LATER = 0
"""Carrier of entries that ride with the next catalogue."""
_DEFAULT = Wish()


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """One disc to be. ``id`` is None in a dry run. Sizes in bytes; ``planned_bytes`` is the image's, exactly."""

    id: SegmentId | None
    label: str
    files: int
    payload_bytes: int
    planned_bytes: int
    capacity: int
    ecc_size: int | None = None
    """Bytes of the disc with error correction behind the image; None: it gets none."""


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a plan puts on new discs; ``new_bytes`` counts contents once."""

    new_bytes: int
    segments: tuple[PlannedSegment, ...]


def make_plan(
    catalogue: Catalogue, medium: Medium, wish: Wish = _DEFAULT, *, dry_run: bool = False, now_ns: int | None = None
) -> PlanResult:
    """Put everything that is new on segments for a medium.

    Raises:
        MediumTooSmall: a disc of it cannot hold what must be on every disc, or a file's names.
    """
    created_ns = time.time_ns() if now_ns is None else now_ns
    with catalogue.read() if dry_run else catalogue.write() as connection, unplanned(connection) as todo:
        if not todo.contents and plans.any_segment(connection):
            if not dry_run:
                keys = [(entry.parent, entry.name, entry.since) for entry in todo.bare()]
                plans.carry(connection, keys, LATER)
                publish(connection)
            return PlanResult(0, ())
        planner = _Planner(connection, todo, medium, wish)
        segments = []
        for segment, parts in planner.segments(created_ns):
            segments.append(replace(segment, id=None) if dry_run else segment)
            if not dry_run:
                _record(connection, planner.tree, segment, parts, (medium.name, created_ns))
        return PlanResult(planner.tree.new_bytes, tuple(segments))


class _Planner:
    """One plan being made."""

    def __init__(self, connection: Connection, todo: Unplanned, medium: Medium, wish: Wish) -> None:
        self._connection, self._todo, self._medium = connection, todo, medium
        self._wish = wish
        self._usable = medium.usable - wish.reserved(medium)
        totals = plans.totals(connection)
        self._catalogue = costs.catalogue_reserve(totals.entries, totals.name_bytes, totals.contents, self._usable)
        recipients = len(seals.recipients(connection))
        texts = ondisc.fixed_bytes(sealed=recipients > 0) + (costs.sealed_texts(recipients) if recipients else 0)
        fixed = costs.fixed_cost(texts, self._catalogue)
        spare = self._usable - room(self._usable) if recipients else 0
        shape = Shape(medium.usable, fixed + spare, wish.reserved(medium))
        if shape.room <= 0:
            raise MediumTooSmall(
                f"a medium of {medium.capacity} bytes is too small: {fixed + shape.reserve} bytes of each disc "
                "describe the disc itself or are reserved; name a larger medium"
            )
        self.tree = Tree(todo, costs.sealed_cost(recipients) if recipients else 0)
        self._stream = Stream(self.tree.columns)
        self._discs = plan.plan(self._stream, shape)

    def segments(self, created_ns: int) -> Iterator[tuple[PlannedSegment, list[Part]]]:
        """Each disc with its exact size, and what is on it."""
        prefix = plans.facts(self._connection).get("label_prefix", "ARCHIVE")[:LABEL_PREFIX_SIZE]
        exact = Exact(self._connection, self._todo, self.tree, self._catalogue)
        for number, disc in enumerate(self._discs, start=plans.next_segment(self._connection)):
            label = f"{prefix}_{number:04d}"
            parts = [part for run in disc.runs for part in self._stream.parts(run)]
            row = self._row(SegmentId(number), label, created_ns)
            size = exact.size(row, parts)
            self._check(label, disc, size)
            files = sum(self.tree.names[part.item] for part in parts)
            payload = sum(part.length for part in parts)
            ecc = self._wish.ecc
            whole = None if ecc is None else ecc.disc_size(size, self._medium)
            yield PlannedSegment(row.id, label, files, payload, size, self._medium.capacity, whole), parts

    def _row(self, number: SegmentId, label: str, created_ns: int) -> plans.Planned:
        state = SegmentState.PLANNED
        return plans.Planned(number, label, state, self._medium.name, self._medium.capacity, 0, created_ns)

    def _check(self, label: str, disc: DiscPlan, size: int) -> None:
        if size > self._usable:
            raise AssertionError(f"the costs of {label} were no upper bound: {disc.bytes} planned, {size} laid out")


def _record(
    connection: Connection, tree: Tree, segment: PlannedSegment, parts: Sequence[Part], made: tuple[str, int]
) -> None:
    number = segment.id
    assert number is not None  # noqa: S101  only a dry run has none
    row = plans.Planned(
        number,
        segment.label,
        SegmentState.PLANNED,
        made[0],
        segment.capacity,
        segment.planned_bytes,
        made[1],
        segment.ecc_size,
    )
    pieces = [
        (ContentId(tree.content[part.item]), tree.start[part.item] + part.start, part.length)
        for part in parts
        if part.length
    ]
    plans.add_segment(connection, row, pieces)
    plans.carry(connection, ((one.parent, one.name, one.since) for one in tree.carried_by(parts)), number)
