"""Which contents are in the cache, in memory: a listing asks for every line, and may not touch the disk for it.

The cache folder is the truth, the librarian changes it. Its 256 subfolders tell by their mtime that something came or
went; only those are listed again. Not for opening (``cache.CacheReader``): what is in here may be gone when it is
read.

Concurrency: ``look`` runs in a worker thread, one call at a time; the set is replaced, never changed, so the trio
thread may ask at any moment.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

SETTLED = 50_000_000
"""Nanoseconds after which a folder's mtime is believed: changes within one tick of the kernel's clock share one."""


class Residency:
    """A container of content numbers."""

    def __init__(self, cache: Path, numbers: Callable[[Iterable[bytes]], Mapping[bytes, int]]) -> None:
        """``numbers``: answers the catalogue's numbers of digests, leaving out what it does not know."""
        self._cache = os.fspath(cache)
        self._numbers = numbers
        self._seen: dict[str, int] = {}
        self._folders: dict[str, dict[str, int]] = {}
        self._present: frozenset[int] | set[int] = frozenset()

    def __contains__(self, content: object) -> bool:
        return content in self._present

    def __len__(self) -> int:
        return len(self._present)

    def look(self) -> set[int]:
        """Look at what changed in the folder; returns the contents that came or went."""
        changed: set[int] = set()
        for folder in self._changed():
            before = self._folders.get(folder, {})
            after = self._listed(folder, before)
            self._folders[folder] = after
            changed |= set(before.values()) ^ set(after.values())
        if changed:
            self._present = set(self._present) ^ changed
        return changed

    def _changed(self) -> list[str]:
        """Names of the subfolders whose mtime is new or too young to be believed."""
        found = []
        now = time.time_ns()
        for number in range(256):
            folder = f"{number:02x}"
            try:
                mtime = os.stat(f"{self._cache}/{folder}").st_mtime_ns
            except OSError:
                mtime = 0
            if self._seen.get(folder, 0) != mtime:
                found.append(folder)
                self._seen[folder] = mtime if now - mtime > SETTLED else -1
        return found

    def _listed(self, folder: str, before: Mapping[str, int]) -> dict[str, int]:
        names: set[str] = set()
        with suppress(OSError):
            names = set(os.listdir(f"{self._cache}/{folder}"))
        after = {name: number for name, number in before.items() if name in names}
        digests = {}
        for name in names - after.keys():
            with suppress(ValueError):
                digests[bytes.fromhex(folder + name)] = name
        return after | {digests[digest]: number for digest, number in self._numbers(digests).items()}
