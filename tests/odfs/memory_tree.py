"""A namespace and contents in memory, with faults on order: the other side of odfs' ports, for tests."""

import bisect
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from odfs.errors import RecallRefused
from odfs.ports import ROOT, Attributes, Inode, Recall, Totals


@dataclass
class Node:
    attributes: Attributes
    parent: Inode
    name: bytes
    names: list[bytes] = field(default_factory=list)
    children: dict[bytes, Inode] = field(default_factory=dict)
    target: bytes | None = None


class MemoryNamespace:
    """A tree grown by ``add_*``. A name in ``broken_names`` makes ``lookup`` raise."""

    def __init__(self) -> None:
        root = Attributes(ROOT, stat.S_IFDIR | 0o755, 2, 0, 0, 0, 0, 0)
        self.nodes = {ROOT: Node(root, ROOT, b"")}
        self.broken_names: set[bytes] = set()
        self.queries = 0

    def add(self, parent: int, name: bytes, mode: int, size: int = 0, mtime_ns: int = 0, **more: int) -> Inode:
        ino = Inode(len(self.nodes) + 1)  # nodes are never taken out
        values = {"uid": 0, "gid": 0, "nlink": 1, "ctime_ns": mtime_ns, "content": int(ino)} | more
        self.nodes[ino] = Node(Attributes(ino, mode, size=size, mtime_ns=mtime_ns, **values), Inode(parent), name)
        above = self.nodes[Inode(parent)]
        if name not in above.children:
            bisect.insort(above.names, name)
        above.children[name] = ino
        return ino

    def add_directory(self, parent: int, name: bytes, mode: int = 0o755) -> Inode:
        return self.add(parent, name, stat.S_IFDIR | mode, nlink=2)

    def add_file(self, parent: int, name: bytes, size: int = 0, mtime_ns: int = 0, mode: int = 0o644) -> Inode:
        return self.add(parent, name, stat.S_IFREG | mode, size, mtime_ns)

    def add_link(self, parent: int, name: bytes, target: bytes) -> Inode:
        ino = self.add(parent, name, stat.S_IFLNK | 0o777, len(target))
        self.nodes[ino].target = target
        return ino

    def remove(self, parent: int, name: bytes) -> None:
        above = self.nodes[Inode(parent)]
        above.names.remove(name)
        del above.children[name]

    def lookup(self, parent: Inode, name: bytes) -> Attributes | None:
        if name in self.broken_names:
            raise LookupError("a planned bug")
        ino = self.nodes[parent].children.get(name)
        return None if ino is None else self.nodes[ino].attributes

    def attributes(self, ino: Inode) -> Attributes | None:
        node = self.nodes.get(ino)
        return node and node.attributes

    def parent(self, ino: Inode) -> Inode | None:
        node = self.nodes.get(ino)
        return node and node.parent

    def children(self, parent: Inode, after: bytes, limit: int) -> Sequence[tuple[bytes, Attributes]]:
        self.queries += 1
        node = self.nodes[parent]
        start = bisect.bisect_right(node.names, after)
        return [(name, self.nodes[node.children[name]].attributes) for name in node.names[start : start + limit]]

    def readlink(self, ino: Inode) -> bytes | None:
        return self.nodes[ino].target

    def path(self, ino: Inode) -> bytes:
        node = self.nodes[ino]
        return b"" if ino == ROOT else self.path(node.parent) + b"/" + node.name

    def totals(self) -> Totals:
        return Totals(len(self.nodes), sum(node.attributes.size for node in self.nodes.values()))


def pattern(ino: int, offset: int, length: int) -> bytes:
    """The bytes of every file in memory: different in each file and at each offset (period: a prime)."""
    period = bytes((ino + position * 7) % 251 for position in range(251))
    start = offset % 251
    return (period * (length // 251 + 2))[start : start + length]


class MemoryContents:
    """Bytes by ``pattern``. Those in ``waiting`` wait for an event, those in ``faults`` raise, all else is resident."""

    def __init__(self) -> None:
        self.waiting: dict[int, trio.Event] = {}
        self.faults: dict[int, BaseException] = {}
        self.cut: dict[int, int] = {}
        self.forgotten: list[int] = []
        self.started = 0
        self.recalled: list[int] = []
        """Inodes in ``waiting`` for which a disc would have been loaded."""
        self.files: dict[int, int] = {}
        """Descriptors of files with the bytes of an inode, for the kernel to read."""
        self.asked = 0
        """Reads of inodes in ``files`` that came here all the same."""

    def backing(self, file: Attributes) -> int | None:
        return self.files.get(file.ino)

    async def read(self, file: Attributes, offset: int, length: int, recall: Recall) -> bytes | memoryview:
        ino = file.ino
        self.started += 1
        if ino in self.waiting:
            if recall is not Recall.NEVER:
                self.recalled.append(ino)
            if recall is not Recall.WAIT and not self.waiting[ino].is_set():
                raise RecallRefused("its disc is not at hand")
        if ino in self.waiting:
            await self.waiting[ino].wait()
        if ino in self.faults:
            raise self.faults[ino]
        return memoryview(pattern(ino, offset, length))

    def read_now(self, file: Attributes, offset: int, length: int) -> bytes | memoryview | None:
        ino = file.ino
        self.asked += ino in self.files
        if ino in self.cut:
            return pattern(ino, offset, length)[: self.cut[ino]]
        return pattern(ino, offset, length) if self.resident(ino) else None

    def resident(self, content: int | None) -> bool:
        ino = content
        return ino not in self.waiting and ino not in self.faults

    def forget(self, file: Attributes) -> None:
        self.forgotten.append(file.ino)


class MemoryAnnotations:
    """Every inode has the attribute ``user.odarchive.inode``, and one that only the superuser may see."""

    def occurs(self, name: bytes) -> bool:
        return False

    def names(self, ino: Inode) -> Sequence[bytes]:
        return [b"user.odarchive.inode", b"trusted.hidden"]

    def value(self, ino: Inode, name: bytes) -> bytes | None:
        return b"%d" % ino if name == b"user.odarchive.inode" else None
