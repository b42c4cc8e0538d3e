"""Making the image of a segment right: what the catalogue planned, read from the sources and checked, wherever it goes.

A file that is gone, changed or reads differently than it was scanned is never written wrong: it is left out, taken off
the segment (the next plan places what is still there again) and reported. Not for where the bytes go: `build` puts them
into staging, `stream` into a burner.
"""

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import starmap, zip_longest
from operator import eq
from pathlib import Path

from sqlalchemy import Connection

from odarchive.catalogue import grids, plans, seals
from odarchive.catalogue.database import Catalogue, let_go
from odarchive.catalogue.grids import PartKey
from odarchive.digest import BLOCK
from odarchive.errors import NoSpace, NotFound, OdarchiveError, SourceMissing, TryLater, is_full
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.writer import ImageWriter, SourceFailed
from odarchive.imaging.disctree import DiscTree, DiscWish, SetCatalogue
from odarchive.imaging.selection import Selection, select_segment
from odarchive.media import BURN_UNIT
from odarchive.model import ContentId, DiscState, SegmentId

_PROVEN = {DiscState.VERIFIED, DiscState.SUSPECT, DiscState.MISSING}
_OPEN = {DiscState.INTENDED, DiscState.WRITTEN}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the image, and why."""

    path: bytes
    reason: str

    def __str__(self) -> str:
        return f"{os.fsdecode(self.path)!r} {self.reason}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What writing a tree brought: the image's digest, and the contents that were not what was recorded."""

    digest: bytes
    failed: Mapping[ContentId, str]
    chunks: Mapping[PartKey, bytes]
    """Digests of chunks (`DiscTree.chunks`)."""


@dataclass(frozen=True, slots=True)
class Made:
    """An image that is right: what belongs on it, its tree and digest, and what is left out, and why."""

    selection: Selection
    tree: DiscTree
    digest: bytes
    lost: Mapping[ContentId, str]
    chunks: Mapping[PartKey, bytes]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What is not in it, with a path for people."""
        return tuple(LeftOut(self.selection.path_of(c), why) for c, why in sorted(self.lost.items()))


def selected(catalogue: Catalogue, segment_id: SegmentId, *, copy: bool = False) -> Selection:
    """What belongs on a segment's disc; an image made of it before is forgotten.

    Args:
        catalogue: The archive.
        segment_id: The segment.
        copy: It may be on a disc already, whose copy is being made; then nothing is forgotten.

    Raises:
        NotFound, TryLater, OdarchiveError: there is no such segment, or it is not to be made.
        SourceMissing: a source is not there.
    """
    with catalogue.write() as connection:
        segment = _buildable(connection, segment_id, copy=copy)
        if not _is_on_disc(connection, segment_id):
            plans.forget_image(connection, segment_id)
        if seals.recipients(connection):
            _draw_seed(connection, segment)
        selection = select_segment(connection, segment)
        let_go(connection)
    selection.require_sources()
    return selection


def _buildable(connection: Connection, number: SegmentId, *, copy: bool) -> plans.Planned:
    segment = plans.segment(connection, number)
    if segment is None:
        raise NotFound(f"there is no segment {number}; `odarchive info` lists them")
    if not copy and _is_on_disc(connection, number):
        raise OdarchiveError(f"segment {number} is on a disc already, so its image is not built again; copy that disc")
    if set(plans.discs_of(connection, number)) & _OPEN:
        raise TryLater(f"a burn of segment {number} is not settled yet; start the librarian, then try again")
    return segment


def _draw_seed(connection: Connection, segment: plans.Planned) -> None:
    """Raises OdarchiveError: the secret of an image that is on discs is gone, so it cannot be made the same again."""
    if _is_on_disc(connection, segment.id) and seals.seed(connection, segment.id) is None:
        raise OdarchiveError(
            f"segment {segment.id} is encrypted and archived, so its sources give no copy of its disc; "
            'set [burn] staging to "file" and read the disc instead'
        )
    seals.draw_seed(connection, segment.id)


def _is_on_disc(connection: Connection, number: SegmentId) -> bool:
    return bool(set(plans.discs_of(connection, number)) & _PROVEN)


def made(
    catalogue: Catalogue,
    selection: Selection,
    wish: DiscWish,
    writer: ImageWriter,
    write: Callable[[DiscTree], Outcome],
) -> Made:
    """Write until every byte in the image is right; leaves out what is not.

    Raises:
        SourceMissing: nothing is left.
    """
    lost: dict[ContentId, str] = selection.unreadable()
    while not selection.is_empty(lost):
        tree = laid_out(selection, lost, wish, writer)
        try:
            outcome = write(tree)
        except SourceFailed as error:
            content, why = tree.content_of(error)
            lost[content] = why
            wish = replace(wish, lenient=True)  # the next pass finds all others that fail as well
            continue
        if not outcome.failed:
            return Made(selection, tree, outcome.digest, lost, outcome.chunks)
        lost |= outcome.failed
    number = selection.segment.id
    with catalogue.write() as connection:
        plans.leave_out(connection, number, lost)
        plans.drop_if_empty(connection, number)
    raise SourceMissing(f"nothing of segment {number} can be read any more; scan its sources again, then plan again")


def planned_size(selection: Selection, reserve: int) -> int:
    """Bytes of the image of a segment to be, with ``reserve`` bytes for the archive's catalogue; opens no file."""
    extra = SetCatalogue(reserve, tuple) if reserve else None
    return DiscTree(selection, (), DiscWish(extra), BridgeWriter()).prepared.size


