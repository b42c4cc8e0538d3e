"""What no disc of a segment gives any more, made again from the parity set of that segment, while readers wait.

What has to be read of the other discs of the set is a want like a reader's: the scheduler brings these discs one after
the other, each serves whoever else waits for it, and one drive is enough. Only the stripes of the lost blocks are read,
and of each lost block one sum is kept in a nameless file in staging, so nothing of it is left after ``kill -9``: the
reader, or the recall that the catalogue keeps, asks anew. A round makes at most ``ROUND`` bytes; more waits for the
next round.

What comes out is read like a disc (``_Mended``) and believed only where the content's own digests say so. A disc of the
set that fails on a block is suspected like any other, another copy of it is asked, then another disc of the set.

Concurrency: shared by the bays; every await leaves want and sums consistent.
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import trio

from odarchive.catalogue import discs
from odarchive.catalogue.discs import Disc
from odarchive.librarian.bay import Bay
from odarchive.librarian.demand import Demand, Want
from odarchive.librarian.kin import Kin
from odarchive.librarian.readback import SectorReader
from odarchive.librarian.spans import uncover
from odarchive.librarian.unsealing import Sectors
from odarchive.librarian.workroom import Workroom
from odarchive.model import SECTOR, ContentId, Extent, SegmentId
from robot.errors import ReadFailed

if TYPE_CHECKING:
    from odarchive.parity.piecemeal import Piecemeal, Run

SLICE = 1 << 20
"""Bytes after which it is looked whether somebody waits for something more urgent."""
ROUND = 1 << 30
"""Bytes of sums kept at once, and so the room that a rescue takes in staging."""


Neighbour = tuple[ContentId, bytes, int, Extent]
"""A content that nobody asked for, all of it in one place: `discs.following`."""

MADE = "; it is made again from parity"
_TOLD = 5
"""Reasons, or runs of sectors, that are told."""


@dataclass(frozen=True, slots=True)
class Takers:
    """Who is given what became of lost extents, and who says which more of a content is not there yet."""

    mended: Callable[[Bay, Sectors, Want, Extent], Awaitable[None]]
    lost: Callable[[Want, list[Extent], str], Awaitable[None]]
    along: Callable[[Bay, Sectors, Neighbour], Awaitable[None]]
    ask_ahead: Callable[[Want, int, int], None]


@dataclass(frozen=True, slots=True)
class Label:
    """The disc that is lost. ``is_there``: it can be read, but for what is lost of it."""

    name: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Who is told. ``ended``: when nothing is left to do, with what was made in words (empty: nothing)."""

    takers: Takers
    ended: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """An extent that no disc gives. ``sectors``: (first, count) of what has to be there to read it."""

    extent: Extent
    sectors: tuple[tuple[int, int], ...]
    want: Want | None = None
    neighbour: Neighbour | None = None
    """Instead of a want."""


class _Mended:
    """Sectors of the lost disc, as a drive would give them."""

    def __init__(self, made: "Piecemeal") -> None:
        self._made = made

    async def read(self, sector: int, length: int) -> bytes:
        try:
            return self._made.read(sector, length)
        except OSError as error:
            raise ReadFailed(f"staging does not give what was made again: {error.strerror}", sector=sector) from error

    exactly = read


