"""Building the image of a segment: what the catalogue planned, read from the sources, checked, written, recorded.

Into a file that waits in staging, or straight to whoever takes the bytes; both give the same bytes. A file that is
gone, changed or reads differently than it was scanned is never written wrong: it is left out, taken off the segment
(the next plan places what is still there again) and reported. The staged image appears under its name only when it is
whole and durable; a crash at any instant leaves the segment planned and at most a temporary file that the next build
takes over.

Concurrency: one build per segment and staging folder; a second one gets Locked.
"""

import errno
import fcntl
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from odarchive.catalogue import plans
from odarchive.catalogue.database import Catalogue
from odarchive.digest import BLOCK
from odarchive.errors import BurnFailed, Locked, NoSpace, NotFound, OdarchiveError, SourceMissing, TryLater
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.identity import NO_DISC
from odarchive.image.writer import ImageWriter, Progress, SourceFailed
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
class BuiltImage:
    """An image in staging: ``size`` in bytes, ``digest`` is BLAKE3 before any stamp."""

    path: Path
    size: int
    digest: bytes
    left_out: tuple[LeftOut, ...]


def build_image(
    catalogue: Catalogue,
    segment_id: SegmentId,
    out_dir: Path,
    progress: Progress | None = None,
    *,
    writer: ImageWriter | None = None,
) -> BuiltImage:
    """Write ``out_dir/LABEL.iso`` and record its size, digest and sectors; the segment is then IMAGED.

    Building again is fine as long as no disc carries the segment.

    Raises:
        NotFound: there is no such segment.
        TryLater: a burn of it is not settled.
        SourceMissing: a source is not there (a drive that is not connected), or nothing of the segment can be read.
        NoSpace: the disk of ``out_dir`` is full; the temporary file is gone.
        Locked: another process builds the same image.
        OdarchiveError: the image would be larger than the medium, or a disc carries the segment already.
    """
    selection = _selected(catalogue, segment_id)
    label = selection.segment.label
    out_dir.mkdir(parents=True, exist_ok=True)
    path, final = out_dir / f".{label}.iso.tmp", out_dir / f"{label}.iso"
    with _space(out_dir), _temporary(path) as file, set_catalogue(catalogue, selection, out_dir) as extra:

        def write(tree: DiscTree) -> Outcome:
            file.seek(0)
            file.truncate(0)
            _check_space(selection.segment, tree.prepared.size, out_dir)
            written, failed = tree.write(file.fileno(), progress)
            return Outcome(written.digest, failed)

        made = _made(catalogue, selection, DiscWish(extra), writer or BridgeWriter(), write)
        os.fsync(file.fileno())
        with catalogue.write() as connection:
            _record(connection, made)
            path.replace(final)
            _sync_directory(out_dir)
    return BuiltImage(final, made.tree.prepared.size, made.digest, made.left_out)


@dataclass(frozen=True, slots=True)
class StreamedImage:
    """An image that exists only as it is written: ``size`` in bytes, ``digest`` is BLAKE3, identity included."""

    size: int
    digest: bytes
    left_out: tuple[LeftOut, ...]
    tree: DiscTree

    def write_to(self, descriptor: int) -> None:
        """Write exactly ``size`` bytes to a descriptor.

        Raises:
            BurnFailed: a source is not what it was a moment ago, so what was written is worth nothing.
            OSError: of writing.
        """
        try:
            written, failed = self.tree.write(descriptor)
        except SourceFailed as error:
            raise BurnFailed(f"a source failed while it was burned: {error}") from error
        if failed or written.digest != self.digest:
            raise BurnFailed("a source changed while it was burned; the disc is spoiled, the next try leaves it out")


@contextmanager
def stream_image(
    catalogue: Catalogue, segment_id: SegmentId, scratch: Path, *, disc: str = NO_DISC, label: str = ""
) -> Iterator[StreamedImage]:
    """An image to be written straight to a burner, with the identity of a burn attempt; no staging file is made.

    Everything is read and checked once before the first byte is given away: a disc is not spent on a file that cannot
    be read, and the attempt's digest is known before it begins. Recorded as `build_image` does, and it raises the
    same, but for what concerns space. ``scratch`` gets the compressed catalogue as a nameless file.
    """
    selection = _selected(catalogue, segment_id)
    scratch.mkdir(parents=True, exist_ok=True)
    with _space(scratch), set_catalogue(catalogue, selection, scratch) as extra:

        def write(tree: DiscTree) -> Outcome:
            written, failed = tree.write(_Nowhere())
            return Outcome(written.digest, failed)

        made = _made(catalogue, selection, DiscWish(extra, disc, label), BridgeWriter(), write)
        with catalogue.write() as connection:
            _record(connection, made)
        yield StreamedImage(made.tree.prepared.size, made.digest, made.left_out, made.tree)


