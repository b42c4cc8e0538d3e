"""Building the image of a segment into a file that waits in staging.

It appears under its name only when it is whole and durable; a crash at any instant leaves the segment planned and at
most a temporary file that the next build takes over.

Concurrency: one build per segment and staging folder; a second one gets Locked.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from odarchive.catalogue import plans
from odarchive.catalogue.database import Catalogue
from odarchive.errors import Locked, NoSpace
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.writer import ImageWriter, Progress
from odarchive.imaging.disctree import DiscTree, DiscWish
from odarchive.imaging.making import LeftOut, Outcome, made, record, selected, set_catalogue, space
from odarchive.model import SegmentId


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
        TryLater: a burn of it is not settled, or it was planned anew meanwhile.
        SourceMissing: a source is not there (a drive that is not connected), or nothing of the segment can be read.
        NoSpace: the disk of ``out_dir`` is full; the temporary file is gone.
        Locked: another process builds the same image.
        OdarchiveError: the image would be larger than the medium, or a disc carries the segment already.
    """
    selection = selected(catalogue, segment_id)
    label = selection.segment.label
    out_dir.mkdir(parents=True, exist_ok=True)
    path, final = out_dir / f".{label}.iso.tmp", out_dir / f"{label}.iso"
    with space(out_dir), _temporary(path) as file, set_catalogue(catalogue, selection, out_dir) as extra:

        def write(tree: DiscTree) -> Outcome:
            file.seek(0)
            file.truncate(0)
            _check_space(selection.segment, tree.prepared.size, out_dir)
            written, failed = tree.write(file.fileno(), progress)
            return Outcome(written.digest, failed, tree.chunks(written))

        found = made(catalogue, selection, DiscWish(extra), writer or BridgeWriter(), write)
        os.fsync(file.fileno())
        with catalogue.write() as connection:
            record(connection, found)
            path.replace(final)
            _sync_directory(out_dir)
    return BuiltImage(final, found.tree.prepared.size, found.digest, found.left_out)


def _check_space(segment: plans.Planned, size: int, staging: Path) -> None:
    free = os.statvfs(staging)
    if size > free.f_bavail * free.f_frsize:
        raise NoSpace(
            f"staging in {staging} has {free.f_bavail * free.f_frsize} bytes free, the image of segment {segment.id} "
            f"needs {size}; free some space or name another folder"
        )


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


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
