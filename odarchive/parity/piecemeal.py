"""Some blocks of one lost data disc, from the blocks of the others as these come, one disc after the other.

A lost block is a sum of blocks of as many others as the set has data discs, each with its factor (``Code.weights``).
So one sum per lost block is kept, in a file, and a disc that has given its share is not needed again; what is asked of
each disc is only what lies in the stripes of the lost blocks.

What is to be read has addresses in one row of bytes: for each disc of the set as many as the set is long, the place of
a block being that of the *lost* block it serves; behind them the checksums of each parity disc. A block that its
checksum contradicts, before or after it was added, is no share: the sum begins anew.

Not for whole discs (``work.rescue``), and not for what the sums are believed to be: whoever asked compares the content
with its digest.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from blake3 import blake3

from odarchive.model import SECTOR
from odarchive.parity.code import Code, as_blocks
from odarchive.parity.discset import DiscSet
from odarchive.parity.layout import CHECK

Run = tuple[int, int]
"""First, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Addresses that lie one after the other on one disc. ``length`` in bytes; ``member``: number in the set."""

    member: int
    address: int
    length: int
    sector: int


@dataclass(slots=True)
class _Sum:
    """How far a lost block is. ``missing``: who still has to give his share; None: it cannot be made."""

    factors: dict[int, int]
    missing: set[int] | None
    erased: set[int] = field(default_factory=set)


class Piecemeal:
    """Blocks of disc ``lost`` of a set. Used by one task at a time; nothing here awaits."""

    def __init__(self, of: DiscSet, lost: int, order: Sequence[int], descriptor: int, *, own: bool = False) -> None:
        """Begin with nothing.

        Args:
            of: the set.
            lost: number of the data disc.
            order: discs that can be read, the handiest first; looked at whenever discs are chosen.
            descriptor: of an empty file for the sums; it gets as long as a disc, but its holes cost nothing.
            own: the lost disc may still give blocks of its own, where too few others are left.
        """
        os.ftruncate(descriptor, of.layout.length * of.layout.block)
        self._own = own
        self.of, self._lost, self._order, self._file = of, lost, order, descriptor
        self._layout, self._code = of.layout, Code(of.layout.data, of.layout.parity)
        self.made: set[int] = set()
        """Blocks that are complete; whoever uses them takes them out."""
        self._sums: dict[int, _Sum] = {}
        shape = (of.layout.discs, of.layout.length)
        self._given = np.zeros(shape, np.uint64)  # pages that are never written cost nothing
        self._checks = np.zeros(shape, np.uint64)

    @property
    def block(self) -> int:
        """Bytes of a block."""
        return self._layout.block

    def stretches(self) -> Iterator[Stretch]:
        """Where on the discs the addresses lie."""
        length, block = self._layout.length, self.block
        for member in range(self._layout.discs):
            ahead = (self._lost - member) * self._layout.shift % length
            first, base = self._layout.first(self.of.members[member].size), self._base(member)
            for begin, end, shift in ((0, length - ahead, ahead), (length - ahead, length, ahead - length)):
                begin = max(begin, first - shift)  # noqa: PLW2901  what a short disc lacks is zeros
                if begin < end:
                    address = (member * length + begin) * block
                    yield Stretch(member, address, (end - begin) * block, base + (begin + shift) * block // SECTOR)
        size = self._padded(self.of.checks_size())
        for row in range(self._layout.parity):
            yield Stretch(self._layout.data + row, self._tables(row), size, (self.of.payload - size) // SECTOR)

    def blocks(self, sector: int, count: int) -> Run:
        """The blocks that sectors of the lost disc lie in."""
        begin = (sector - self._base(self._lost)) * SECTOR
        return begin // self.block, -(-(begin + count * SECTOR) // self.block)

    def read(self, sector: int, length: int) -> bytes:
        """Bytes of the lost disc, unchecked."""
        return os.pread(self._file, length, (sector - self._base(self._lost)) * SECTOR)

    def need(self, run: Run) -> list[Run]:
        """Blocks of the lost disc are wanted: the addresses to be read for them, checksums among them."""
        fresh = [at for at in range(*run) if at not in self._sums]
        for at in fresh:
            self._plan(at, set())
        return self._asked(fresh)

    def hopeless(self, run: Run) -> bool:
        """Whether one of these blocks cannot be made."""
        return any(self._sums[at].missing is None for at in range(*run))

    def complete(self, run: Run) -> bool:
        """Whether all these blocks are made."""
        return all(not self._sums[at].missing and self._sums[at].missing is not None for at in range(*run))

    def is_table(self, address: int) -> bool:
        """Whether there are checksums at an address."""
        return address >= self._tables(0)

    def put(self, address: int, data: bytes) -> list[int]:
        """Take what was read; returns addresses of blocks that are wrong.

        Raises:
            OSError: the file of the sums cannot be written.
        """
        if self.is_table(address):
            return self._compared(address, data)
        member, first = self._at(address)
        wrong = []
        for at in range(first, first + len(data) // self.block):
            raw = data[(at - first) * self.block :][: self.block]
            given = int.from_bytes(blake3(raw).digest(CHECK), "little")
            known = int(self._checks[member, self._on(member, at)])
            if known and known != given:
                wrong.append(self._address(member, at))
            elif (one := self._sums.get(at)) is not None and one.missing and member in one.missing:
                self._given[member, self._on(member, at)] = given
                self._add(at, one.factors[member], raw)
                one.missing.discard(member)
                if not one.missing:
                    self.made.add(at)
        return wrong

    def added(self, address: int) -> bool:
        """Whether a block is in its sum."""
        member, at = self._at(address)
        one = self._sums.get(at)
        return one is not None and one.missing is not None and member in one.factors and member not in one.missing

    def begin_anew(self, addresses: Iterable[int], *, erased: bool) -> tuple[list[Run], list[Run]]:
        """Sums that blocks belong to begin anew, without these if they are ``erased``: nobody gives them.

        Returns:
            The addresses that need not be read any more, and those that are to be read now.
        """
        needless: list[int] = []
        again = []
        for address in addresses:
            member, at = self._at(address)
            one = self._sums.get(at)
            if one is None or one.missing is None or member not in one.factors:
                continue
            needless += (self._address(other, at) for other in one.factors)
            self._plan(at, {*one.erased, member} if erased else one.erased)
            again.append(at)
        return list(_runs(needless, self.block)), self._asked(again)

    def _plan(self, at: int, erased: set[int]) -> None:
        """Choose the discs that a block is made from; its sum begins with zeros."""
        empty = [one for one in self._others() if self._on(one, at) < self._layout.first(self.of.members[one].size)]
        there = [*empty, *(one for one in self._order if one not in empty and one not in erased and one != self._lost)]
        chosen = there[: self._layout.data]
        if len(chosen) < self._layout.data and (not self._own or self._lost in erased):
            self._sums[at] = _Sum({}, None, erased)
            return
        whole = len(chosen) == self._layout.data
        factors = self._code.weights(self._lost, chosen) if whole else {self._lost: 1}
        asked = {member: factor for member, factor in factors.items() if member not in empty}
        if at in self._sums:
            os.pwrite(self._file, bytes(self.block), self._place(at))
        self._sums[at] = _Sum(asked, set(asked), erased)
        self.made.discard(at)

    def _asked(self, blocks: list[int]) -> list[Run]:
        found: list[int] = []
        table: set[int] = set()
        for at in blocks:
            one = self._sums[at]
            found += (self._address(member, at) for member in one.missing or ())
            table |= self._entries(one, at)
        return [*_runs(found, self.block), *_runs(table, SECTOR)]

    def _entries(self, one: _Sum, at: int) -> set[int]:
        """Addresses of the sectors with the checksums of what a block is made from, on a parity disc that is read."""
        parity = range(self._layout.data, self._layout.discs)
        holder = next((member for member in (*one.factors, *self._order) if member in parity), None)
        if holder is None:
            return set()
        begin = self._tables(holder - self._layout.data)
        places = [(member * self._layout.length + self._on(member, at)) * CHECK for member in one.factors]
        return {begin + place // SECTOR * SECTOR for place in places}

    def _compared(self, address: int, data: bytes) -> list[int]:
        table = (address - self._tables(0)) % self._padded(self.of.checks_size())
        numbers = np.frombuffer(data[: self.of.checks_size() - table], "<u8")
        first = table // CHECK
        flat, given = self._checks.reshape(-1), self._given.reshape(-1)
        flat[first : first + len(numbers)] = numbers
        there = given[first : first + len(numbers)]
        wrong = np.flatnonzero((there != 0) & (numbers != 0) & (there != numbers))
        return [self._of_entry(first + int(number)) for number in wrong]

    def _of_entry(self, number: int) -> int:
        """The address of the block that a checksum is of."""
        member, on = divmod(number, self._layout.length)
        stripe = self._layout.stripe(member, on)
        return self._address(member, self._layout.at(self._lost, stripe))

    def _add(self, at: int, factor: int, raw: bytes) -> None:
        total = as_blocks(bytearray(os.pread(self._file, self.block, self._place(at))), self.block)
        self._code.add(total, factor, as_blocks(raw, self.block))
        os.pwrite(self._file, total.tobytes(), self._place(at))

    # -- addresses --------------------------------------------------------------------------------------------------

    def _others(self) -> Iterator[int]:
        return (member for member in range(self._layout.discs) if member != self._lost)

    def _base(self, member: int) -> int:
        """The sector where block 0 of a disc would lie; below 0 for what is shorter than the set."""
        size = self.of.members[member].size
        begin = self.of.payload if member >= self._layout.data else 0
        return (begin + size - self._layout.length * self.block) // SECTOR

    def _on(self, member: int, at: int) -> int:
        """The block of a disc that lies in the stripe of a lost one."""
        return self._layout.at(member, self._layout.stripe(self._lost, at))

    def _address(self, member: int, at: int) -> int:
        return (member * self._layout.length + at) * self.block

    def _at(self, address: int) -> tuple[int, int]:
        return divmod(address // self.block, self._layout.length)

    def _place(self, at: int) -> int:
        return at * self.block

    def _tables(self, row: int) -> int:
        """The address of the checksums as a parity disc has them."""
        return self._address(self._layout.discs, 0) + row * self._padded(self.of.checks_size())

    @staticmethod
    def _padded(size: int) -> int:
        return -(-size // SECTOR) * SECTOR


def _runs(numbers: Iterable[int], step: int) -> Iterator[Run]:
    """Numbers a step apart, joined."""
    for _, group in groupby(enumerate(sorted(set(numbers))), lambda pair: pair[1] - pair[0] * step):
        found = [number for _, number in group]
        yield found[0], found[-1] + step
