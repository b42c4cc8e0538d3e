"""Making plans: what the catalogue knows and no disc has, put onto segments.

One transaction: either a plan is recorded or nothing is. Run again with nothing new it does nothing. How things are
spread is ``plan``, what they cost at most ``image.costs``; here names of the catalogue become items and back. The size
of each disc that comes out is then taken from the layout its image will have (``imaging``), to the sector.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from odarchive import plan
from odarchive.catalogue import plans
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.plans import Name
from odarchive.catalogue.publish import publish
from odarchive.errors import MediumTooSmall
from odarchive.image import costs, ondisc
from odarchive.image.costs import PathCost
from odarchive.imaging import planned_size
from odarchive.imaging.selection import Selection, directory_paths
from odarchive.media import Medium
from odarchive.model import ROOT_INO, ContentId, Ino, SegmentId, SegmentState
from odarchive.plan import DiscPlan, Folder, FolderKey, Item, ItemKey, Shape

LABEL_PREFIX_SIZE = 24
"""Room is left for ``_0001`` and for the copy's number behind it."""
LATER = 0
"""Carrier of entries that ride with the next catalogue."""


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """One disc to be. ``id`` is None in a dry run. Sizes in bytes; ``planned_bytes`` is the image's, exactly."""

    id: SegmentId | None
    label: str
    files: int
    payload_bytes: int
    planned_bytes: int
    capacity: int


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a plan puts on new discs; ``new_bytes`` counts contents once."""

    new_bytes: int
    segments: tuple[PlannedSegment, ...]


def make_plan(catalogue: Catalogue, medium: Medium, *, dry_run: bool = False, now_ns: int | None = None) -> PlanResult:
    """Put everything that is new on segments for a medium.

    Raises:
        MediumTooSmall: a disc of it cannot hold what must be on every disc, or a file's names.
    """
    created_ns = time.time_ns() if now_ns is None else now_ns
    with catalogue.read() if dry_run else catalogue.write() as connection:
        todo = _gather(connection)
        if not todo.missing and plans.any_segment(connection):
            if not dry_run:
                plans.carry(connection, todo.uncarried, LATER)
                publish(connection)
            return PlanResult(0, ())
        discs = _spread(connection, todo, medium)
        result = _result(connection, todo, discs, medium, created_ns)
        if dry_run:
            return replace(result, segments=tuple(replace(segment, id=None) for segment in result.segments))
        for disc, segment in zip(discs, result.segments, strict=True):
            _record(connection, todo, disc, segment, (medium.name, created_ns))
        return result


@dataclass(slots=True)
class _Todo:
    """What has to be placed: contents with the ranges missing, entries without content, and the tree around them."""

    directories: Mapping[Ino, Name]
    uncarried: Sequence[Name]
    names: dict[ContentId, list[Name]] = field(default_factory=dict)
    missing: dict[ContentId, list[tuple[int, int]]] = field(default_factory=dict)


def _gather(connection: Connection) -> _Todo:
    directories = plans.directories(connection)
    reachable = {ROOT_INO, *_depth_first(directories)}
    names, placed = plans.unplaced(connection)
    todo = _Todo(directories, [name for name in plans.uncarried(connection) if name.parent in reachable])
    for name in names:
        if name.content is not None and name.parent in reachable:
            todo.names.setdefault(name.content, []).append(name)
    for content, found in todo.names.items():
        todo.missing[content] = _gaps(found[0].size, placed.get(content, []))
    return todo


def _gaps(size: int, placed: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """(start, length) of what no piece holds; ``placed`` in order of start."""
    gaps, at = [], 0
    for start, length in [*placed, (size, 0)]:
        if start > at:
            gaps.append((at, start - at))
        at = max(at, start + length)
    return gaps


def _depth_first(directories: Mapping[Ino, Name]) -> list[Ino]:
    """Directories in tree order, siblings by name; what hangs on no root (being replaced) is not in it."""
    children: dict[Ino, list[Ino]] = {}
    for ino, name in sorted(directories.items(), key=lambda pair: pair[1].name, reverse=True):
        if ino != ROOT_INO:
            children.setdefault(name.parent, []).append(ino)
    order: list[Ino] = []
    stack = deque(children.get(ROOT_INO, []))
    while stack:
        order.append(stack.pop())
        stack.extend(children.get(order[-1], []))
    return order


def _spread(connection: Connection, todo: _Todo, medium: Medium) -> tuple[DiscPlan, ...]:
    shape = Shape(medium.usable, costs.fixed_cost(ondisc.fixed_bytes(), _reserve(connection, medium)))
    if shape.fixed >= shape.usable:
        raise MediumTooSmall(
            f"a medium of {medium.capacity} bytes is too small: {shape.fixed} bytes of each disc describe the disc "
            "itself; name a larger medium"
        )
    tree = _Tree(todo)
    return plan.plan(tree.items(), tree.folders, shape)


def _reserve(connection: Connection, medium: Medium) -> int:
    totals = plans.totals(connection)
    return costs.catalogue_reserve(totals.entries, totals.name_bytes, totals.contents, medium.usable)


class _Tree:
    """The catalogue's tree as folders and items with their costs, in tree order.

    Item keys: contents are their ids; entries without content are -1, -2, ... in the order of ``uncarried``.
    """

    def __init__(self, todo: _Todo) -> None:
        self._todo = todo
        self._order = _depth_first(todo.directories)
        self._paths: dict[Ino, PathCost] = {ROOT_INO: costs.ROOT}
        self.folders: dict[FolderKey, Folder] = {}
        for ino in self._order:
            directory = todo.directories[ino]
            above = self._paths[directory.parent]
            parent = None if directory.parent == ROOT_INO else FolderKey(directory.parent)
            self.folders[FolderKey(ino)] = Folder(parent, costs.directory_cost(above, directory.name))
            self._paths[ino] = above.join(directory.name)

    def items(self) -> list[Item]:
        rank = {ino: place for place, ino in enumerate(self._order)}
        sortable: list[tuple[tuple[int, bytes], Item]] = []
        for content, names in self._todo.names.items():
            names.sort(key=lambda name: (rank[name.parent], name.name))
            place = rank[names[0].parent], names[0].name
            sortable += [(place, item) for item in self._content(content, names)]
        for number, name in enumerate(self._todo.uncarried, start=1):
            is_directory = name.ino in rank
            place = (rank[name.ino], b"") if is_directory else (rank[name.parent], name.name)
            sortable.append((place, self._entry(ItemKey(-number), name, is_directory=is_directory)))
        sortable.sort(key=lambda pair: (pair[0], pair[1].start))
        return [item for _, item in sortable]

    def _content(self, content: ContentId, names: list[Name]) -> Iterable[Item]:
        folders = tuple(dict.fromkeys(FolderKey(name.parent) for name in names))
        overhead = sum(costs.name_cost(self._paths[name.parent], name.name) for name in names)
        overhead += (len({name.ino for name in names}) - 1) * costs.inode_cost()
        for start, length in self._todo.missing[content]:
            yield Item(ItemKey(content), start, length, overhead + costs.content_cost(length), folders)

    def _entry(self, key: ItemKey, name: Name, *, is_directory: bool) -> Item:
        path = self._paths[name.parent]
        if is_directory:
            return Item(key, 0, 0, 0, (FolderKey(name.ino),))
        if name.target is not None:
            overhead = costs.link_cost(path, name.name, name.target)
        else:
            overhead = costs.name_cost(path, name.name) + costs.content_cost(0)
        return Item(key, 0, 0, overhead, (FolderKey(name.parent),))


def _result(
    connection: Connection, todo: _Todo, discs: Sequence[DiscPlan], medium: Medium, created_ns: int
) -> PlanResult:
    facts = plans.facts(connection)
    prefix = facts.get("label_prefix", "ARCHIVE")[:LABEL_PREFIX_SIZE]
    first = plans.next_segment(connection)
    exact = _Exact(connection, todo, medium, created_ns)
    segments = []
    for number, disc in enumerate(discs, start=first):
        pieces = [item for item in disc.items if item.key > 0]
        files = sum(len(todo.names[ContentId(item.key)]) for item in pieces)
        files += sum(todo.uncarried[-item.key - 1].mode & 0o170000 == 0o100000 for item in disc.items if item.key < 0)
        payload = sum(item.length for item in pieces)
        label = f"{prefix}_{number:04d}"
        size = exact.size(SegmentId(number), label, disc)
        segments.append(PlannedSegment(SegmentId(number), label, files, payload, size, medium.capacity))
    new_bytes = sum(length for gaps in todo.missing.values() for _, length in gaps)
    return PlanResult(new_bytes, tuple(segments))


class _Exact:
    """The sizes of images to be, by laying each of them out."""

    def __init__(self, connection: Connection, todo: _Todo, medium: Medium, created_ns: int) -> None:
        self._todo, self._medium, self._created_ns = todo, medium, created_ns
        self._facts = plans.facts(connection)
        self._paths = directory_paths(todo.directories)
        self._reserve = _reserve(connection, medium)
        contents = list(todo.names)
        self._digests = plans.digests(connection, contents)

    def size(self, number: SegmentId, label: str, disc: DiscPlan) -> int:
        """Bytes of the image of a disc."""
        medium, todo = self._medium, self._todo
        pieces, names, carried = [], {}, []
        for item in disc.items:
            if item.key < 0:
                carried.append(todo.uncarried[-item.key - 1])
                continue
            content = ContentId(item.key)
            names[content] = todo.names[content]
            size = names[content][0].size
            pieces.append(plans.Piece(content, item.start, item.length, self._digests[content], size))
        segment = plans.Planned(number, label, SegmentState.PLANNED, medium.name, medium.capacity, 0, self._created_ns)
        selection = Selection(
            segment=segment,
            facts=self._facts,
            pieces=pieces,
            names=names,
            carried=carried,
            paths=self._paths,
            directories=todo.directories,
            sources={},
        )
        size = planned_size(selection, self._reserve)
        if size > medium.usable:
            raise AssertionError(f"the costs of {label} were no upper bound: {disc.bytes} planned, {size} laid out")
        return size


def _record(
    connection: Connection, todo: _Todo, disc: DiscPlan, segment: PlannedSegment, made: tuple[str, int]
) -> None:
    number = segment.id
    assert number is not None  # noqa: S101  only a dry run has none
    row = plans.Planned(
        number, segment.label, SegmentState.PLANNED, made[0], segment.capacity, segment.planned_bytes, made[1]
    )
    pieces = [(ContentId(item.key), item.start, item.length) for item in disc.items if item.key > 0]
    plans.add_segment(connection, row, pieces)
    plans.carry(connection, [todo.uncarried[-item.key - 1] for item in disc.items if item.key < 0], number)
