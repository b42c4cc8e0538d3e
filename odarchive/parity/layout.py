"""Which block of which disc belongs to which stripe. Pure.

All discs of a set are brought to one length L of blocks, counted so that the *last* block of every disc is L - 1; what
a shorter disc lacks at its beginning is zeros that nobody stores. Block b of disc i is in stripe (b + i x L / n) mod L,
n being the number of discs, so that equal places of all discs lie in different stripes: discs that fade together from
their edge lose at most as many blocks of one stripe as the share of the edge times n.
"""

import re
from dataclasses import dataclass

from odarchive.errors import OdarchiveError

BLOCK = 65_536
"""Bytes of a block: images are multiples of it (a burner writes in units of it)."""
MOST = 256
"""Discs of a set."""
CHECK = 8
"""Bytes of a block's checksum: the first of its BLAKE3."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``length`` and ``block`` are L and B; L is a multiple of the number of discs."""

    data: int
    parity: int
    block: int
    length: int

    def __post_init__(self) -> None:
        if self.block < 64 or self.block % 64 or self.length < 1 or self.length % self.discs:
            raise ValueError("the length of a set is a multiple of its discs, a block one of 64 bytes")

    @classmethod
    def of(cls, data: int, parity: int, block: int, largest: int) -> "Layout":
        """The layout for images of at most ``largest`` bytes."""
        discs = data + parity
        return cls(data, parity, block, -(-largest // (block * discs)) * discs)

    @property
    def discs(self) -> int:
        """Discs in the set."""
        return self.data + self.parity

    @property
    def shift(self) -> int:
        """Blocks from one disc's place in a stripe to the next one's."""
        return self.length // self.discs

    def stripe(self, disc: int, block: int) -> int:
        """The stripe of a block."""
        return (block + disc * self.shift) % self.length

    def at(self, disc: int, stripe: int) -> int:
        """The block that a disc has in a stripe."""
        return (stripe - disc * self.shift) % self.length

    def first(self, size: int) -> int:
        """The first block that a disc of ``size`` bytes stores."""
        return self.length - -(-size // self.block)


def disc_bytes(layout: Layout) -> int:
    """An upper bound of the bytes of a parity disc's image: payload, checksums and descriptions twice, file systems."""
    checks = layout.discs * layout.length * CHECK + 2048
    text = 16_384 + 512 * layout.discs
    head = 1_000_000 + text + checks
    tail = head * layout.parity // layout.data + 2 * layout.block
    return layout.length * layout.block + head + checks + max(tail, text) + 1_000_000


def room(data: int, parity: int, usable: int) -> int:
    """Bytes of the largest image whose set's parity discs still fit ``usable`` bytes; 0 or less: none does."""
    return usable - (disc_bytes(Layout.of(data, parity, BLOCK, usable)) - usable)


def parse_shape(text: str) -> tuple[int, int] | None:
    """Data and parity discs of ``16+4``; None of ``none``.

    Raises:
        OdarchiveError: it is neither, or more discs than a set can have.
    """
    if text == "none":
        return None
    match = re.fullmatch(r"([0-9]{1,3})\+([0-9]{1,3})", text, re.ASCII)
    shape = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (shape[0] and shape[1]) or sum(shape) > MOST:
        raise OdarchiveError(f"{text!r}: write data+parity discs such as 16+4, {MOST} at most")
    return shape
