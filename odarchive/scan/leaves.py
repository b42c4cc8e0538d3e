"""What a file or symlink becomes: reads its bytes if need be, joins hard links, gives it its inode number.

Rules: a new content gets a new inode number, changed attributes keep it; names of one inode in the source have one
number here and agree in everything; an inode whose names were parted gives its number to one of them.
"""

import os
from collections.abc import Callable
from stat import S_ISLNK

from odarchive.catalogue.entries import Recorder, Version
from odarchive.catalogue.hardlinks import LinkBook
from odarchive.reading.attributes import xattrs_of
from odarchive.reading.plain import too_fresh
from odarchive.reading.tree import Unreadable, digest_of
from odarchive.scan.compare import Rows, facts, same_bytes, unchanged
from odarchive.scan.report import Options


class Leaves:
    """Of one scan; ``progress`` is told the bytes read."""

    def __init__(self, recorder: Recorder, links: LinkBook, options: Options, progress: Callable[[int], None]) -> None:
        self._recorder = recorder
        self._links = links
        self._options = options
        self._progress = progress

    def version(
        self, parent: int, folder: int, now: Version, stat: os.stat_result, rows: Rows
    ) -> tuple[Version, bytes | None]:
        """The version a name gets, and the digest of its content if it was read.

        Args:
            parent: ino of its directory in the catalogue.
            folder: open descriptor of its directory.
            now: its name and what ``stat`` says.
            stat: what the name is.
            rows: what the catalogue has of the name.

        Raises:
            FileNotFoundError: it is gone.
            OSError, Unreadable: it cannot be read.
        """
        if stat.st_nlink == 1 and not any(row is not None and row.nlink > 1 for row in rows):
            return self._single(folder, now, stat, rows)
        version, digest = self._group(folder, now, stat, rows)
        base = rows[0]
        # Not the file's own count: names outside the source do not count. ``Settler.count_links`` corrects the rest.
        nlink = base.nlink if base is not None and base.ino == version.ino else stat.st_nlink
        version = version._replace(nlink=nlink)
        self._links.member(parent, version)
        return version, digest

    def _group(self, folder: int, now: Version, stat: os.stat_result, rows: Rows) -> tuple[Version, bytes | None]:
        """The first name met of an inode speaks for all of them."""
        found = self._links.find(now)
        if found is not None:
            return found
        key = (now.src_dev, now.src_ino)
        pending = rows[1]
        # A pending row of a group cut short by a broken scan may share its number with names that are apart now.
        version, digest = self._single(folder, now, stat, rows, may_keep=pending is None or pending.nlink == 1)
        if not self._links.add(key, version, digest):
            version = version._replace(ino=self._recorder.new_ino())
            self._links.add(key, version, digest)
        return version, digest

    def _single(
        self, folder: int, now: Version, stat: os.stat_result, rows: Rows, *, may_keep: bool = True
    ) -> tuple[Version, bytes | None]:
        """``may_keep``: whether the number of the pending row may be used."""
        base, pending = rows
        digest = None
        known = next((row for row in (pending, base) if row is not None and unchanged(row, now[8:])), None)
        if known is not None and self._options.check and known.content is not None:
            self._check(folder, known, stat)
        if known is not None:
            now = now._replace(content=known.content, target=known.target, xattrs=known.xattrs)
        elif S_ISLNK(now.mode):
            target = os.readlink(now.name, dir_fd=folder)
            now = now._replace(size=len(target), target=target)
        elif stat.st_size > 0:
            now, digest = self._read(folder, now, stat)
            if base is not None or pending is not None:
                now = now._replace(content=self._recorder.content_id(digest))
        else:
            now = now._replace(xattrs=self.xattrs(b"/proc/self/fd/%d/" % folder + now.name))
        fresh = digest is not None and now.content is None
        now = now._replace(since=self._recorder.snapshot, nlink=1)
        usable = (base, pending if may_keep else None)
        ino = next((row.ino for row in usable if row is not None and same_bytes(row, now, fresh=fresh)), 0)
        return now._replace(ino=ino or self._recorder.new_ino()), digest

    def _read(self, folder: int, now: Version, stat: os.stat_result) -> tuple[Version, bytes]:
        """What the bytes make of a version, and their digest."""
        read_ns = self._options.clock()
        found = digest_of(folder, now.name, stat, self._progress)
        now = Version._make((*now[:8], *facts(found.stat, found.stat.st_size)))
        if too_fresh(now.mtime_ns, now.ctime_ns, read_ns):
            now = now._replace(src_ino=0)
        if found.holes is not None:
            self._recorder.keep_holes(found.digest, found.holes)
        return now._replace(xattrs=self._kept(found.xattrs)), found.digest

    def _check(self, folder: int, known: Version, stat: os.stat_result) -> None:
        """See that a file that should not have changed has not.

        Raises:
            Unreadable: its bytes are others.
        """
        found = digest_of(folder, known.name, stat, self._progress)
        if unchanged(known, facts(found.stat, found.stat.st_size)) and (
            self._recorder.content_id(found.digest) != known.content
        ):
            raise Unreadable(
                "reads differently than recorded although its times did not change: it or its drive may be damaged"
            )

    def xattrs(self, place: int | bytes) -> bytes | None:
        """The key of what an open file, or a path, has of extended attributes."""
        return self._kept(xattrs_of(place))

    def _kept(self, data: bytes | None) -> bytes | None:
        return None if data is None else self._recorder.keep_xattrs(data)
