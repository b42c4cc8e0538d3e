"""How a mount behaves. Pure values; what each is worth was measured, the reasons stand beside them."""

from dataclasses import dataclass
from enum import Enum

from odfs.ports import Recall


class Adapter(Enum):
    """How the process speaks to FUSE."""

    AUTO = "auto"
    """Directly if fusermount3 is installed, else by libfuse."""
    DIRECT = "direct"
    LIBRARY = "library"
    """By libfuse and pyfuse3."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """Everything about a mount that may be chosen. Times in seconds."""

    source: str = "odfs"
    """What the first column of ``df`` shows, e.g. the archive's directory."""
    allow_other: bool = False
    """Let users other than the mounting one in; permissions are checked by the kernel either way."""
    entry_timeout: float = 3600.0
    """How long the kernel believes a name. Whoever mounts tells it of changes (``RunningMount.invalidate``)."""
    attribute_timeout: float = 3600.0
    """How long the kernel believes attributes; ``st_blocks`` changes when a file becomes resident."""
    negative_timeout: float = 5.0
    """How long the kernel believes that a name does not exist. Short: too many names appear to tell it of each."""
    read_deadline: float = 900.0
    """No read is left waiting longer (ETIMEDOUT), whatever ``Contents`` does; shortened to the kernel's own limit."""
    startup_timeout: float = 20.0
    """How long a new mount may take to answer its first request."""
    max_tasks: int = 4000
    """Reads that may wait at once, at some 15 KiB each; one more is answered EAGAIN, so that all else goes on."""
    max_background: int = 1024
    """Read-ahead requests in flight. The kernel's default of 12 lets 14 waiting readers stop all other reads."""
    read_ahead_kib: int = 1024
    """The kernel's read-ahead; 1 MiB is the largest single FUSE read."""
    spin_us: float = 50.0
    """Microseconds to look for the next request before sleeping (``loop``); 0 runs pyfuse3 on plain trio."""
    recall: Recall = Recall.WAIT
    """What a read of bytes that are not at hand does, for readers that are not refused."""
    refused_readers: tuple[str, ...] = ()
    """Shell patterns of program names that never make a disc move (``readers.CRAWLERS``)."""
    trusted_readers: tuple[str, ...] = ()
    """Patterns of program names that may all the same."""
    recall_users: frozenset[int] | None = None
    """Numbers of the users whose reads may make a disc move; None: everybody's."""
    recall_rate: int = 0
    """Files that are not at hand which one process may have brought in a minute; 0: any number."""
    adapter: Adapter = Adapter.AUTO
    passthrough: bool = True
    """The kernel may read cached files itself (direct adapter, Linux >= 6.9, root)."""
