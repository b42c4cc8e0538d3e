"""Parity over images, and images again from what is left of a set. Reads and writes files; knows no catalogue.

Every block is compared with its checksum before it is believed, so an unreadable, a wrong and a missing block are the
same thing: an erasure. What cannot be made again stays as it was found, or zeros, and is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from odarchive.parity.code import Blocks, Code, as_blocks
from odarchive.parity.layout import CHECK, Layout

AT_ONCE = 16
"""Stripes done together."""

Checks = NDArray[np.uint64]
"""Checksums by disc and block."""


class Source(Protocol):
    """The bytes of a disc that matter to the set: an image, or the payload of a parity disc."""

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes; fewer, or OSError, where there are none."""


class Sink(Protocol):
    """Where bytes of a disc go."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset."""


Tell = Callable[[int], None]


@dataclass(slots=True)
class Loss:
    """What could not be made again: ranges (first byte, end) by disc."""

    ranges: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    repaired: int = 0
    """Blocks that were made again."""

    def add(self, disc: int, begin: int, end: int) -> None:
        """Tell of one range; neighbours are joined."""
        found = self.ranges.setdefault(disc, [])
        if found and found[-1][1] == begin:
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))


def encode(layout: Layout, data: Sequence[tuple[Source, int]], parity: Sequence[Sink], told: Tell) -> Checks:
    """Write the payloads of the parity discs; returns the checksums of all blocks.

    Args:
        layout: of the set.
        data: the images with their sizes, in the order of the set.
        parity: where the payloads go.
        told: is given the bytes of data done.

    Raises:
        OSError: an image cannot be read whole.
    """
    code = Code(layout.data, layout.parity)
    checks: Checks = np.zeros((layout.discs, layout.length), np.uint64)
    for stripe, count in _batches(layout):
        shape = (count, 8, layout.block // 64)
        blocks = {}
        for disc, (source, size) in enumerate(data):
            at = layout.at(disc, stripe)
            raw = _raw(layout, source, size, at, count)
            if raw is None:
                raise OSError(f"image {disc + 1} of the set ends early")
            if raw:
                blocks[disc] = as_blocks(raw, layout.block)
                checks[disc, at : at + count] = _sums(raw, layout.block)
                told(len(raw))
        for row, made in enumerate(code.encode(blocks, shape)):
            disc = layout.data + row
            at = layout.at(disc, stripe)
            raw = made.tobytes()
            checks[disc, at : at + count] = _sums(raw, layout.block)
            parity[row].write(at * layout.block, raw)
    return checks


def rescue(
    layout: Layout,
    checks: Checks,
    sources: Mapping[int, Source],
    sizes: Sequence[int],
    sinks: Mapping[int, Sink],
    told: Tell = lambda _: None,
) -> Loss:
    """Write discs again as they were, from all that is left.

    Args:
        layout: of the set.
        checks: of all blocks.
        sources: what is left, by number in the set; damaged ones too.
        sizes: of all discs of the set (parity discs: of the payload).
        sinks: where the wanted discs go.
        told: is given the stripes done.
    """
    run = _Rescue(layout, checks, sources, sizes, sinks)
    for stripe, count in _batches(layout):
        run.batch(stripe, count)
        told(count)
    for disc in run.loss.ranges:
        run.loss.ranges[disc].sort()
    return run.loss


def damaged(layout: Layout, checks: Checks, disc: int, source: Source, size: int) -> bool:
    """Whether a disc has a block that is not what it was."""
    for first in range(layout.first(size), layout.length, AT_ONCE):
        count = min(AT_ONCE, layout.length - first)
        raw = _raw(layout, source, size, first, count)
        if raw is None or not (_sums(raw, layout.block) == checks[disc, first : first + count]).all():
            return True
    return False


class _Rescue:
    def __init__(
        self,
        layout: Layout,
        checks: Checks,
        sources: Mapping[int, Source],
        sizes: Sequence[int],
        sinks: Mapping[int, Sink],
    ) -> None:
        self._layout = layout
        self._code = Code(layout.data, layout.parity)
        self._checks = checks
        self._sources = sources
        self._sizes = sizes
        self._sinks = sinks
        self.loss = Loss()

    def batch(self, stripe: int, count: int) -> None:
        """Some stripes, of which every disc has its blocks in one piece."""
        found = {disc: self._blocks(disc, stripe, count) for disc in self._sinks}
        if not all(good.all() for _, good in found.values()):
            others = (disc for disc in range(self._layout.discs) if disc not in found)
            found |= {disc: self._blocks(disc, stripe, count) for disc in others}
            self._solve(found, stripe, count)
        for disc, sink in self._sinks.items():
            self._write(disc, sink, self._layout.at(disc, stripe), found[disc][0].reshape(-1).view(np.uint8).data)

    def _blocks(self, disc: int, stripe: int, count: int) -> tuple[Blocks, NDArray[np.bool_]]:
        """A disc's blocks of some stripes, and which of them are right."""
        layout, at = self._layout, self._layout.at(disc, stripe)
        size = self._sizes[disc]
        nothing = bytes(count * layout.block)
        stored = np.arange(at, at + count) >= layout.first(size)
        if not stored.any():
            return as_blocks(bytearray(nothing), layout.block), ~stored
        source = self._sources.get(disc)
        raw = None if source is None else _raw(layout, source, size, at, count)
        if raw is None and source is not None:  # single blocks may come where all together do not
            parts = [_raw(layout, source, size, at + number, 1) for number in range(count)]
            raw = b"".join(part or nothing[: layout.block] for part in parts)
        raw = raw or nothing
        good = (_sums(raw, layout.block) == self._checks[disc, at : at + count]) | ~stored
        return as_blocks(bytearray(raw) if disc in self._sinks else raw, layout.block), good

    def _solve(self, found: dict[int, tuple[Blocks, NDArray[np.bool_]]], stripe: int, count: int) -> None:
        """Make what is wrong again, stripes with the same discs wrong together."""
        patterns: dict[tuple[int, ...], list[int]] = {}
        for number in range(count):
            lost = tuple(disc for disc in range(self._layout.discs) if not found[disc][1][number])
            if lost:
                patterns.setdefault(lost, []).append(number)
        for lost, numbers in patterns.items():
            if len(lost) > self._layout.parity:
                self._give_up(lost, stripe, numbers)
                continue
            chosen = slice(None) if len(numbers) == count else numbers  # a slice copies nothing
            there = {disc: blocks[chosen] for disc, (blocks, _) in found.items() if disc not in lost}
            made = self._code.decode(there, lost, (len(numbers), 8, self._layout.block // 64))
            for disc, blocks in made.items():
                if disc in self._sinks:
                    found[disc][0][numbers] = blocks
                    self.loss.repaired += len(numbers)

    def _give_up(self, lost: tuple[int, ...], stripe: int, numbers: list[int]) -> None:
        block = self._layout.block
        for disc in lost:
            if disc in self._sinks:
                for number in numbers:
                    end = self._sizes[disc] - (self._layout.length - self._layout.at(disc, stripe) - number - 1) * block
                    self.loss.add(disc, max(end - block, 0), end)

    def _write(self, disc: int, sink: Sink, at: int, raw: memoryview) -> None:
        offset = self._sizes[disc] - (self._layout.length - at) * self._layout.block
        before = min(max(-offset, 0), len(raw))
        if before < len(raw):
            sink.write(offset + before, raw[before:])


def _batches(layout: Layout) -> "list[tuple[int, int]]":
    """Runs of stripes that no disc's end cuts."""
    return [
        (first + at, min(AT_ONCE, layout.shift - at))
        for first in range(0, layout.length, layout.shift)
        for at in range(0, layout.shift, AT_ONCE)
    ]


def _raw(layout: Layout, source: Source, size: int, at: int, count: int) -> bytes | None:
    """Blocks of a disc with zeros before its beginning; empty if all lie before it; None if they cannot be read."""
    begin = size - (layout.length - at) * layout.block
    end = begin + count * layout.block
    if end <= 0:
        return b""
    start = max(begin, 0)
    try:
        data = source.read(start, end - start)
    except OSError:
        return None
    if len(data) < end - start:
        return None
    return bytes(start - begin) + data if start > begin else data


def _sums(raw: bytes, block: int) -> NDArray[np.uint64]:
    view = memoryview(raw)
    joined = b"".join(blake3(view[at : at + block]).digest(CHECK) for at in range(0, len(raw), block))
    return np.frombuffer(joined, np.uint64)
