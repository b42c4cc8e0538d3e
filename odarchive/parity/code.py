"""The Reed-Solomon code on blocks: parity from data, and lost blocks from what is left, with numpy.

A block of B bytes is eight packets of B / 8 bytes; bit r of the field elements lies in packet r, so multiplying by a
constant is a few XORs of packets (Cauchy Reed-Solomon). Arrays have the shape (blocks, 8, B / 8), so that many stripes
are done at once. Not for files and not for which block belongs to which stripe (``layout``).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from odarchive.parity.field import bits, cauchy, inverted, multiply

Blocks = NDArray[np.uint64]


class Code:
    """``data`` + ``parity`` blocks in a stripe, any ``parity`` of which may be lost."""

    def __init__(self, data: int, parity: int) -> None:
        self.data = data
        self.parity = parity
        self._rows = cauchy(data, parity)
        self._bits = {value: bits(value) for row in self._rows for value in row}

    def encode(self, data: Mapping[int, Blocks], shape: tuple[int, ...]) -> list[Blocks]:
        """The parity blocks; data discs that are absent count as zeros."""
        made = [np.zeros(shape, np.uint64) for _ in range(self.parity)]
        for number, block in data.items():
            for row, out in zip(self._rows, made, strict=True):
                self._add(out, row[number], block)
        return made

    def decode(self, there: Mapping[int, Blocks], lost: Sequence[int], shape: tuple[int, ...]) -> dict[int, Blocks]:
        """The lost blocks of stripes in which all others are there: data discs from 0, then parity discs.

        Raises:
            ValueError: more than ``parity`` blocks are lost.
        """
        if len(lost) > self.parity:
            raise ValueError(f"{len(lost)} blocks of a stripe are lost, {self.parity} can be made again")
        holes = [number for number in lost if number < self.data]
        rows = [row for row in range(self.parity) if row + self.data not in lost][: len(holes)]
        found = self._solved(there, holes, rows, shape) if holes else {}
        for number in (number for number in lost if number >= self.data):
            out = np.zeros(shape, np.uint64)
            for column in range(self.data):
                block = found[column] if column in found else there.get(column)
                if block is not None:
                    self._add(out, self._rows[number - self.data][column], block)
            found[number] = out
        return found

    def weights(self, lost: int, chosen: Collection[int]) -> dict[int, int]:
        """The factors with which blocks of a stripe add up to a lost data block.

        Args:
            lost: its number.
            chosen: as many others as there are data discs.

        Raises:
            ValueError: they are more or fewer, or the lost one is among them or a parity block.
        """
        if len(set(chosen)) != self.data or lost in chosen or lost >= self.data:
            raise ValueError(f"a data block follows from {self.data} others, not from {len(set(chosen))}")
        holes = [number for number in range(self.data) if number not in chosen]
        rows = [self._rows[number - self.data] for number in sorted(chosen) if number >= self.data]
        factors = inverted([[row[hole] for hole in holes] for row in rows])[holes.index(lost)]
        found = dict(zip((number for number in sorted(chosen) if number >= self.data), factors, strict=True))
        for column in (number for number in chosen if number < self.data):
            found[column] = 0
            for factor, row in zip(factors, rows, strict=True):
                found[column] ^= multiply(factor, row[column])
        return found

    def add(self, out: Blocks, factor: int, block: Blocks) -> None:
        """Add factor x block."""
        if factor:
            self._add(out, factor, block)

    def _solved(
        self, there: Mapping[int, Blocks], holes: Sequence[int], rows: Sequence[int], shape: tuple[int, ...]
    ) -> dict[int, Blocks]:
        rests = []
        for row in rows:
            rest = there[row + self.data].copy()
            for column in range(self.data):
                block = there.get(column)
                if column not in holes and block is not None:
                    self._add(rest, self._rows[row][column], block)
            rests.append(rest)
        solution = inverted([[self._rows[row][column] for column in holes] for row in rows])
        found = {}
        for hole, factors in zip(holes, solution, strict=True):
            out = np.zeros(shape, np.uint64)
            for factor, rest in zip(factors, rests, strict=True):
                self._add(out, factor, rest)
            found[hole] = out
        return found

    def _add(self, out: Blocks, factor: int, block: Blocks) -> None:
        """Add factor x block."""
        if factor == 1:
            np.bitwise_xor(out, block, out=out)
            return
        if factor not in self._bits:
            self._bits[factor] = bits(factor)
        for row, columns in enumerate(self._bits[factor]):
            target = out[:, row]
            for column in columns:
                np.bitwise_xor(target, block[:, column], out=target)


def as_blocks(data: bytes | bytearray | memoryview, block: int) -> Blocks:
    """Bytes of whole blocks in the shape the code takes."""
    return np.frombuffer(data, np.uint64).reshape(-1, 8, block // 64)
