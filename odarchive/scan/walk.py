"""Walks a source and says what every name becomes in the catalogue.

Directories are taken in depth-first order, each compared with its rows in name order, so memory grows with the depth
and with one directory's names, not with the tree. What cannot be read stays as the last scan left it and is reported:
an unreadable directory is no deleted one.

Order matters for broken scans: a pending directory's children are dropped before the directory, so that every pending
row can be reached by the next scan.
"""

import errno
import os
import time
from collections.abc import Callable
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

from odarchive.catalogue.entries import Recorder, Version
from odarchive.catalogue.hardlinks import LinkBook
from odarchive.catalogue.sources import printable
from odarchive.errors import SourceMissing
from odarchive.model import ROOT_INO
from odarchive.scan.compare import Rows, as_it_was, facts, paired
from odarchive.scan.leaves import Leaves
from odarchive.scan.report import PROBLEMS_KEPT, Options, Problem, ScanProgress
from odarchive.scan.settle import Settler
from odarchive.scan.tree import Tree, Unreadable, look, names

PROGRESS_SECONDS = 0.2
_SPECIAL = "neither file, directory nor symlink (socket, FIFO or device); it is not archived"

_KEPT = "what the last scan recorded of it stays"
_NEW = (0, None, 0, 0, None, None, None)
"""since to xattrs of a version that is still to be decided."""


class _Folder(NamedTuple):
    """A directory to read: where it is, its ino in the catalogue, whether the catalogue may know children of it."""

    path: bytes
    ino: int
    known: bool


