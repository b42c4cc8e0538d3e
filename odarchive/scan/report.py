"""What a scan is told and what it tells: values only."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from odarchive.catalogue.entries import BATCH
from odarchive.model import SnapshotId
from odarchive.reading.rules import Rules

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
    rules: Rules = field(default_factory=Rules)
    """What is left out. What was archived before and is left out now counts as deleted."""
    check: bool = False
    """Read everything again, also what did not change; a file with other bytes and the same times is reported."""
    workers: int = 0
    """Processes that read directories which are new; 0: everything is read in this one."""
    allow_empty: bool = False
    """Believe a source that became empty and lies on another device than before (usually a drive not mounted)."""
    expected_files: int | None = None
    """Files of the last complete scan, for the progress."""
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
    expected_files: int | None = None
    """Files of the last complete scan; None: there was none."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be archived: ``path`` is relative to the source, ``reason`` one line."""

    path: bytes
    reason: str
    expected: bool = False
    """Nobody can want its bytes: the archive's own folders, a mounted archive, a file system of the kernel."""


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
