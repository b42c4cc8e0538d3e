"""Brings the rows of a name, or of everything below a directory, to what was found, with as few changes as can be.

The open version (``base``) belongs to the last complete snapshot, the pending one to the running snapshot, perhaps to
a broken attempt at it: both are looked at, so that going on after a break gives what an unbroken scan gives.

Pending rows below a directory are dropped before the directory's own pending row, whatever interrupts: else a later
scan could not find them.
"""

from collections.abc import Iterator
from stat import S_ISDIR, S_ISREG

from odarchive.catalogue.entries import Recorder, Version
from odarchive.catalogue.hardlinks import LinkBook
from odarchive.scan.compare import Rows

_NOTHING = (0, 0)


class Settler:
    """Of one scan."""

    def __init__(self, recorder: Recorder, links: LinkBook) -> None:
        self._recorder = recorder
        self._links = links

    def settle(self, parent: int, rows: Rows, version: Version, digest: bytes | None) -> None:
        """``version`` is the name's present one; ``digest`` is of bytes that were read for it."""
        base, pending = rows
        fresh = digest is not None and version.content is None
        for row in rows:
            if row is not None and S_ISDIR(row.mode) and row.ino != version.ino:
                self.close_below(row.ino)
        if base is not None and not fresh and base.state == version.state:
            self._restore(parent, base, pending)
            if base.hints != version.hints:
                self._recorder.refresh(parent, Version._make((*base[:13], *version.hints)))
            return
        if base is not None and base.until is None:
            self._recorder.close(parent, base)
        if fresh or pending is None or pending[3:] != version[3:]:
            named = any(row is not None and row.ino == version.ino for row in rows)
            self._recorder.put(parent, version, digest if fresh else None, named=named)

    def gone(self, parent: int, base: Version | None, pending: Version | None) -> None:
        """The name is no longer there, nor anything below it."""
        for row in (base, pending):
            if row is not None and S_ISDIR(row.mode):
                self.close_below(row.ino)
        if base is not None and base.until is None:
            self._recorder.close(parent, base)
        if pending is not None:
            self._recorder.drop(parent, pending)

    def keep(self, parent: int, base: Version | None, pending: Version | None) -> tuple[int, int]:
        """The name and all below it stay as in the last complete snapshot; returns their files and bytes."""
        if pending is not None and S_ISDIR(pending.mode) and (base is None or base.ino != pending.ino):
            self.close_below(pending.ino)
        self._restore(parent, base, pending)
        if base is None:
            return _NOTHING
        return self.revert_below(base.ino) if S_ISDIR(base.mode) else self._leaf(parent, base)

    def close_below(self, ino: int) -> None:
        """Everything below a directory is gone."""
        for parent, row in self._below(ino):
            if row.since == self._recorder.snapshot:
                self._recorder.drop(parent, row)
            elif row.until is None:
                self._recorder.close(parent, row)

    def revert_below(self, ino: int) -> tuple[int, int]:
        """Everything below a directory is as in the last complete snapshot; returns its files and bytes."""
        files = size = 0
        for parent, row in self._below(ino):
            if row.since == self._recorder.snapshot:
                self._recorder.drop(parent, row)
                continue
            if row.until is not None:
                self._recorder.reopen(parent, row)
            counts = self._leaf(parent, row)
            files, size = files + counts[0], size + counts[1]
        return files, size

    def count_links(self) -> None:
        """Correct ``nlink`` where a hard link's names were not as many as assumed. After everything is flushed."""
        for parent, name, count in self._links.miscounted():
            rows = self._recorder.versions(parent, name)
            present = rows[1] or rows[0]
            if present is not None:
                version = present._replace(since=self._recorder.snapshot, until=None, nlink=count)
                self.settle(parent, rows, version, None)

    def _restore(self, parent: int, base: Version | None, pending: Version | None) -> None:
        if pending is not None:
            self._recorder.drop(parent, pending)
        if base is not None and base.until is not None:
            self._recorder.reopen(parent, base)

    def _leaf(self, parent: int, row: Version) -> tuple[int, int]:
        if row.nlink > 1 and not S_ISDIR(row.mode):
            self._links.member(parent, row)
        return (1, row.size) if S_ISREG(row.mode) else _NOTHING

    def _below(self, ino: int) -> Iterator[tuple[int, Version]]:
        """Every open or pending row below a directory with its parent, children before their directory."""
        folders = {ino: None}  # ordered: parents first
        waiting = [ino]
        while waiting:
            inner = [row.ino for row in self._recorder.children(waiting.pop()) if S_ISDIR(row.mode)]
            waiting += [child for child in inner if child not in folders]
            folders.update(dict.fromkeys(inner))
        for folder in reversed(folders):
            for row in self._recorder.children(folder):
                yield folder, row
