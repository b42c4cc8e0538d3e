"""What the file system needs from whoever mounts it. Pure: knows no FUSE, no SQL, no network.

Names are bytes, one path component each, never ``/``, NUL, ``.`` or ``..``. Times are nanoseconds since the epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, NewType, Protocol, runtime_checkable

Inode = NewType("Inode", int)
ROOT = Inode(1)
"""The root directory (FUSE_ROOT_ID)."""


class Attributes(NamedTuple):
    """What ``stat`` answers for one inode. A tuple, as a listing makes hundreds of thousands."""

    ino: Inode
    mode: int
    """Type and permissions (``st_mode``)."""
    nlink: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    content: int | None = None
    """What its bytes are known by to whoever mounts; None if there are none. Handed back to ``Contents.resident``."""


class Recall(Enum):
    """How far a read may go that needs bytes which are not at hand."""

    WAIT = "wait"
    """Have them brought and wait for them."""
    ASK = "ask"
    """Wait until a person has allowed it (or the bytes have come otherwise), then as WAIT."""
    START = "start"
    """Have them brought, but do not wait: answer RecallRefused (a reader that asked not to be blocked)."""
    NEVER = "never"
    """Move nothing: answer RecallRefused (a crawler, or a mount that never recalls)."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Size of the whole namespace, for ``statfs``."""

    files: int
    size: int


class Namespace(Protocol):
    """The union of all archived discs as one tree. Synchronous and fast: no disc, no network, no waiting.

    Attributes and contents of an inode never change while it exists; inode numbers are never reused.
    """

    def lookup(self, parent: Inode, name: bytes) -> Attributes | None:
        """The child ``name`` of a directory, or None."""
        ...

    def attributes(self, ino: Inode) -> Attributes | None:
        """The attributes of an inode, or None if it is gone."""
        ...

    def parent(self, ino: Inode) -> Inode | None:
        """The parent of a directory (the root is its own)."""
        ...

    def children(self, parent: Inode, after: bytes, limit: int) -> Sequence[tuple[bytes, Attributes]]:
        """Up to ``limit`` children with names greater than ``after`` (b"" is the start), in byte order."""
        ...

    def readlink(self, ino: Inode) -> bytes | None:
        """The target of a symlink, or None."""
        ...

    def path(self, ino: Inode) -> bytes:
        """A path below the mount's root, for log lines; best effort."""
        ...

    def totals(self) -> Totals:
        """How many files and bytes there are; may be some seconds old."""
        ...


class Contents(Protocol):
    """The bytes behind regular files. Every byte returned has been checked against its digest."""

    async def read(self, file: Attributes, offset: int, length: int, recall: Recall) -> bytes | memoryview:
        """Bytes ``offset`` to ``offset + length``, fewer only at the end of the file.

        May wait for a disc if ``recall`` allows, but never beyond the deadline the mount was given. Cancellation
        stops the waiting, not the recall.

        Raises:
            ContentUnavailable, ContentDamaged, RecallTimedOut, RecallRefused.
        """
        ...

    def read_now(self, file: Attributes, offset: int, length: int) -> bytes | memoryview | None:
        """The same if the bytes are at hand and reading cannot block, else None.

        What is returned may be a view of a buffer that the next call uses again.
        """
        ...

    def resident(self, content: int | None) -> bool:
        """Whether the whole content is at hand (no disc needed). Asked for every line of a listing: no I/O."""
        ...

    def forget(self, file: Attributes) -> None:
        """The last open handle of the file was closed; descriptors may be dropped."""
        ...


@runtime_checkable
class Backing(Protocol):
    """What ``Contents`` may be able to do beside: name the plain file that holds the bytes."""

    def backing(self, file: Attributes) -> int | None:
        """A descriptor of a file that holds exactly the whole checked content, or None. Must not block.

        It stays open until ``forget``, or until the next call into ``Contents``; the kernel then holds the file.
        """
        ...


class Annotations(Protocol):
    """Extended attributes of files, if whoever mounts has any to show. Synchronous and fast, like ``Namespace``."""

    def occurs(self, name: bytes) -> bool:
        """Whether any file may have an attribute of this name: if not, callers are told never to ask again."""
        ...

    def names(self, ino: Inode) -> Sequence[bytes]:
        """The names ``listxattr`` shows for an inode."""
        ...

    def value(self, ino: Inode, name: bytes) -> bytes | None:
        """The value of one attribute, or None if there is none of that name; it need not be in ``names``."""
        ...
