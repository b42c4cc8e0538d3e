"""What a disc gives when all of it, or a sample, is read: digests, damaged contents, sectors that do not come.

Pure of policy: it reads and counts. Reads run in sector order; a window that fails is narrowed to clusters, because
optical discs correct 16 or 32 sectors together, and a cluster that fails again is given up.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from blake3 import blake3

from odarchive.catalogue.fixity import Placed
from odarchive.model import SECTOR, ContentId
from robot.errors import ReadFailed
from robot.ports import Drive

WINDOW = 512
CLUSTER = 16
"""Sectors corrected together: 16 on DVD (ECMA-267), 32 on BD."""
MOST_FAILURES = 1024
"""Clusters that may fail before the rest is given up: each costs a drive many seconds."""
ENDS = 10
"""Contents at the beginning and at the end that every sample has: discs fail from the edges."""

Pause = Callable[[], Awaitable[None]]
_Run = tuple[int, int, bytes | None]


@dataclass(slots=True)
class Findings:
    """What reading brought; sectors counted, contents by key."""

    bytes_read: int = 0
    retries: int = 0
    unreadable: list[tuple[int, int]] = field(default_factory=list)
    """(first sector, count), ascending."""
    wrong: set[ContentId] = field(default_factory=set)
    """Contents read completely that have another digest."""
    digest: bytes | None = None
    """BLAKE3 of the image, if all of it was read."""
    given_up_at: int | None = None

    def unread(self) -> int:
        """Sectors that did not come."""
        return sum(count for _, count in self.unreadable)

    def damaged(self, placed: Iterable[Placed]) -> set[ContentId]:
        """Contents with an unreadable or wrong byte."""
        found = set(self.wrong)
        for piece in placed:
            end = piece.sector + -(-piece.length // SECTOR)
            if any(first < end and first + count > piece.sector for first, count in self.unreadable):
                found.add(piece.content)
        return found


async def read_all(
    drive: Drive, sectors: int, placed: Sequence[Placed], pause: Pause, told: Callable[[int], None]
) -> Findings:
    """Read an image of ``sectors``; ``placed`` ascend by sector. ``pause`` is awaited between windows.

    Raises:
        RobotError: the drive failed as a whole.
    """
    findings = Findings()
    image = blake3()
    contents = _Contents(placed)
    for first in range(0, sectors, WINDOW):
        count = min(WINDOW, sectors - first)
        await pause()
        for at, size, data in await _window(drive, first, count, findings):
            if data is None:
                contents.skip(at + size)
            else:
                image.update(data)
                contents.take(at, data)
        told(count * SECTOR)
        if findings.given_up_at is not None:
            findings.unreadable.append((first + count, sectors - first - count))
            break
    findings.wrong = contents.wrong
    findings.digest = None if findings.unreadable else image.digest()
    findings.unreadable = [run for run in findings.unreadable if run[1] > 0]
    return findings


async def read_some(drive: Drive, chosen: Sequence[Placed], pause: Pause, told: Callable[[int], None]) -> Findings:
    """Read single contents, ascending by sector."""
    findings = Findings()
    for piece in chosen:
        hasher = blake3()
        whole = True
        for offset in range(0, piece.length, WINDOW * SECTOR):
            await pause()
            length = min(WINDOW * SECTOR, piece.length - offset)
            runs = await _window(drive, piece.sector + offset // SECTOR, -(-length // SECTOR), findings)
            told(length)
            whole = whole and all(data is not None for _, _, data in runs)
            hasher.update(b"".join(data or b"" for _, _, data in runs)[:length])
        if whole and piece.length == piece.size and hasher.digest() != piece.digest:
            findings.wrong.add(piece.content)
        if findings.given_up_at is not None:
            break
    return findings


def sample(placed: Sequence[Placed], percent: int, seed: int) -> list[Placed]:
    """Contents that make up at least ``percent`` of the bytes: the first and last ones, and others by chance."""
    chosen = dict.fromkeys([*range(min(ENDS, len(placed))), *range(max(len(placed) - ENDS, 0), len(placed))])
    wanted = sum(piece.length for piece in placed) * percent // 100
    have = sum(placed[number].length for number in chosen)
    order = list(range(len(placed)))
    random.Random(seed).shuffle(order)  # noqa: S311  a sample, no secret
    for number in order:
        if have >= wanted:
            break
        if number not in chosen:
            chosen[number] = None
            have += placed[number].length
    return [placed[number] for number in sorted(chosen)]


async def _window(drive: Drive, first: int, count: int, findings: Findings) -> list[_Run]:
    """Sectors in runs: (first, count, their bytes or None)."""
    try:
        data = await drive.read(first, count)
    except ReadFailed:
        return await _narrowed(drive, first, count, findings)
    findings.bytes_read += len(data)
    return [(first, count, data)]


async def _narrowed(drive: Drive, first: int, count: int, findings: Findings) -> list[_Run]:
    runs: list[_Run] = []
    for at in range(first, first + count, CLUSTER):
        size = min(CLUSTER, first + count - at)
        try:
            data = await drive.read(at, size)
        except ReadFailed:
            runs.append((at, size, None))
            _lose(findings, at, size)
            if findings.unread() >= MOST_FAILURES * CLUSTER:
                findings.given_up_at = at
                rest = first + count - at - size
                _lose(findings, at + size, rest)
                return [*runs, (at + size, rest, None)]
            continue
        findings.bytes_read += len(data)
        runs.append((at, size, data))
    if all(data is not None for _, _, data in runs):
        findings.retries += CLUSTER
    return runs


def _lose(findings: Findings, first: int, count: int) -> None:
    if count <= 0:
        return
    if findings.unreadable and sum(findings.unreadable[-1]) == first:
        first, before = findings.unreadable.pop()
        count += before
    findings.unreadable.append((first, count))


class _Contents:
    """Takes the bytes of an image in order and compares every whole content in it with its digest."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        self._placed = placed
        self._next = 0
        self._hasher: blake3 | None = None
        self._done = 0
        self.wrong: set[ContentId] = set()

    def take(self, first: int, data: bytes) -> None:
        """The sectors from ``first`` on."""
        begin, view = first * SECTOR, memoryview(data)
        end = begin + len(data)
        while self._next < len(self._placed):
            piece = self._placed[self._next]
            at = piece.sector * SECTOR
            if at >= end:
                return
            if at >= begin:
                self._hasher, self._done = blake3(), 0
            if self._hasher is not None:
                start = at + self._done
                part = view[start - begin : min(at + piece.length, end) - begin]
                self._hasher.update(part)
                self._done += len(part)
            if at + piece.length > end:
                return
            self._close(piece)

    def skip(self, to: int) -> None:
        """Sectors up to ``to`` did not come: what overlaps them is judged by that."""
        while self._next < len(self._placed):
            piece = self._placed[self._next]
            if piece.sector >= to:
                return
            self._hasher = None
            if piece.sector * SECTOR + piece.length > to * SECTOR:
                return
            self._next += 1

    def _close(self, piece: Placed) -> None:
        if self._hasher is not None and piece.length == piece.size and self._hasher.digest() != piece.digest:
            self.wrong.add(piece.content)
        self._hasher = None
        self._next += 1