class Rescue:
    """What is made again of one segment."""

    def __init__(self, room: Workroom, demand: Demand, kin: Kin, lost: Label, outcomes: Outcomes) -> None:
        """Begin with nothing asked."""
        self._room, self._demand, self.kin, self._label, self._own = room, demand, kin, lost.name, lost.is_there
        self._takers, self._ended = outcomes.takers, outcomes.ended
        self._order = list(kin.order)
        self._losts: list[Lost] = []
        self._of_block: dict[int, list[Lost]] = {}
        self._later: list[Lost] = []
        self._givers: dict[int, Disc] = {}
        self._bay: Bay | None = None
        self._reasons: list[str] = []
        self._made_again: list[tuple[int, int]] = []
        self._handing = 0
        """Bays that are handing over what was made: the sums stay until they have."""
        self._sums: Piecemeal
        self._file: BinaryIO
        self._open()
        pieces = [
            Extent(kin.segments[one.member], one.address, one.length, one.sector) for one in self._sums.stretches()
        ]
        self.want = demand.mend(kin.segments[kin.lost], pieces, at=trio.current_time())
        self.want.on_change.append(self._told_to_wait)

    def _open(self) -> None:
        from odarchive.parity.piecemeal import Piecemeal  # noqa: PLC0415  the extra `parity` is needed here alone

        staging = self._room.config.staging
        staging.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=staging)  # noqa: SIM115  it lives as long as its round
        try:
            self._sums = Piecemeal(self.kin.of, self.kin.lost, self._order, self._file.fileno(), own=self._own)
        except OSError:
            self._file.close()
            raise

    async def ask(self, losts: Sequence[Lost]) -> None:
        """Have extents made again; those that cannot be are told at once."""
        most = ROUND // self._sums.block
        fresh: list[Run] = []
        for number, lost in enumerate(losts):
            runs = self._runs(lost)
            if self._losts and len(self._of_block) + sum(map(len, runs)) > most:
                self._later += [one for one in losts[number:] if one.want is not None]
                break
            self._losts.append(lost)
            fresh += ((run.start, run.stop) for run in runs)
            for run in runs:
                for at in run:
                    self._of_block.setdefault(at, []).append(lost)
        for first, end in _joined(fresh):
            try:
                needed = self._sums.need((first, end))
            except OSError as error:
                await self.fail(self._no_room(error))
                return
            for address in needed:
                self.want.ask(*address)
            self._sums.made |= {at for at in range(first, end) if self._sums.complete((at, at + 1))}
        asked = {at for first, end in fresh for at in range(first, end)}
        await self._hopeless(asked, f"parity set {self.kin.number} has too few discs left for it")
        if self._bay is not None:  # some of it may have been made for somebody else
            await self._deliver(self._bay)

    def _told_to_wait(self) -> None:
        """What a person is asked for concerns those who wait for it."""
        if self.want.ended or not self.want.why:
            return
        for want in {id(lost.want): lost.want for lost in (*self._losts, *self._later) if lost.want}.values():
            want.why = f"{want.why.partition(MADE)[0]}{MADE}: {self.want.why}"
            want.changed()

    def _runs(self, lost: Lost) -> list[range]:
        return [range(*self._sums.blocks(*sectors)) for sectors in lost.sectors]

    async def slice(self, bay: Bay, reader: SectorReader, disc: Disc, extent: Extent) -> None:
        """Read the first bytes of an extent of one of the other discs."""
        low, length = extent.start, min(extent.length, SLICE)
        self._bay = bay
        bay.doing(f"reading {disc.label} to make {self._label} again from parity set {self.kin.number}")
        for address, count, data, problem in await self._read(reader, low, extent.sector, length):
            if self.want.ended:
                return
            if data is None and not self._sums.is_table(address):
                await self._unreadable(disc, problem)
                await self._bad(disc, address, f"disc {disc.label}: {problem}")
                continue
            try:
                wrong = [] if data is None else self._sums.put(address, data)
            except OSError as error:
                await self.fail(self._no_room(error))
                return
            self.want.arrived(address, address + count)
            self._givers[address // self._sums.block // self.kin.of.layout.length] = disc
            bay.advance(count)
            for one in wrong:
                giver = self._givers.get(one // self._sums.block // self.kin.of.layout.length, disc)
                await self._bad(giver, one, f"disc {giver.label} has another block than its parity set knows")
        await self._deliver(bay)

    def _no_room(self, error: OSError) -> str:
        return f"to make disc {self._label} again, staging in {self._room.config.staging} is needed: {error.strerror}"

    async def _read(
        self, reader: SectorReader, low: int, sector: int, length: int
    ) -> list[tuple[int, int, bytes | None, str]]:
        """All at once, else block by block: (address, count, bytes or None, what was wrong)."""
        try:
            return [(low, length, await reader.exactly(sector, length), "")]
        except ReadFailed as error:
            if self._sums.is_table(low) or length <= self._sums.block:
                return [(low, length, None, str(error))]
        found: list[tuple[int, int, bytes | None, str]] = []
        for at in range(0, length, self._sums.block):
            found += await self._read(reader, low + at, sector + at // SECTOR, min(self._sums.block, length - at))
        return found

    async def _unreadable(self, disc: Disc, problem: str) -> None:
        if disc.id not in {one for one, _ in self.want.bad_at}:
            told = f"disc {disc.label}, read to make disc {self._label} again: {problem}"
            await self._room.write(discs.suspect, disc.id, told)
            await self._room.note("read-failed", told, disc=disc.id)

    async def _bad(self, disc: Disc, address: int, why: str) -> None:
        """A block cannot be had from a disc: it is asked of its copies, and others take its place if there are none.

        A block with another checksum is no proof against its disc: the discs' own labels are in some.
        """
        if self.want.ended:
            return
        block = self._sums.block
        segment = self.kin.segments[address // block // self.kin.of.layout.length]
        self.want.bad_at.add((disc.id, address))
        copies = await self._room.read(discs.readable_of, segment)
        gone = not any((copy.id, address) not in self.want.bad_at for copy in copies)
        if gone or self._sums.added(address):
            await self._anew([address], erased=gone, why=why)
        else:
            self.want.ask(address, address + block)  # cuts it out

    async def give_up(self, segment: SegmentId, why: str) -> None:
        """No disc of a segment of the set can be had."""
        member, block = self.kin.segments.index(segment), self._sums.block
        if member in self._order:
            self._order.remove(member)
        needless = [extent for extent in self.want.missing.values() if extent.segment == segment]
        addresses: list[int] = []
        for extent in needless:
            if self._sums.is_table(extent.start):
                uncover(self.want.missing, extent.start, extent.start + extent.length)
            else:
                addresses += range(extent.start, extent.start + extent.length, block)
        await self._anew(addresses, erased=True, why=why)

    async def _anew(self, addresses: list[int], *, erased: bool, why: str) -> None:
        try:
            needless, needed = self._sums.begin_anew(addresses, erased=erased)
        except OSError as error:
            await self.fail(self._no_room(error))
            return
        for run in needless:
            uncover(self.want.missing, *run)
        for run in needed:
            self.want.ask(*run)
        if erased and why not in self._reasons:
            self._reasons = [*self._reasons, why][-_TOLD:]
        block, length = self._sums.block, self.kin.of.layout.length
        await self._hopeless(
            {address // block % length for address in addresses},
            f"parity set {self.kin.number} has too few good discs left for it: {'; '.join(self._reasons)}",
        )

    async def _hopeless(self, blocks: Iterable[int], why: str) -> None:
        """Tell those who need one of these blocks if it cannot be made."""
        gone = {
            lost: None
            for at in sorted(blocks)
            for lost in self._of_block.get(at, ())
            if self._sums.hopeless((at, at + 1))
        }
        for lost in gone:
            self._forget(lost)
        for lost in gone:
            await self._tell_lost(lost, why)
        await self._done()

    async def _tell_lost(self, lost: Lost, why: str) -> None:
        if lost.want is not None and not lost.want.ended:
            why = f"{lost.want.why}; {why}" if lost.want.why else why
            await self._takers.lost(lost.want, [lost.extent], why)

    async def _deliver(self, bay: Bay) -> None:
        """Hand over what is complete, once all checksums that were asked for are compared."""
        if self.want.ended or any(self._sums.is_table(start) for start in self.want.missing):
            return
        near = {lost: None for at in sorted(self._sums.made) for lost in self._of_block.get(at, ())}
        self._sums.made.clear()
        ready = [lost for lost in near if all(self._sums.complete((run.start, run.stop)) for run in self._runs(lost))]
        for lost in ready:
            self._forget(lost)
        reader = _Mended(self._sums)
        self._handing += 1
        try:
            for lost in ready:
                self._made_again += lost.sectors
                if lost.neighbour is not None:
                    await self._takers.along(bay, reader, lost.neighbour)
                elif lost.want is not None and not lost.want.ended:
                    await self._takers.mended(bay, reader, lost.want, lost.extent)
        finally:
            self._handing -= 1
        await self._done()

    def _forget(self, lost: Lost) -> None:
        self._losts.remove(lost)
        for run in self._runs(lost):
            for at in run:
                if lost in (there := self._of_block.get(at, [])):
                    there.remove(lost)

    async def _done(self) -> None:
        """Begin the next round, or end, when nothing is left of this one."""
        if self._losts or self._handing or self.want.ended:
            return
        self._file.close()
        self.want.missing.clear()
        if self._later:
            later, self._later = self._later, []
            self._of_block.clear()
            try:
                self._open()
            except OSError as error:
                self._later = later
                await self.fail(self._no_room(error))
            else:
                await self.ask(later)
            return
        self._demand_end()
        await self._ended(self._words())

    def _demand_end(self) -> None:
        self.want.done = True
        self._demand.end(self.want)

    def _words(self) -> str:
        runs = _joined([(first, first + count) for first, count in self._made_again])
        if not runs:
            return ""
        told = ", ".join(f"{first}-{end - 1}" for first, end in runs[:_TOLD])
        more = f" and {len(runs) - _TOLD} more runs" if len(runs) > _TOLD else ""
        return f"repaired from parity set {self.kin.number}: disc {self._label} sectors {told}{more}"

    async def fail(self, why: str) -> None:
        """Nothing more is made: everybody is told."""
        losts, self._losts, self._later = [*self._losts, *self._later], [], []
        self._file.close()
        self._demand_end()
        for lost in losts:
            if lost.want is not None and not lost.want.ended:
                await self._takers.lost(lost.want, [lost.extent], why)
        await self._ended(self._words())


def _joined(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, end in sorted(runs):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found
