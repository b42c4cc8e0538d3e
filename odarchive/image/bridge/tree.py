"""The tree that goes into an image: inodes and names, kept in columns.

For collecting names, attributes and content identities before `layout`. Not for reading directories or the catalogue,
and not for data: a file is its size and a ``source`` that only the caller understands.

Rules kept: names are bytes and never decoded here; a parent exists before its children, so there are no cycles; a
million files cost about 120 bytes each plus name and source, which is why the columns are arrays and not objects.
"""

from array import array
from typing import Generic, NamedTuple, NewType, Protocol, TypeVar

from odarchive.image.bridge.errors import LayoutError

NodeId = NewType("NodeId", int)
EntryId = NewType("EntryId", int)

ROOT = NodeId(0)
DIRECTORY, FILE, SYMLINK = 0, 1, 2  # kinds of a node

S = TypeVar("S")
_U32 = 0xFFFFFFFF


class Meta(NamedTuple):
    """Attributes of one inode: permission bits (0..0o7777), owners, mtime in ns since the epoch (may be negative)."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int


class Content(NamedTuple, Generic[S]):
    """What a file holds.

    Attributes:
        size: Bytes, exact.
        source: Handed back to the opener; opaque here.
        late: Placed behind all other data, in the order of adding, and asked for when everything before it was hashed.
    """

    size: int
    source: S
    late: bool = False


class Sources(Protocol[S]):
    """A source, or none, by node."""

    def append(self, source: S | None, /) -> None:
        """Of the next node."""

    def __getitem__(self, node: int, /) -> S | None:
        """Of one node."""


class Tree(Generic[S]):
    """Columns of nodes (inodes) and of entries (names). Read them; change them only through the methods."""

    def __init__(self, root: Meta, sources: Sources[S] | None = None) -> None:
        """``sources``: keeps the sources of the nodes; a list if none is given."""
        self.kind = bytearray()
        self.late = bytearray()
        self.mode, self.uid, self.gid = array("H"), array("I"), array("I")
        self.seconds, self.nanos = array("q"), array("I")
        self.size = array("Q")
        self.links = array("I")
        self.source: Sources[S] = [] if sources is None else sources
        self.target: dict[int, bytes] = {}
        self.twin: dict[int, NodeId] = {}
        self.entry_parent, self.entry_node = array("I"), array("I")
        self.entry_name: list[bytes] = []
        self._node(DIRECTORY, root)

    def add_directory(self, parent: NodeId, name: bytes, meta: Meta) -> NodeId:
        """Add a directory.

        Raises:
            LayoutError: The name is not one, the parent is no directory, or an attribute is out of range.
        """
        self._check_entry(parent, name)
        return self._enter(parent, name, self._node(DIRECTORY, meta))

    def add_file(self, parent: NodeId, name: bytes, meta: Meta, content: Content[S]) -> NodeId:
        """Add a regular file under its first name.

        Raises:
            LayoutError: As `add_directory`; or the size is negative.
        """
        self._check_entry(parent, name)
        if content.size < 0:
            raise LayoutError(f"{name!r}: size {content.size} is negative")
        return self._enter(parent, name, self._node(FILE, meta, content))

    def add_link(self, parent: NodeId, name: bytes, node: NodeId) -> None:
        """Give a file or a symlink one more name.

        Raises:
            LayoutError: As `add_directory`; or ``node`` is a directory.
        """
        self._check_entry(parent, name)
        if self.kind[node] == DIRECTORY:
            raise LayoutError(f"{name!r}: a directory has one name only")
        self._enter(parent, name, node)

    def add_twin(self, parent: NodeId, name: bytes, meta: Meta, of: NodeId) -> NodeId:
        """Add a file with the bytes of another one, stored once, and with attributes and links of its own.

        Raises:
            LayoutError: As `add_directory`; or ``of`` is no file that has its bytes itself, or a late one.
        """
        self._check_entry(parent, name)
        if self.kind[of] != FILE or self.late[of] or of in self.twin:
            raise LayoutError(f"{name!r}: node {of} has no bytes that another file could share")
        node = self._node(FILE, meta)
        self.size[node] = self.size[of]
        self.twin[node] = of
        return self._enter(parent, name, node)

    def add_symlink(self, parent: NodeId, name: bytes, meta: Meta, target: bytes) -> NodeId:
        """Add a symbolic link; the target's bytes are not looked at.

        Raises:
            LayoutError: As `add_directory`; or the target is empty or holds NUL.
        """
        self._check_entry(parent, name)
        if not target or b"\0" in target:
            raise LayoutError(f"{name!r}: {target[:80]!r} is no symlink target")
        node = self._node(SYMLINK, meta)
        self.target[node] = target
        return self._enter(parent, name, node)

    def _check_entry(self, parent: NodeId, name: bytes) -> None:
        if not name or b"/" in name or b"\0" in name or name in {b".", b".."}:
            raise LayoutError(f"{name[:80]!r} is no file name; give one path component")
        if not 0 <= parent < len(self.kind) or self.kind[parent] != DIRECTORY:
            raise LayoutError(f"{name!r}: its parent {parent} is no directory of this tree")

    def _enter(self, parent: NodeId, name: bytes, node: NodeId) -> NodeId:
        self.entry_parent.append(parent)
        self.entry_node.append(node)
        self.entry_name.append(name)
        self.links[node] += 1
        return node

    def _node(self, kind: int, meta: Meta, content: Content[S] | None = None) -> NodeId:
        mode, uid, gid, mtime_ns = meta
        seconds, nanos = divmod(mtime_ns, 1_000_000_000)
        if not (0 <= mode <= 0o7777 and 0 <= uid <= _U32 and 0 <= gid <= _U32 and -(1 << 62) < seconds < 1 << 62):
            raise LayoutError(f"{meta} is out of range: mode 0..0o7777, owners 0..2^32-1")
        self.kind.append(kind)
        self.mode.append(mode)
        self.uid.append(uid)
        self.gid.append(gid)
        self.seconds.append(seconds)
        self.nanos.append(nanos)
        self.links.append(0)
        self.size.append(content.size if content else 0)
        self.late.append(content.late if content else False)
        self.source.append(content.source if content else None)
        return NodeId(len(self.kind) - 1)