def image_size(catalogue: Catalogue, segment_id: SegmentId, scratch: Path) -> int:
    """Bytes of the image if it were made now and every file could be read; opens no file.

    Raises:
        NotFound, TryLater, SourceMissing, OdarchiveError: as `build_image`.
    """
    selection = _selected(catalogue, segment_id)
    with set_catalogue(catalogue, selection, scratch) as extra:
        return laid_out(selection, {}, DiscWish(extra), BridgeWriter()).prepared.size


@dataclass(frozen=True, slots=True)
class Outcome:
    """What writing a tree brought: the image's digest, and the contents that were not what was recorded."""

    digest: bytes
    failed: Mapping[ContentId, str]


@dataclass(frozen=True, slots=True)
class _Made:
    selection: Selection
    tree: DiscTree
    digest: bytes
    lost: Mapping[ContentId, str]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return tuple(LeftOut(self.selection.path_of(c), why) for c, why in sorted(self.lost.items()))


class _Nowhere:
    """Takes bytes and forgets them."""

    def write(self, data: bytes | memoryview, /) -> int:
        return len(data)


def _selected(catalogue: Catalogue, segment_id: SegmentId) -> Selection:
    with catalogue.write() as connection:
        segment = _buildable(connection, segment_id)
        plans.forget_image(connection, segment_id)
        selection = select_segment(connection, segment)
    selection.require_sources()
    return selection


def _buildable(connection: Connection, number: SegmentId) -> plans.Planned:
    segment = plans.segment(connection, number)
    if segment is None:
        raise NotFound(f"there is no segment {number}; `odarchive info` lists them")
    states = set(plans.discs_of(connection, number))
    if states & _PROVEN:
        raise OdarchiveError(f"segment {number} is on a disc already, so its image is not built again; copy that disc")
    if states & _OPEN:
        raise TryLater(f"a burn of segment {number} is not settled yet; start the librarian, then try again")
    return segment


def _made(
    catalogue: Catalogue,
    selection: Selection,
    wish: DiscWish,
    writer: ImageWriter,
    write: Callable[[DiscTree], Outcome],
) -> _Made:
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
            return _Made(selection, tree, outcome.digest, lost)
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
    if tree.prepared.size > most:
        raise OdarchiveError(
            f"the image of segment {segment.id} would be {tree.prepared.size} bytes, its medium holds {most}: files "
            "got more or longer names since it was planned"
        )
    return tree


def _record(connection: Connection, made: _Made) -> None:
    number = made.selection.segment.id
    _buildable(connection, number)
    plans.leave_out(connection, number, made.lost)
    size = made.tree.prepared.size
    plans.imaged(connection, number, size=size, digest=made.digest, sectors=made.tree.sectors())


def _check_space(segment: plans.Planned, size: int, staging: Path) -> None:
    free = os.statvfs(staging)
    if size > free.f_bavail * free.f_frsize:
        raise NoSpace(
            f"staging in {staging} has {free.f_bavail * free.f_frsize} bytes free, the image of segment {segment.id} "
            f"needs {size}; free some space or name another folder"
        )


@contextmanager
def set_catalogue(catalogue: Catalogue, selection: Selection, scratch: Path) -> Iterator[SetCatalogue]:
    """The archive's whole catalogue, compressed into a nameless file; the same catalogue gives the same bytes."""
    with tempfile.TemporaryFile(dir=scratch) as file:
        mtime = selection.segment.created_ns // 10**9 & 0xFFFFFFFF
        with catalogue.read() as connection, gzip.GzipFile("", "wb", 6, file, mtime) as packed:
            for line in plans.whole_catalogue(connection):
                packed.write(line)
        file.flush()
        size = os.fstat(file.fileno()).st_size

        def pieces() -> Iterator[bytes]:
            for at in range(0, size, BLOCK):
                yield os.pread(file.fileno(), BLOCK, at)

        yield SetCatalogue(size, pieces)


@contextmanager
def _temporary(path: Path) -> Iterator[BinaryIO]:
    """A locked file under a temporary name; gone at the end unless it was renamed.

    Raises:
        Locked: another process has it.
    """
    with path.open("a+b") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = path.stat().st_ino == os.fstat(opened.fileno()).st_ino
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise Locked(f"another process is building {path.name}; wait for it")
        try:
            with path.open("r+b") as file:  # append mode ignores seeks when writing
                yield file
        finally:
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(opened.fileno()).st_ino:
                    path.unlink()


@contextmanager
def _space(staging: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpace(f"staging in {staging} is full; free some space or name another folder") from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
