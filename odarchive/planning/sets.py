"""Parity discs planned with the data discs they belong to: sets are filled in the order of the plan.

A set that has not all its data discs yet takes those of the next plan; its parity discs are planned when it is begun.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from odarchive.catalogue import paritysets, plans
from odarchive.catalogue.paritysets import DATA, PARITY, NewSet
from odarchive.media import BURN_UNIT, Medium
from odarchive.model import SegmentId, SegmentState
from odarchive.parity.layout import BLOCK, Layout, disc_bytes
from odarchive.planning.wish import Wish


@dataclass(frozen=True, slots=True)
class Sets:
    """Puts the segments of one plan into sets."""

    connection: Connection
    wish: Wish
    prefix: str
    created_ns: int

    def assign(self, data: Iterable[tuple[SegmentId, Medium]]) -> list[SegmentId]:
        """Data segments, recorded already; returns the parity segments that are new."""
        assert self.wish.parity is not None  # noqa: S101  only then it is called
        made: list[SegmentId] = []
        for segment, medium in data:
            found = paritysets.open_set(self.connection, *self.wish.parity, medium.capacity)
            if found is None:
                number, parity = self._begin(medium)
                made += parity
            else:
                number = found[0]
            paritysets.add(self.connection, number, [segment], DATA)
        return made

    def _begin(self, medium: Medium) -> tuple[int, list[SegmentId]]:
        assert self.wish.parity is not None  # noqa: S101  see above
        data, parity = self.wish.parity
        new = NewSet(str(uuid.uuid4()), data, parity, medium.capacity, self.created_ns // 10**9 * 10**9)
        number = paritysets.begin(self.connection, new)
        largest = self.wish.usable(medium)
        size = -(-disc_bytes(Layout.of(data, parity, BLOCK, largest)) // BURN_UNIT) * BURN_UNIT
        whole = None if self.wish.ecc is None else self.wish.ecc.disc_size(size, medium)
        segments = []
        for _ in range(parity):
            segment = SegmentId(plans.next_segment(self.connection))
            row = plans.Planned(
                segment,
                f"{self.prefix}_{segment:04d}",
                SegmentState.PLANNED,
                medium.name,
                medium.capacity,
                size,
                self.created_ns,
                whole,
            )
            plans.add_segment(self.connection, row, [], copies=self.wish.copies, places=self.wish.places)
            segments.append(segment)
        paritysets.add(self.connection, number, segments, PARITY)
        return number, segments

    def foreseen(self, data: Iterable[Medium], reopened: Collection[SegmentId]) -> int:
        """How many parity discs :meth:`assign` would plan, after these segments were taken back."""
        assert self.wish.parity is not None  # noqa: S101  see above
        shape = self.wish.parity
        left: dict[int, int] = {}
        count = 0
        for medium in data:
            if medium.capacity not in left:
                left[medium.capacity] = paritysets.room(self.connection, *shape, medium.capacity, reopened)
            if left[medium.capacity] == 0:
                left[medium.capacity] = shape[0]
                count += shape[1]
            left[medium.capacity] -= 1
        return count
