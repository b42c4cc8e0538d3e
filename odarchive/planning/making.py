"""Making a plan: either all of it is recorded or nothing is. Run again with nothing new it does nothing.

It is thought out on a view of the catalogue that holds nobody up, since laying out a million files takes a minute, and
written down in a short transaction if the catalogue still is as it was seen; else thought out again within that one.

Plans that nobody began to carry out and that leave room on their discs are made anew together with what is new, under
their numbers, so a part-full last disc is topped up by the next plan.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlalchemy import Connection

from odarchive.catalogue import plans, replans
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.publish import publish
from odarchive.catalogue.unplanned import Unplanned, unplanned
from odarchive.media import Medium
from odarchive.model import SegmentId, SegmentState
from odarchive.planning.exact import Exact
from odarchive.planning.sets import Sets
from odarchive.planning.spread import Shapes, Spread, spread
from odarchive.planning.tree import Tree
from odarchive.planning.wish import Wish

LABEL_PREFIX_SIZE = 24
"""Room is left for ``_0001`` and for the copy's number behind it."""
LATER = 0
"""Carrier of entries that ride with the next catalogue."""
_TOP_UP = 0.98
"""A planned disc filled less than this is topped up."""
_DEFAULT = Wish()


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """One disc to be. ``id`` is None in a dry run. Sizes in bytes.

    ``planned_bytes`` is the image's size: exactly, or in a dry run at most.
    """

    id: SegmentId | None
    label: str
    medium: Medium
    files: int
    payload_bytes: int
    planned_bytes: int
    ecc_size: int | None = None
    """Bytes of the disc with error correction behind the image; None: it gets none."""

    @property
    def capacity(self) -> int:
        """Bytes of the disc."""
        return self.medium.capacity


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a plan puts on new discs; ``new_bytes`` counts contents once."""

    new_bytes: int
    segments: tuple[PlannedSegment, ...]
    topped_up: tuple[SegmentId, ...] = ()
    """Earlier plans that were made anew."""
    waiting_bytes: int = 0
    """What waits for a fuller last disc; part of ``new_bytes``."""
    unmet: tuple[str, ...] = ()
    """Patterns of ``Wish.first`` that nothing new matches."""
    parity: int = 0
    """Parity discs planned beside the segments."""


def make_plan(
    catalogue: Catalogue, medium: Medium, wish: Wish = _DEFAULT, *, dry_run: bool = False, now_ns: int | None = None
) -> PlanResult:
    """Put everything that is new on segments for a medium.

    Raises:
        MediumTooSmall: a disc of it cannot hold what must be on every disc, or a file's names.
    """
    created_ns = time.time_ns() if now_ns is None else now_ns
    with catalogue.read() as connection:
        made = _made(connection, medium, wish, created_ns, dry_run=dry_run)
        if dry_run:
            return made.result
        stamp = replans.stamp(connection)
    with catalogue.write() as connection:
        if replans.stamp(connection) != stamp:  # somebody came between: again, and nobody can
            made = _made(connection, medium, wish, created_ns, dry_run=False)
        return made.record(connection)


def _made(connection: Connection, medium: Medium, wish: Wish, created_ns: int, *, dry_run: bool) -> "_Made":
    """Think a plan out; changes nothing."""
    with unplanned(connection) as todo:
        if not todo.contents and plans.any_segment(connection):
            return _Nothing([(entry.parent, entry.name, entry.since) for entry in todo.bare()])
    plain = replans.reopenable(connection, copies=wish.copies, places=wish.places, parity=wish.parity)
    open_ = [one for one in plain if _has_room(one, medium, wish)]
    with unplanned(connection, [one.id for one in open_]) as todo:
        return _Making(connection, todo, medium, wish, created_ns).made(open_, dry_run=dry_run)


class _Made(Protocol):
    """What thinking brought."""

    @property
    def result(self) -> PlanResult:
        """What to tell."""

    def record(self, connection: Connection) -> PlanResult:
        """Write it down, in the state of the catalogue that it was thought out for, and tell what it is."""


@dataclass(frozen=True, slots=True)
class _Nothing:
    """No content is to be planned; entries without content ride with the next catalogue."""

    entries: Sequence[tuple[int, bytes, int]]

    @property
    def result(self) -> PlanResult:
        """See the port."""
        return PlanResult(0, ())

    def record(self, connection: Connection) -> PlanResult:
        """See the port."""
        plans.carry(connection, self.entries, LATER)
        publish(connection)
        return self.result


@dataclass(frozen=True, slots=True)
class _Discs:
    """Discs to be, and all that is needed to write them down."""

    result: PlanResult
    discs: Sequence[Spread]
    tree: Tree
    wish: Wish
    created_ns: int

    def record(self, connection: Connection) -> PlanResult:
        """See the port."""
        replans.reopen(connection, self.result.topped_up)
        for segment, disc in zip(self.result.segments, self.discs, strict=True):
            self._segment(connection, segment, disc)
        if self.result.waiting_bytes:
            publish(connection)
        if self.wish.parity is None:
            return self.result
        sets = Sets(connection, self.wish, _prefix(connection), self.created_ns)
        made = sets.assign((one.id, one.medium) for one in self.result.segments if one.id is not None)
        return replace(self.result, parity=len(made))

    def _segment(self, connection: Connection, segment: PlannedSegment, disc: Spread) -> None:
        tree, number = self.tree, segment.id
        assert number is not None  # noqa: S101  only a dry run has none
        row = plans.Planned(
            number,
            segment.label,
            SegmentState.PLANNED,
            segment.medium.name,
            segment.capacity,
            segment.planned_bytes,
            self.created_ns,
            segment.ecc_size,
        )
        pieces = ((tree.content[part.item], tree.begin(part), part.length) for part in disc.listed() if part.length)
        wish, payload = self.wish, segment.payload_bytes
        plans.add_segment(connection, row, pieces, payload=payload, copies=wish.copies, places=wish.places)
        plans.carry(connection, ((e.parent, e.name, e.since) for e in tree.carried_by(disc.listed())), number)


def _prefix(connection: Connection) -> str:
    """How labels begin."""
    return plans.facts(connection).get("label_prefix", "ARCHIVE")[:LABEL_PREFIX_SIZE]


def _has_room(segment: plans.Planned, medium: Medium, wish: Wish) -> bool:
    """Whether a plan is for a disc of a kind that is wished for, and leaves room on it."""
    if (segment.ecc_size is None) != (wish.ecc is None):
        return False
    for one in (medium, *wish.others):
        if (segment.media, segment.capacity) == (one.name, one.capacity):
            return segment.planned_bytes < _TOP_UP * wish.usable(one)
    return False


@dataclass(slots=True)
class _Making:
    """One plan being made."""

    connection: Connection
    todo: Unplanned
    medium: Medium
    wish: Wish
    created_ns: int
    next_segment: int = 0
    shapes: Shapes = field(init=False)
    tree: Tree = field(init=False)

    def made(self, reopened: Sequence[plans.Planned], *, dry_run: bool) -> _Discs:
        """The plan; ``reopened`` are made anew."""
        connection = self.connection
        self.shapes = Shapes(connection, self.wish)
        self.shapes.of(self.medium)  # refuses at once what holds nothing
        self.next_segment = plans.next_segment(connection)
        self.tree = Tree(self.todo, self.shapes.per_content, self.wish.first)
        discs, waiting = spread(self.tree, self.medium, self.wish, self.shapes)
        numbers = [one.id for one in reopened]
        before = replans.payload(connection, numbers)
        segments = [
            self._segment(disc, number, recorded=not dry_run)
            for disc, number in zip(discs, self._numbers(numbers), strict=False)
        ]
        result = PlanResult(
            max(0, self.tree.new_bytes - before),
            tuple(segments),
            tuple(numbers),
            waiting,
            self.tree.order.unmet,
            self._foreseen_parity(segments, frozenset(numbers)),
        )
        return _Discs(result, discs, self.tree, self.wish, self.created_ns)

    def _foreseen_parity(self, segments: Sequence[PlannedSegment], reopened: frozenset[SegmentId]) -> int:
        if self.wish.parity is None:
            return 0
        return Sets(self.connection, self.wish, "", self.created_ns).foreseen(
            (one.medium for one in segments), reopened
        )

    def _numbers(self, reopened: Sequence[SegmentId]) -> Iterator[SegmentId]:
        yield from reopened
        yield from map(SegmentId, itertools.count(self.next_segment))

    def _segment(self, disc: Spread, number: SegmentId, *, recorded: bool) -> PlannedSegment:
        label = f"{_prefix(self.connection)}_{number:04d}"
        size = self._exact(disc, number, label) if recorded else disc.bound
        files = payload = 0
        for part in disc.listed():
            files += self.tree.names[part.item]
            payload += part.length
        ecc = self.wish.ecc
        whole = None if ecc is None else ecc.disc_size(size, disc.medium)
        return PlannedSegment(number if recorded else None, label, disc.medium, files, payload, size, whole)

    def _exact(self, disc: Spread, number: SegmentId, label: str) -> int:
        medium = disc.medium
        exact = Exact(self.connection, self.todo, self.tree, self.shapes.catalogue(medium))
        row = plans.Planned(number, label, SegmentState.PLANNED, medium.name, medium.capacity, 0, self.created_ns)
        size = exact.size(row, disc.listed)
        if size > disc.bound or size > self.wish.usable(medium):
            raise AssertionError(f"the costs of {label} were no upper bound: {disc.bound} planned, {size} laid out")
        return size
