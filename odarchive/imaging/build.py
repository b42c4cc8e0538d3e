"""Building the image of a segment: what the catalogue planned, read from the sources, checked, written, recorded.

A file that is gone, changed or reads differently than it was scanned is never written wrong: it is left out, taken off
the segment (the next plan places what is still there again) and reported. The image appears under its name only when it
is whole and durable; a crash at any instant leaves the segment planned and at most a temporary file that the next build
takes over.

Concurrency: one build per segment and staging folder; a second one gets Locked.
"""

import errno
import fcntl
import gzip
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from odarchive.catalogue import plans
from odarchive.catalogue.database import Catalogue
from odarchive.digest import BLOCK, stream_digest
from odarchive.errors import Locked, NoSpace, NotFound, OdarchiveError, SourceMissing, TryLater
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.pycdlib_writer import PycdlibWriter
from odarchive.image.stamp import stamp
from odarchive.image.writer import ImageWriter, Progress
from odarchive.imaging.disctree import DiscTree, SetCatalogue
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
    with catalogue.write() as connection:
        segment = _buildable(connection, segment_id)
        plans.forget_image(connection, segment_id)
        selection = select_segment(connection, segment)
    selection.require_sources()
    out_dir.mkdir(parents=True, exist_ok=True)
    final = out_dir / f"{segment.label}.iso"
    lost: dict[ContentId, str] = selection.unreadable()
    path = out_dir / f".{segment.label}.iso.tmp"
    with _space(out_dir), _temporary(path) as file:
        tree = _written(catalogue, selection, lost, (writer or PycdlibWriter(), file, path, progress))
        if tree is None:
            with catalogue.write() as connection:
                plans.leave_out(connection, segment_id, lost)
                plans.drop_if_empty(connection, segment_id)
            raise SourceMissing(
                f"nothing of segment {segment_id} can be read any more; scan its sources again, then plan again"
            )
        archive = selection.facts["uuid"]
        stamp(path, DiscIdentity(archive, NO_DISC, segment.label, tree.prepared.size))
        file.seek(0)
        digest, size = stream_digest(file, tree.prepared.size)
        with catalogue.write() as connection:
            _buildable(connection, segment_id)
            plans.leave_out(connection, segment_id, lost)
            plans.imaged(connection, segment_id, size=size, digest=digest, sectors=tree.sectors())
            path.replace(final)
            _sync_directory(out_dir)
    return BuiltImage(final, size, digest, tuple(LeftOut(selection.path_of(c), why) for c, why in sorted(lost.items())))


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


def _written(
    catalogue: Catalogue,
    selection: Selection,
    lost: dict[ContentId, str],
    means: tuple[ImageWriter, BinaryIO, Path, Progress | None],
) -> DiscTree | None:
    """Write until every byte in the image is right; ``lost`` grows by what was not. None: nothing is left."""
    writer, file, temporary, progress = means
    while not selection.is_empty(lost):
        with _set_catalogue(catalogue, selection, temporary.with_suffix(".gz")) as extra:
            tree = DiscTree(selection, lost, extra, writer)
            if tree.prepared.size > selection.segment.planned_bytes:
                tree = DiscTree(selection, lost, None, writer)
            file.seek(0)
            file.truncate(0)
            _check_size(selection.segment, tree.prepared.size, temporary.parent)
            tree.prepared.write(file, progress)
        if not tree.failed:
            return tree
        lost |= tree.failed
    return None


def _check_size(segment: plans.Planned, size: int, staging: Path) -> None:
    most = segment.capacity // BURN_UNIT * BURN_UNIT
    if size > most:
        raise OdarchiveError(
            f"the image of segment {segment.id} would be {size} bytes, its medium holds {most}: files got more or "
            "longer names since it was planned"
        )
    free = os.statvfs(staging)
    if size > free.f_bavail * free.f_frsize:
        raise NoSpace(
            f"staging in {staging} has {free.f_bavail * free.f_frsize} bytes free, the image of segment {segment.id} "
            f"needs {size}; free some space or name another folder"
        )


@contextmanager
def _set_catalogue(catalogue: Catalogue, selection: Selection, path: Path) -> Iterator[SetCatalogue]:
    """The archive's whole catalogue as a compressed file; the same catalogue gives the same bytes."""
    try:
        with catalogue.read() as connection, path.open("wb") as raw:
            mtime = selection.segment.created_ns // 10**9 & 0xFFFFFFFF
            with gzip.GzipFile("", "wb", 6, raw, mtime) as packed:
                for line in plans.whole_catalogue(connection):
                    packed.write(line)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        yield SetCatalogue(path, path.stat().st_size, digest.hexdigest())
    finally:
        path.unlink(missing_ok=True)


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
