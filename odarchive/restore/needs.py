"""What a restore has to do, and the order of discs that loads each one once. Pure: values in, values out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from stat import S_ISDIR, S_ISLNK, S_ISREG

from odarchive.catalogue.wanted import Item, Wanted
from odarchive.model import ContentId, Extent, Ino, SegmentId


@dataclass(frozen=True, slots=True)
class Needs:
    """The work: what goes where. ``files`` holds one name of each inode, ``links`` the others with their first."""

    directories: tuple[Item, ...]
    symlinks: tuple[Item, ...]
    empty: tuple[Item, ...]
    files: Mapping[ContentId, tuple[Item, ...]]
    links: tuple[tuple[Item, Item], ...]
    unarchived: tuple[Item, ...]
    """Files whose bytes are not wholly on verified discs."""
    order: tuple[Wanted, ...]
    """Contents by disc, then by sector; those on several discs with the first of these."""

    @property
    def segments(self) -> list[SegmentId]:
        """The discs to load, in order."""
        return list(dict.fromkeys(extent.segment for wanted in self.order for extent in wanted.extents))

    @property
    def bytes(self) -> int:
        """Bytes to read from discs."""
        return sum(wanted.size for wanted in self.order)

    def load(self, segment: SegmentId) -> tuple[int, int]:
        """Contents and bytes to read from one disc."""
        found = [e for wanted in self.order for e in wanted.extents if e.segment == segment]
        return len(found), sum(extent.length for extent in found)


@dataclass(slots=True)
class _Sorting:
    files: dict[ContentId, list[Item]] = field(default_factory=dict)
    empty: list[Item] = field(default_factory=list)
    links: list[tuple[Item, Item]] = field(default_factory=list)
    first: dict[Ino, Item] = field(default_factory=dict)


def needs(items: Iterable[Item], contents: Mapping[ContentId, Wanted], done: Iterable[bytes] = ()) -> Needs:
    """Sort out what is to be done; ``done`` are paths of files that an earlier run restored already."""
    everything, there = list(items), set(done)
    sorting = _Sorting()
    for item in sorted((item for item in everything if S_ISREG(item.mode)), key=lambda i: i.path not in there):
        _file(sorting, item, item.path in there)
    lost = {number for number in sorting.files if number not in contents or not contents[number].extents}
    gone = {item.ino for number in lost for item in sorting.files[number]}
    links = [pair for pair in sorting.links if pair[0].ino not in gone]
    missing = [item for number in lost for item in sorting.files[number]]
    missing += [other for first, other in sorting.links if first.ino in gone]
    return Needs(
        directories=tuple(item for item in everything if S_ISDIR(item.mode)),
        symlinks=tuple(item for item in everything if S_ISLNK(item.mode)),
        empty=tuple(sorting.empty),
        files={number: tuple(found) for number, found in sorting.files.items() if number not in lost},
        links=tuple(links),
        unarchived=tuple(missing),
        order=tuple(in_order(contents[number] for number in sorting.files if number not in lost)),
    )


def _file(sorting: _Sorting, item: Item, there: bool) -> None:
    first = sorting.first.get(item.ino)
    if first is not None:
        sorting.links.append((first, item))
        return
    sorting.first[item.ino] = item
    if there:
        return
    if item.content is None:
        sorting.empty.append(item)
    else:
        sorting.files.setdefault(item.content, []).append(item)


def in_order(contents: Iterable[Wanted]) -> list[Wanted]:
    """Contents so that every disc is needed for one unbroken stretch, in sector order.

    A content in parts binds its discs together: the next disc after one is the one that shares a torn file with it.
    """
    by_segment: dict[SegmentId, list[tuple[Extent, Wanted]]] = {}
    for wanted in contents:
        for extent in wanted.extents:
            by_segment.setdefault(extent.segment, []).append((extent, wanted))
    ordered: dict[ContentId, Wanted] = {}
    for segment in _chained(by_segment):
        for _, wanted in sorted(by_segment[segment], key=lambda pair: pair[0].sector):
            ordered.setdefault(wanted.content, wanted)
    return list(ordered.values())


def _chained(by_segment: Mapping[SegmentId, list[tuple[Extent, Wanted]]]) -> list[SegmentId]:
    chain: dict[SegmentId, None] = {}
    for start in sorted(by_segment):
        waiting = [start]
        while waiting:
            segment = waiting.pop()
            if segment in chain:
                continue
            chain[segment] = None
            torn = {e.segment for _, wanted in by_segment[segment] if len(wanted.extents) > 1 for e in wanted.extents}
            waiting += sorted((other for other in torn if other not in chain), reverse=True)
    return list(chain)
