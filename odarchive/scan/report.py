"""What a scan is told and what it tells: values only."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from odarchive.catalogue.entries import BATCH
from odarchive.model import SnapshotId

PROBLEMS_KEPT = 1_000
"""Problems a result carries itself; the catalogue has all of them."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to scan."""

    one_file_system: bool = False
    """Do not enter other file systems that are mounted inside; their mount points are archived as empty directories."""
    avoid: tuple[bytes, ...] = ()
    """Directories that are not archived wherever they turn up: staging, cache. The catalogue's own always is one."""
    forgotten: frozenset[bytes] = frozenset()
    """Paths relative to the source that are left out without a word, with all below them."""
    allow_empty: bool = False
    """Believe a source that became empty and lies on another device than before (usually a drive not mounted)."""
    batch: int = BATCH
    """Rows per transaction."""
    clock: Callable[[], int] = time.time_ns
    """Nanoseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is, of its present source."""

    path: bytes
    """Directory being read, relative to the source."""
    files: int
    bytes: int
    directories: int
    hashed_bytes: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be archived: ``path`` is relative to the source, ``reason`` one line."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a complete scan recorded."""

    snapshot: SnapshotId
    name: bytes
    """The source's name: its directory at the mount's root."""
    files: int
    """Regular files in the source."""
    bytes: int
    """Their sizes added up."""
    new_files: int
    """Regular files that are new or have a new content since the last snapshot."""
    new_bytes: int
    """Bytes of contents the archive did not have before."""
    hashed_bytes: int
    """Bytes read by this run."""
    problem_count: int
    problems: tuple[Problem, ...]
    """The first ``PROBLEMS_KEPT`` of them."""
