"""Walks a source and says what every name becomes in the catalogue.

Directories are taken in depth-first order, each compared with its rows in name order, so memory grows with the depth
and with one directory's names, not with the tree. What cannot be read stays as the last scan left it and is reported:
an unreadable directory is no deleted one. Directories that are new to the catalogue may be read by other processes
(``fresh``), side by side with the walk.

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
from odarchive.reading import mounts, sheet
from odarchive.reading.pool import Pool
from odarchive.reading.tree import Tree, Unreadable, look, names
from odarchive.reading.worker import listed
from odarchive.scan.again import Again, Found
from odarchive.scan.compare import Rows, as_it_was, facts, paired
from odarchive.scan.fresh import NOTHING, Fresh, Place
from odarchive.scan.leaves import Leaves
from odarchive.scan.report import PROBLEMS_KEPT, Options, Problem, ScanProgress
from odarchive.scan.settle import Settler

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
    device: int
    number: int
    """st_dev and st_ino when it was found."""


class Walk:
    """One walk over one source. Counters are right once ``run`` has returned."""

    def __init__(
        self,
        tree: Tree,
        recorder: Recorder,
        links: LinkBook,
        manner: tuple[Options, frozenset[tuple[int, bytes]]],
        progress: Callable[[ScanProgress], None] | None,
    ) -> None:
        """``manner``: the options, and (directory, name) of other sources that lie inside this one."""
        options, self._others = manner
        self.files = self.bytes = self.directories = self.new_files = self.hashed_bytes = self.problem_count = 0
        self.problems: list[Problem] = []
        self._tree = tree
        self._recorder = recorder
        self._links = links
        self._options = options
        self._leaves_out = options.rules.leave_out if options.rules else None
        self._again = Again(recorder, options, self._others)
        self._progress = progress
        self._told = time.monotonic()
        self._here = b""
        self._waiting: list[_Folder] = []
        self._avoid = {key for path in options.avoid if (key := _identity(path)) is not None}
        self._avoid_devices = {device: why for device, why in mounts.avoided().items() if device != tree.root.st_dev}
        self._fresh: Fresh | None = None
        self._flying = 0
        self._settler = Settler(recorder, links)
        self._leaves = Leaves(recorder, links, options, self._hashed)

    def run(self, parent: int, name: bytes) -> None:
        """Walk the whole source, whose directory is ``name`` in the directory ``parent`` of the catalogue.

        Raises:
            SourceMissing: the source went away.
        """
        rows = self._recorder.versions(parent, name)
        self._refuse_unmounted(rows[0])
        self._folder(parent, b"", Version._make((name, *_NEW, *facts(self._tree.root, 0))), rows)
        with Pool(self._tree, self._options.rules, self._options.workers, self._read_elsewhere) as pool:
            self._fresh = Fresh(pool, self._recorder, self, self._options.clock) if self._options.workers else None
            self._everything()
        self._recorder.flush()
        self._settler.count_links()
        self._require_source()

    # Directories.

    def _everything(self) -> None:
        fresh = self._fresh
        while self._waiting or (fresh is not None and fresh.busy):
            if self._waiting and (fresh is None or self._waiting[-1].known):
                self._directory(self._waiting.pop())
            elif fresh is not None and self._waiting and fresh.room:
                folder = self._waiting.pop()
                self._here = folder.path
                if not self._avoided(folder, folder.device, None):
                    fresh.ask(folder)
            elif fresh is not None:
                first = len(self._waiting)
                fresh.take()
                # Numbers ascend in the order of finding; to record in that order fills the database's pages.
                self._waiting[first:] = reversed(self._waiting[first:])
                self._tell()

    def _directory(self, folder: _Folder) -> None:
        self._here = folder.path
        self._tell()
        try:
            fd = self._tree.enter(folder.path)
            status = os.fstat(fd)
            if self._avoided(folder, status.st_dev, (status.st_dev, status.st_ino)):
                return
            found = self._again.look(fd, folder.ino, folder.path) if folder.known else None
            present = listed(self._tree, folder.path, self._options.rules) if found is None else []
        except OSError as error:
            self._unreadable_folder(folder, error)
            return
        first = len(self._waiting)
        if found is None:
            self._by_name(folder, fd, present)
        else:
            self._as_a_whole(folder, fd, found)
        # Found in the order of names, and taken in it from the end.
        self._waiting[first:] = reversed(self._waiting[first:])

    def _as_a_whole(self, folder: _Folder, fd: int, found: Found) -> None:
        self.files += found.files
        self.bytes += found.size
        self.directories += len(found.folders)
        for name, ino, device, number in found.folders:
            self._waiting.append(_Folder(_join(folder.path, name), ino, True, device, number))
        for name, rows in found.rest:
            self._name(folder, fd, name, self._recorder.pair(rows))

    def _by_name(self, folder: _Folder, fd: int, present: list[bytes]) -> None:
        recorded = self._recorder.children(folder.ino) if folder.known else iter(())
        if self._options.forgotten:
            present = [name for name in present if _join(folder.path, name) not in self._options.forgotten]
        for name, there, rows in paired(present, recorded, self._recorder.snapshot):
            if self._others and (folder.ino, name) in self._others:
                if there:
                    self._problem(_join(folder.path, name), "is hidden by another source of that name")
            elif there:
                self._name(folder, fd, name, rows)
            else:
                self._settler.gone(folder.ino, *rows)

    def _avoided(self, folder: _Folder, device: int, identity: tuple[int, int] | None) -> bool:
        """Whether the directory is not to be read; what the catalogue had below it is gone then."""
        if (identity or (device, folder.number)) in self._avoid:
            self._problem(folder.path, "belongs to the archive itself; its contents are not archived", expected=True)
        elif device in self._avoid_devices:
            self._problem(folder.path, self._avoid_devices[device], expected=True)
        elif not self._options.one_file_system or device == self._tree.root.st_dev:
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
        if self._leaves_out is not None and self._leaves_out(folder.path, name, stat):
            self._settler.gone(folder.ino, *rows)
        elif S_ISREG(mode) or S_ISLNK(mode):
            said = facts(stat, stat.st_size)
            if not self._options.check and as_it_was(rows, said, stat.st_nlink):
                if S_ISREG(mode):
                    self.files += 1
                    self.bytes += stat.st_size
                return
            self._leaf(folder, fd, Version._make((name, *_NEW, *said)), stat, rows)
        elif S_ISDIR(mode):
            now = Version._make((name, *_NEW, *facts(stat, 0)))
            self._folder(folder.ino, _join(folder.path, name), self._with_xattrs(fd, now, rows), rows)
        else:
            self._problem(_join(folder.path, name), _SPECIAL)
            self._settler.gone(folder.ino, *rows)

    def _folder(self, parent: int, path: bytes, now: Version, rows: Rows) -> None:
        known = next((row for row in rows if row is not None and S_ISDIR(row.mode)), None)
        ino = known.ino if known is not None else self._recorder.new_ino()
        self.directories += 1
        version = now._replace(since=self._recorder.snapshot, ino=ino, nlink=2)
        self._settler.settle(parent, rows, version, None)
        self._waiting.append(_Folder(path, ino, known is not None, now.src_dev, now.src_ino))

    def _with_xattrs(self, fd: int, now: Version, rows: Rows) -> Version:
        """A directory with its attributes; those recorded hold while its ctime stands."""
        row = rows[1] or rows[0]
        if row is not None and S_ISDIR(row.mode) and (row.ctime_ns, row.src_ino) == (now.ctime_ns, now.src_ino):
            return now._replace(xattrs=row.xattrs)
        try:
            return now._replace(xattrs=self._leaves.xattrs(b"/proc/self/fd/%d/" % fd + now.name))
        except OSError:
            return now  # it cannot be read, which is told when its turn comes

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

    # What other processes have read (``fresh.Receiver``).

    def directory(self, place: Place, name: bytes, now: Version) -> None:
        """A new directory in a new directory."""
        self._folder(place.ino, _join(place.path, name), now, NOTHING)

    def linked(self, place: Place, name: bytes) -> None:
        """A name that has to go the long way."""
        try:
            fd = self._tree.enter(place.path)
        except OSError as error:
            self.failed(place, name, f"cannot be reached: {error.strerror}")
            return
        self._name(_Folder(place.path, place.ino, False, 0, 0), fd, name, NOTHING)

    def added(self, files: sheet.Sheet) -> None:
        """New files of the usual kind."""
        size, count = sheet.total(files), sheet.count(files)
        self.files += count
        self.new_files += count
        self.bytes += size
        self.hashed_bytes += size
        self._flying = max(0, self._flying - size)

    def recorded(self, version: Version, *, read: bool) -> None:
        """A new file or symlink."""
        if version.target is None:
            self.files += 1
            self.bytes += version.size
            self.new_files += 1
        if read:
            self.hashed_bytes += version.size
            self._flying = max(0, self._flying - version.size)

    def failed(self, place: Place, name: bytes, reason: str) -> None:
        """A new name that cannot be archived."""
        self._problem(_join(place.path, name), reason)

    def unreadable(self, place: Place, error: OSError) -> None:
        """A new directory that cannot be read."""
        self._unreadable_folder(_Folder(place.path, place.ino, False, 0, 0), error)

    def _read_elsewhere(self, count: int) -> None:
        self._flying += count
        self._tell()

    # Telling.

    def _problem(self, path: bytes, reason: str, *, expected: bool = False) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(path, reason, expected))
        self._recorder.problem(path, reason)

    def _hashed(self, count: int) -> None:
        self.hashed_bytes += count
        self._tell()

    def _tell(self) -> None:
        if self._progress is None or time.monotonic() - self._told < PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        read = self.hashed_bytes + self._flying
        self._progress(
            ScanProgress(self._here, self.files, self.bytes, self.directories, read, self._options.expected_files)
        )


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