class Walk:
    """One walk over one source. Counters are right once ``run`` has returned."""

    def __init__(
        self,
        tree: Tree,
        recorder: Recorder,
        links: LinkBook,
        avoid: tuple[bytes, ...],
        options: Options,
        progress: Callable[[ScanProgress], None] | None,
    ) -> None:
        self.files = self.bytes = self.directories = self.new_files = self.hashed_bytes = self.problem_count = 0
        self.problems: list[Problem] = []
        self._tree = tree
        self._recorder = recorder
        self._links = links
        self._options = options
        self._progress = progress
        self._told = time.monotonic()
        self._here = b""
        self._waiting: list[_Folder] = []
        self._avoid = {key for path in avoid if (key := _identity(path)) is not None}
        self._settler = Settler(recorder, links)
        self._leaves = Leaves(recorder, links, options.clock, self._hashed)

    def run(self, name: bytes) -> None:
        """Walk the whole source, whose directory at the mount's root is ``name``.

        Raises:
            SourceMissing: the source went away.
        """
        rows = self._recorder.versions(ROOT_INO, name)
        self._refuse_unmounted(rows[0])
        self._folder(ROOT_INO, b"", Version._make((name, *_NEW, *facts(self._tree.root, 0))), rows)
        while self._waiting:
            self._directory(self._waiting.pop())
        self._recorder.flush()
        self._settler.count_links()
        self._require_source()

    # Directories.

    def _directory(self, folder: _Folder) -> None:
        self._here = folder.path
        self._tell()
        try:
            fd = self._tree.enter(folder.path)
            if self._avoided(folder, os.fstat(fd)):
                return
            present = names(fd)
        except OSError as error:
            self._unreadable_folder(folder, error)
            return
        first = len(self._waiting)
        recorded = self._recorder.children(folder.ino) if folder.known else iter(())
        if self._options.forgotten:
            present = [name for name in present if _join(folder.path, name) not in self._options.forgotten]
        for name, there, rows in paired(present, recorded, self._recorder.snapshot):
            if there:
                self._name(folder, fd, name, rows)
            else:
                self._settler.gone(folder.ino, *rows)
        self._waiting[first:] = reversed(self._waiting[first:])

    def _avoided(self, folder: _Folder, stat: os.stat_result) -> bool:
        """Whether the directory is not to be read; what the catalogue had below it is gone then."""
        if (stat.st_dev, stat.st_ino) in self._avoid:
            self._problem(folder.path, "belongs to the archive itself; its contents are not archived")
        elif not self._options.one_file_system or stat.st_dev == self._tree.root.st_dev:
            return False
        if folder.known:
            self._settler.close_below(folder.ino)
        return True

    def _unreadable_folder(self, folder: _Folder, error: OSError) -> None:
        self._require_source()
        if error.errno == errno.ENOENT:  # deleted since its parent was read
            if folder.known:
                self._settler.close_below(folder.ino)
            return
        self._problem(folder.path, f"directory cannot be read: {error.strerror}; {_KEPT}")
        if folder.known:
            self._kept(self._settler.revert_below(folder.ino))

    def _require_source(self) -> None:
        if not self._tree.present():
            raise SourceMissing(
                f"{printable(self._tree.path)} went away during the scan; nothing was recorded as deleted; "
                "bring it back and scan again, the scan goes on where it was"
            )

    def _refuse_unmounted(self, base: Version | None) -> None:
        """A drive that is not mounted leaves an empty directory on another device."""
        if base is None or self._options.allow_empty or base.src_dev == self._tree.root.st_dev:
            return
        if not names(self._tree.enter(b"")) and next(self._recorder.children(base.ino), None) is not None:
            raise SourceMissing(
                f"{printable(self._tree.path)} is empty now, on another device than at the last scan; mount the drive, "
                "or scan with --allow-empty if everything was really deleted"
            )

    # Names.

    def _name(self, folder: _Folder, fd: int, name: bytes, rows: Rows) -> None:
        try:
            stat = look(fd, name)
        except FileNotFoundError:
            self._settler.gone(folder.ino, *rows)
            return
        except OSError as error:
            self._keep(folder, name, f"cannot be looked at: {error.strerror}", rows)
            return
        mode = stat.st_mode
        if S_ISREG(mode) or S_ISLNK(mode):
            said = facts(stat, stat.st_size)
            if as_it_was(rows, said, stat.st_nlink):
                if S_ISREG(mode):
                    self.files += 1
                    self.bytes += stat.st_size
                return
            self._leaf(folder, fd, Version._make((name, *_NEW, *said)), stat, rows)
        elif S_ISDIR(mode):
            now = Version._make((name, *_NEW, *facts(stat, 0)))
            self._folder(folder.ino, _join(folder.path, name), now, rows)
        else:
            self._problem(_join(folder.path, name), _SPECIAL)
            self._settler.gone(folder.ino, *rows)

    def _folder(self, parent: int, path: bytes, now: Version, rows: Rows) -> None:
        known = next((row for row in rows if row is not None and S_ISDIR(row.mode)), None)
        ino = known.ino if known is not None else self._recorder.new_ino()
        self.directories += 1
        version = now._replace(since=self._recorder.snapshot, ino=ino, nlink=2)
        self._settler.settle(parent, rows, version, None)
        self._waiting.append(_Folder(path, ino, known is not None))

    def _leaf(self, folder: _Folder, fd: int, now: Version, stat: os.stat_result, rows: Rows) -> None:
        """A file or symlink that is new, changed, or one of several names."""
        try:
            version, digest = self._leaves.version(folder.ino, fd, now, stat, rows)
        except FileNotFoundError:
            self._settler.gone(folder.ino, *rows)
        except Unreadable as error:
            self._keep(folder, now.name, str(error), rows)
        except OSError as error:
            self._keep(folder, now.name, f"cannot be read: {error.strerror}", rows)
        else:
            self._settler.settle(folder.ino, rows, version, digest)
            if S_ISREG(version.mode):
                self.files += 1
                self.bytes += version.size
                self.new_files += rows[0] is None or rows[0].ino != version.ino

    def _keep(self, folder: _Folder, name: bytes, reason: str, rows: Rows) -> None:
        """The name is there but cannot be archived now: it stays as the last complete scan left it."""
        self._problem(_join(folder.path, name), reason if rows[0] is None else f"{reason}; {_KEPT}")
        self._kept(self._settler.keep(folder.ino, *rows))

    def _kept(self, counts: tuple[int, int]) -> None:
        self.files += counts[0]
        self.bytes += counts[1]

    # Telling.

    def _problem(self, path: bytes, reason: str) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(path, reason))
        self._recorder.problem(path, reason)

    def _hashed(self, count: int) -> None:
        self.hashed_bytes += count
        self._tell()

    def _tell(self) -> None:
        if self._progress is None or time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        self._progress(ScanProgress(self._here, self.files, self.bytes, self.directories, self.hashed_bytes))


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
