"""A scan from beginning to end: claim the source, walk it, record it, make it count.

A scan that ends early (source gone, Ctrl-C, full disk, power) leaves a snapshot that does not count; the next scan of
the source goes on in it and reads no file again that did not change.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from odarchive.catalogue import sources
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.entries import Recorder
from odarchive.catalogue.forget import forgotten_paths
from odarchive.catalogue.hardlinks import LinkBook
from odarchive.catalogue.sources import Seen, Source, printable
from odarchive.collector import seldom_collected
from odarchive.errors import OdarchiveError, SourceMissing
from odarchive.model import SnapshotId
from odarchive.reading.tree import Tree
from odarchive.scan.lock import scanning
from odarchive.scan.report import Options, ScanProgress, ScanResult
from odarchive.scan.walk import Walk


def scan(
    catalogue: Catalogue,
    path: Path | bytes,
    name: bytes | None = None,
    progress: Callable[[ScanProgress], None] | None = None,
    options: Options | None = None,
) -> ScanResult:
    """Record what a source holds now.

    Args:
        catalogue: where to record it.
        path: the source: a directory; a symlink to one is followed, here only.
        name: its directory at the mount's root; None: the one it has, or the last component of ``path``.
        progress: called now and then; what it raises ends the scan.
        options: how to scan.

    Raises:
        SourceMissing: no such directory, or it went away during the scan.
        Locked: another scan of the source is running, or the catalogue is busy.
        NoSpace: the disk of the catalogue is full.
        OdarchiveError: the name belongs to another path or cannot be one.
    """
    options = options or Options()
    given = os.path.abspath(os.fsencode(path))
    with ExitStack() as stack:
        stack.enter_context(seldom_collected())
        tree = stack.enter_context(_opened(given))
        _refuse_own_folder(catalogue, tree)
        with catalogue.write() as connection:
            default = os.path.basename(given) or b"root"
            source = sources.claim(connection, tree.path, name, default, options.clock())
        stack.enter_context(scanning(catalogue.path, source.id, printable(source.path)))
        with catalogue.write() as connection:
            snapshot = sources.begin(connection, source.id, options.clock())
        return _record(catalogue, source, snapshot, tree, _Run(progress, options))


class _Run:
    """What the caller asked for, passed on."""

    def __init__(self, progress: Callable[[ScanProgress], None] | None, options: Options) -> None:
        self.progress = progress
        self.options = options


@contextmanager
def _opened(given: bytes) -> Iterator[Tree]:
    try:
        tree = Tree(os.path.realpath(given))
    except OSError as error:
        raise SourceMissing(
            f"{printable(given)} cannot be scanned: {error.strerror}; give a directory that exists and can be read"
        ) from error
    with tree:
        yield tree


def _refuse_own_folder(catalogue: Catalogue, tree: Tree) -> None:
    own = catalogue.path.parent.stat()
    if (own.st_dev, own.st_ino) == (tree.root.st_dev, tree.root.st_ino):
        raise OdarchiveError(f"{printable(tree.path)} is the archive itself; scan another directory")


def _record(catalogue: Catalogue, source: Source, snapshot: SnapshotId, tree: Tree, run: _Run) -> ScanResult:
    options = run.options
    with catalogue.read() as connection:
        hidden = forgotten_paths(connection, source.id) | options.forgotten
        expected = sources.last_files(connection, source.id)
        parent, others = sources.surroundings(connection, source)
    avoid = (os.fsencode(catalogue.path.parent), *options.avoid)
    options = replace(options, forgotten=hidden, expected_files=expected, avoid=avoid)
    with catalogue.look() as look, LinkBook() as links:
        recorder = Recorder(catalogue, look, snapshot, options.batch)
        walk = Walk(tree, recorder, links, (options, others), run.progress)
        try:
            walk.run(parent, source.name.rsplit(b"/", 1)[-1])
            recorder.flush()
            with catalogue.write() as connection:
                sources.finish(connection, snapshot, Seen(walk.files, walk.bytes), options.clock())
        except BaseException:
            recorder.break_off()
            raise
    return ScanResult(
        snapshot=snapshot,
        name=source.name,
        files=walk.files,
        bytes=walk.bytes,
        new_files=walk.new_files,
        new_bytes=recorder.new_bytes,
        hashed_bytes=walk.hashed_bytes,
        problem_count=walk.problem_count,
        problems=tuple(walk.problems),
    )