def laid_out(selection: Selection, lost: Mapping[ContentId, str], wish: DiscWish, writer: ImageWriter) -> DiscTree:
    """The disc's tree in the size that was planned, unless something is left out.

    Without the archive's catalogue if that has outgrown the room planned for it.

    Raises:
        OdarchiveError: it is larger than the medium.
    """
    segment = selection.segment
    wish = replace(wish, least_size=0 if lost else segment.planned_bytes)
    tree = DiscTree(selection, lost, wish, writer)
    if tree.prepared.size > segment.planned_bytes and wish.extra is not None:
        tree = DiscTree(selection, lost, replace(wish, extra=None), writer)
    most = segment.capacity // BURN_UNIT * BURN_UNIT
    if segment.ecc_size is not None:
        most = segment.planned_bytes  # what is behind it belongs to error correction
    if tree.prepared.size > most:
        raise OdarchiveError(
            f"the image of segment {segment.id} would be {tree.prepared.size} bytes, its medium holds {most}: files "
            "got more or longer names since it was planned"
        )
    return tree


def record(connection: Connection, found: Made, *, copy: bool = False) -> None:
    """Take down size, digest and sectors; for a copy, see that they are those of the disc there is.

    Raises:
        OdarchiveError: a disc carries the segment, and this image has its files elsewhere.
        TryLater: the segment is not what it was when the image was begun.
    """
    number = found.selection.segment.id
    _require_plan_of(found.selection, _buildable(connection, number, copy=copy), connection)
    size = found.tree.prepared.size
    grids.put(connection, found.chunks)
    if not _is_on_disc(connection, number):
        plans.leave_out(connection, number, found.lost)
        plans.imaged(connection, number, size=size, digest=found.digest, sectors=found.tree.sectors())
        seals.store(connection, number, found.tree.stored())
    elif found.lost or plans.image_of(connection, number) != (size, _by_piece(found.tree)):
        raise OdarchiveError(
            f"the sources of segment {number} are no longer what its disc holds, so they give no copy of it; "
            'set [burn] staging to "file" and read the disc instead'
        )


def _require_plan_of(selection: Selection, segment: plans.Planned, connection: Connection) -> None:
    """See that the segment still is what was selected: while its image is built by command, it may be planned anew.

    By its time and also piece by piece, since a clock may have been set back.
    """
    pieces = zip_longest(selection.pieces.extents(), plans.extents(connection, segment.id))
    if segment.created_ns != selection.segment.created_ns or not all(starmap(eq, pieces)):
        raise TryLater(f"segment {segment.id} was planned anew while its image was built; build it again")


def _by_piece(tree: DiscTree) -> dict[tuple[ContentId, int], int]:
    return {(content, start): sector for content, start, sector in tree.sectors()}


@contextmanager
def set_catalogue(catalogue: Catalogue, selection: Selection, scratch: Path) -> Iterator[SetCatalogue]:
    """The archive's whole catalogue, compressed into a nameless file; the same catalogue gives the same bytes."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        mtime = selection.segment.created_ns // 10**9 & 0xFFFFFFFF
        with space(scratch), catalogue.read() as connection, gzip.GzipFile("", "wb", 6, file, mtime) as packed:
            for line in plans.whole_catalogue(connection):
                packed.write(line)
            let_go(connection)
        with space(scratch):
            file.flush()
        size = os.fstat(file.fileno()).st_size

        def pieces() -> Iterator[bytes]:
            for at in range(0, size, BLOCK):
                yield os.pread(file.fileno(), BLOCK, at)

        yield SetCatalogue(size, pieces)


@contextmanager
def space(staging: Path) -> Iterator[None]:
    """A full disk becomes one line.

    Raises:
        NoSpace: it is full.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise NoSpace(f"staging in {staging} is full; free some space or name another folder") from error
