"""The vocabulary of the archive as values. Pure: no SQL, no I/O, no framework.

source    a tree that is archived
snapshot  one scan of one source
entry     a name in a tree: file, directory or symlink, from one snapshot until another
content   unique bytes, known by their BLAKE3 digest
piece     a contiguous range of one content placed on one segment
segment   the plan for one disc; an image is a segment as bytes
disc      one burn attempt on one physical medium, with an identity of its own; a verified disc is a *copy*
job       something the librarian has to do

Units: bytes, nanoseconds since the epoch, 2,048-byte sectors. Names and paths are bytes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

SourceId = NewType("SourceId", int)
SnapshotId = NewType("SnapshotId", int)
ContentId = NewType("ContentId", int)
SegmentId = NewType("SegmentId", int)
DiscId = NewType("DiscId", int)
JobId = NewType("JobId", int)
Ino = NewType("Ino", int)

ROOT_INO = Ino(1)
SECTOR = 2048


class SnapshotState(StrEnum):
    """How far a scan is."""

    RUNNING = "running"
    COMPLETE = "complete"
    ABORTED = "aborted"


class SegmentState(StrEnum):
    """Where the plan for one disc is."""

    PLANNED = "planned"
    """Pieces are chosen; no bytes exist yet."""
    IMAGED = "imaged"
    """The image lies in staging and its sectors are recorded."""
    ARCHIVED = "archived"
    """At least as many verified copies exist as the archive asks for; staging may be gone."""


class DiscState(StrEnum):
    """What is known of one burn attempt."""

    INTENDED = "intended"
    """Its id was recorded; the burn may or may not have begun."""
    WRITTEN = "written"
    """The burner ended well; nothing is believed yet."""
    VERIFIED = "verified"
    """Read back after a tray cycle, whole-image digest equal. Only now it is a copy."""
    SPOILED = "spoiled"
    """The burn or its verification failed; the medium is waste."""
    ABANDONED = "abandoned"
    """The attempt never touched a medium (proven: the medium is still blank)."""
    SUSPECT = "suspect"
    """A verified disc that later failed a read."""
    MISSING = "missing"
    """A verified disc that is not where it should be."""


class SlotState(StrEnum):
    """What is believed of a slot; evidence is a sensor reading or a disc's own label."""

    UNKNOWN = "unknown"
    EMPTY = "empty"
    BLANK = "blank"
    DISC = "disc"
    """Holds the disc recorded beside it."""
    STALE = "stale"
    """Held that disc when last seen; somebody had access since."""
    FOREIGN = "foreign"
    """Holds a written disc that is not of this archive."""
    SPOILED = "spoiled"
    """Holds waste."""
    UNREADABLE = "unreadable"
    """Holds something no drive could make out so far: never burned on, never counted, never called waste."""


class JobKind(StrEnum):
    """What the librarian can be asked to do."""

    BURN = "burn"
    RECALL = "recall"
    VERIFY = "verify"


class JobState(StrEnum):
    """Where a job is. ``WAITING`` jobs say in ``why`` what would help."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a piece lies: on which segment, from which sector, which range of the content."""

    segment: SegmentId
    start: int
    length: int
    sector: int


@dataclass(frozen=True, slots=True)
class Content:
    """Unique bytes."""

    id: ContentId
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the queue."""

    id: JobId
    kind: JobKind
    state: JobState
    segment: SegmentId | None
    content: ContentId | None
    attempts: int
    done_bytes: int
    total_bytes: int
    step: str
    why: str
    disc: DiscId | None = None
