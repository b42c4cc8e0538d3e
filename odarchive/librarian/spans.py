"""Ranges of one content that are still to be read, as extents by their first byte. Pure.

They never overlap. Every cut is where a chunk begins, so every extent begins at a sector.
"""

from collections.abc import Iterable, MutableMapping
from dataclasses import replace

from odarchive.model import SECTOR, Extent

Spans = MutableMapping[int, Extent]


def part_of(extent: Extent, low: int, high: int) -> Extent:
    """What an extent has between two bytes of its content; ``low`` is a whole number of sectors into it."""
    start = max(low, extent.start)
    end = min(high, extent.start + extent.length)
    return replace(extent, start=start, length=end - start, sector=extent.sector + (start - extent.start) // SECTOR)


def touches(extent: Extent, low: int, high: int) -> bool:
    """Whether an extent has bytes between two bytes of its content."""
    return extent.start < high and low < extent.start + extent.length


def cover(spans: Spans, pieces: Iterable[Extent], low: int, high: int) -> None:
    """Add what is not in there yet of a range, and see that the range ends where extents end."""
    for at in (low, high):
        cut(spans, at)
    for piece in pieces:
        at, end = max(low, piece.start), min(high, piece.start + piece.length)
        while at < end:
            there = spans.get(at)
            if there is not None:
                at += there.length
                continue
            until = min((start for start in spans if start > at), default=end)
            spans[at] = part_of(piece, at, min(until, end))
            at += spans[at].length


def uncover(spans: Spans, low: int, high: int) -> list[Extent]:
    """Take a range out; returns what was in there of it."""
    for at in (low, high):
        cut(spans, at)
    return [spans.pop(start) for start, extent in list(spans.items()) if touches(extent, low, high)]


def cut(spans: Spans, at: int) -> None:
    """See that no extent goes on over a byte that begins a chunk."""
    for start, extent in spans.items():
        if start < at < start + extent.length:
            spans[start] = part_of(extent, start, at)
            spans[at] = part_of(extent, at, start + extent.length)
            return
