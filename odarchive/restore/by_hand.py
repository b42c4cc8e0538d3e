"""Bytes from discs that a person holds: images, mounted discs, folders; any order, each looked at once.

A disc gives everything it has of what is still wanted. Contents in parts stay open between discs, in temporary files of
the target. Bytes that are wrong on one disc may be right on another copy, so they stay wanted.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from odarchive.catalogue.wanted import Wanted
from odarchive.errors import DamageFound, OdarchiveError
from odarchive.model import ContentId, Extent, SegmentId
from odarchive.offline.disc import Disc
from odarchive.offline.sealed import open_plain
from odarchive.offline.texts import OnDisc
from odarchive.restore.target import Landing
from odarchive.restore.work import Work

if TYPE_CHECKING:
    from odarchive.seal.stream import Opener


class ByHand:
    """Feeds a piece of work from discs; a context manager."""

    def __init__(self, work: Work, archive: str, keys: "Opener | None" = None) -> None:
        """``keys``: what opens encrypted discs."""
        self._work = work
        self._keys = keys
        self._archive = archive
        self._stack = ExitStack()
        self._torn: dict[ContentId, tuple[Landing, set[int]]] = {}
        self.why: dict[ContentId, str] = {}
        """What went wrong with contents that a disc should have given."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def missing(self) -> dict[SegmentId, int]:
        """Segments that are still needed, with how many contents of each."""
        counts: dict[SegmentId, int] = {}
        for wanted in self._work.open.values():
            have = self._torn.get(wanted.content, (None, set[int]()))[1]
            for extent in wanted.extents:
                if extent.start not in have:
                    counts[extent.segment] = counts.get(extent.segment, 0) + 1
        return counts

    def disc(self, path: Path) -> str:
        """Take everything wanted from one disc; returns its label.

        Raises:
            OdarchiveError: nothing is there, it is damaged, or it is of another archive.
        """
        found = open_plain(path, self._keys)
        try:
            if found.identity.archive != self._archive:
                raise OdarchiveError(
                    f"{path} holds disc {found.identity.label} of another archive ({found.identity.archive})"
                )
            catalogue = found.catalogue()
            pieces = {(piece.digest, piece.start): piece for piece in catalogue.contents}
            self._take(found, SegmentId(catalogue.segment), pieces)
            return found.identity.label
        finally:
            found.close()

    def _take(self, disc: Disc, segment: SegmentId, pieces: Mapping[tuple[bytes, int], OnDisc]) -> None:
        todo = [
            (piece.sector, wanted, extent, piece)
            for wanted in self._work.open.values()
            for extent in wanted.extents
            if extent.segment == segment and (piece := pieces.get((wanted.digest, extent.start))) is not None
        ]
        for _, wanted, extent, piece in sorted(todo, key=lambda one: one[0]):
            try:
                self._piece(disc, wanted, extent, piece)
            except (OSError, DamageFound) as error:
                self.why[wanted.content] = f"disc {disc.identity.label}: {error}"

    def _piece(self, disc: Disc, wanted: Wanted, extent: Extent, piece: OnDisc) -> None:
        landing, have = self._torn.get(wanted.content) or (
            self._stack.enter_context(self._work.landing(wanted)),
            set[int](),
        )
        if extent.start in have:
            return
        offset = extent.start
        for data in disc.content(piece):
            landing.write(offset, data[: extent.start + extent.length - offset])
            offset += len(data)
        have.add(extent.start)
        if len(have) < len(wanted.extents):
            self._torn[wanted.content] = landing, have
            return
        right = self._work.deliver(wanted, landing)
        self._torn.pop(wanted.content, None)
        landing.close()
        if not right:
            raise DamageFound("the bytes read have another digest")
