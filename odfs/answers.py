"""FUSE requests as the kernel sends them, answered from a ``Namespace`` and ``Contents``. Thin: it translates.

The same file system as ``operations`` shows by pyfuse3, for the loop in ``direct``; the rules there hold here. Further:

- Every handler gets the whole request and gives the whole reply, or None if there is none (yet).
- A file of which ``Contents`` has a plain file at hand is handed to the kernel, which then reads it itself
  (passthrough). While a file is open, all its handles are of one kind: the kernel refuses a mixture.

Concurrency: all but ``read_slowly`` runs without a checkpoint, in one trio thread.
"""

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Protocol

from odfs import tree, wire
from odfs.answering import (
    NAME_MAX,
    REMEMBERED,
    USER,
    OpenFile,
    Refused,
    Waits,
    errno_of,
    listed,
    path_of,
    read_slowly,
    short,
)
from odfs.options import MountOptions
from odfs.ports import Annotations, Attributes, Backing, Contents, Inode, Namespace
from odfs.readers import Readers

IN = wire.IN
_NANO = 1_000_000_000
_PLAIN_OPEN = wire.Open.KEEP_CACHE | wire.Open.NOFLUSH
_BACKED_OPEN = wire.Open.PASSTHROUGH | wire.Open.NOFLUSH

Handler = Callable[[bytes, int, int], bytes | None]
"""Request, unique, node; the reply."""


class Kernel(Protocol):
    """What the answers need of the connection."""

    def back(self, descriptor: int) -> int:
        """Hand a file to the kernel; its number there, or 0 if the kernel does not want it."""
        ...

    def unback(self, number: int) -> None:
        """The end of that."""
        ...

    def send(self, header: bytes, data: bytes | memoryview) -> None:
        """Reply with bytes."""
        ...


class _Opened:
    """How many handles a file has, and the kernel's number of its backing file (0: it asks us)."""

    __slots__ = ("backing", "count")

    def __init__(self, backing: int) -> None:
        self.backing = backing
        self.count = 0


class Answers:
    """The handlers of one mount."""

    def __init__(
        self,
        namespace: Namespace,
        contents: Contents,
        options: MountOptions,
        annotations: Annotations | None,
        kernel: Kernel,
    ) -> None:
        self._namespace = namespace
        self._contents = contents
        self._options = options
        self._annotations = annotations
        self._kernel = kernel
        self._backs = contents if isinstance(contents, Backing) else None
        self._readers = Readers(options)
        self._files: dict[int, OpenFile] = {}
        self._opened: dict[Inode, _Opened] = {}
        self._looked_up: dict[int, Attributes] = {}
        self._listings: dict[int, tuple[Inode, tree.Listing]] = {}
        self._numbers = itertools.count(1)
        self._entry_timeout = _split(options.entry_timeout)
        self._attribute_timeout = _split(options.attribute_timeout)
        self._timeouts = (self._entry_timeout[0], self._attribute_timeout[0])
        self._fractions = (self._entry_timeout[1], self._attribute_timeout[1])
        absent = _split(options.negative_timeout)
        self._absent = (0, 0, absent[0], 0, absent[1], 0, *[0] * 16)
        self.handlers: dict[int, Handler] = {
            wire.Op.LOOKUP: self.lookup,
            wire.Op.GETATTR: self.getattr,
            wire.Op.READLINK: self.readlink,
            wire.Op.OPEN: self.open,
            wire.Op.READ: self.read,
            wire.Op.RELEASE: self.release,
            wire.Op.STATFS: self.statfs,
            wire.Op.OPENDIR: self.opendir,
            wire.Op.READDIR: self.readdir,
            wire.Op.READDIRPLUS: self.readdirplus,
            wire.Op.RELEASEDIR: self.releasedir,
            wire.Op.GETXATTR: self.getxattr,
            wire.Op.LISTXATTR: self.listxattr,
        }

    # Names and attributes

    def lookup(self, request: bytes, unique: int, node: int) -> bytes:
        """A name in a directory; ``.`` and ``..`` are asked for by an NFS server that knows nothing but a number."""
        name = request[IN:-1]
        if len(name) > NAME_MAX:
            raise Refused(errno.ENAMETOOLONG)
        if name in (b".", b".."):
            found: Attributes | None = self._attributes(node if name == b"." else self._namespace.parent(Inode(node)))
        else:
            found = self._namespace.lookup(Inode(node), name)
        if found is None:
            return wire.ENTRY.pack(wire.ENTRY.size, 0, unique, *self._absent)
        ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, content = found
        if content is not None:
            looked_up = self._looked_up
            if len(looked_up) >= REMEMBERED:
                looked_up.clear()
            looked_up[ino] = found
        blocks = tree.blocks(mode, size, self._contents.resident(content)) if size else 0
        seconds, nanoseconds = divmod(mtime_ns, _NANO)
        changed, changed_ns = divmod(ctime_ns, _NANO)
        return wire.ENTRY.pack(
            *(144, 0, unique, ino, 0, *self._timeouts, *self._fractions),
            *(ino, size, blocks, seconds, seconds, changed, nanoseconds, nanoseconds, changed_ns),
            *(mode, nlink, uid, gid, 0, tree.BEST_IO, 0),
        )

    def getattr(self, request: bytes, unique: int, node: int) -> bytes:
        """Attributes by inode."""
        del request
        seconds, fraction = self._attribute_timeout
        values = self._packed(self._attributes(node))
        return wire.ATTR.pack(wire.ATTR.size, 0, unique, seconds, fraction, 0, *values)

    def readlink(self, request: bytes, unique: int, node: int) -> bytes:
        """The target of a symlink."""
        del request
        target = self._namespace.readlink(Inode(node))
        if target is None:
            raise Refused(errno.EINVAL)
        return wire.data_reply(unique, target)

    def statfs(self, request: bytes, unique: int, node: int) -> bytes:
        """A full file system of the size of everything archived."""
        del request, node
        totals = self._namespace.totals()
        sizes = (-(-totals.size // tree.BEST_IO), 0, 0, totals.files, 0)
        return wire.STATFS.pack(wire.STATFS.size, 0, unique, *sizes, tree.BEST_IO, NAME_MAX, tree.BEST_IO, 0)

    # Directories

    def opendir(self, request: bytes, unique: int, node: int) -> bytes:
        """A handle of its own for each opener: it holds a position."""
        del request
        handle = next(self._numbers)
        self._listings[handle] = (Inode(node), tree.Listing(self._namespace, Inode(node)))
        return wire.OPENED.pack(wire.OPENED.size, 0, unique, handle, 0, 0)

    def readdir(self, request: bytes, unique: int, node: int) -> bytes:
        """Names from a cookie on; who asks so does not want the attributes."""
        del node
        handle, cookie, room, *_ = wire.READ_IN.unpack_from(request, IN)
        lines = []
        for name, attributes, after in self._entries(handle, cookie):
            line = wire.dirent(name, attributes.ino, attributes.mode >> 12, after)
            room -= len(line)
            if room < 0:
                break
            lines.append(line)
        return wire.data_reply(unique, b"".join(lines))

    def readdirplus(self, request: bytes, unique: int, node: int) -> bytes:
        """Names with attributes from a cookie on, until the kernel's buffer is full."""
        del node
        handle, cookie, room, *_ = wire.READ_IN.unpack_from(request, IN)
        lines = []
        timeouts, fractions, pack, packed = self._timeouts, self._fractions, wire.DIRENTPLUS.pack, self._packed
        for name, attributes, after in self._entries(handle, cookie):
            length = len(name)
            room -= 152 + length + (-length % 8)
            if room < 0:
                break
            ino, mode = attributes[:2]
            known = 0 if name in (b".", b"..") else ino
            lines.append(
                pack(known, 0, *timeouts, *fractions, *packed(attributes), ino, after, length, mode >> 12)
                + name
                + b"\0" * (-length % 8)
            )
        return wire.data_reply(unique, b"".join(lines))

    def releasedir(self, request: bytes, unique: int, node: int) -> bytes:
        """Forget the position."""
        del node
        self._listings.pop(wire.HANDLE_IN.unpack_from(request, IN)[0], None)
        return wire.error_reply(unique, 0)

    # Files

    def open(self, request: bytes, unique: int, node: int) -> bytes:
        """Never waits: nothing is fetched before it is read."""
        flags = wire.OPEN_IN.unpack_from(request, IN)[0]
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
            raise Refused(errno.EROFS)
        ino = Inode(node)
        attributes = self._looked_up.pop(node, None) or self._attributes(node)
        opened = self._opened.get(ino)
        if opened is None:
            opened = self._opened[ino] = _Opened(self._back(attributes))
        opened.count += 1
        handle = next(self._numbers)
        header = wire.HEADER.unpack_from(request)
        self._files[handle] = OpenFile(attributes, flags, header[6], header[4])
        if opened.backing:
            return wire.OPENED.pack(32, 0, unique, handle, _BACKED_OPEN, opened.backing)
        return wire.OPENED.pack(32, 0, unique, handle, _PLAIN_OPEN, 0)

    def _back(self, attributes: Attributes) -> int:
        if self._backs is None or not attributes.size:
            return 0
        descriptor = self._backs.backing(attributes)
        return 0 if descriptor is None else self._kernel.back(descriptor)

    def read(self, request: bytes, unique: int, node: int) -> None:
        """Reply if the bytes are at hand.

        Raises:
            Waits: they are not; ``read_slowly`` is next.
        """
        del node
        handle, offset, size, _, _, flags, _ = wire.READ_IN.unpack_from(request, IN)
        file = self._files[handle]
        expected = min(size, file.size - offset)
        if expected <= 0:
            self._kernel.send(wire.REPLY.pack(wire.OUT, 0, unique), b"")
            return
        data = self._contents.read_now(file.attributes, offset, expected)
        if data is None:
            file.flags = flags  # of now: who opens without blocking may have changed that since
            raise Waits(file, offset, expected)
        if len(data) != expected:
            raise short(len(data), offset, expected)
        self._kernel.send(wire.REPLY.pack(wire.OUT + expected, 0, unique), data)

    async def read_slowly(self, file: OpenFile, offset: int, expected: int) -> bytes | memoryview:
        """The bytes of a read that has to wait, never beyond the deadline."""
        deadline = self._options.read_deadline
        return await read_slowly(file, offset, expected, self._contents, self._readers, deadline)

    def release(self, request: bytes, unique: int, node: int) -> bytes:
        """Tell ``Contents`` when the last handle is gone."""
        file = self._files.pop(wire.HANDLE_IN.unpack_from(request, IN)[0])
        ino = Inode(node)
        opened = self._opened[ino]
        opened.count -= 1
        if not opened.count:
            del self._opened[ino]
            if opened.backing:
                self._kernel.unback(opened.backing)
            self._contents.forget(file.attributes)
        return wire.REPLY.pack(16, 0, unique)

    # Extended attributes

    def getxattr(self, request: bytes, unique: int, node: int) -> bytes:
        """From the annotations; see ``USER`` for what is not there."""
        room = wire.SIZE_IN.unpack_from(request, IN)[0]
        name = request[IN + 8 : -1]
        value = self._annotations.value(Inode(node), name) if self._annotations else None
        if value is None:
            known = name.startswith(USER) or (self._annotations is not None and self._annotations.occurs(name))
            raise Refused(errno.ENODATA if known else errno.EOPNOTSUPP)
        return _sized(unique, value, room)

    def listxattr(self, request: bytes, unique: int, node: int) -> bytes:
        """The names the annotations show."""
        room = wire.SIZE_IN.unpack_from(request, IN)[0]
        names = self._annotations.names(Inode(node)) if self._annotations else ()
        shown = listed(names, wire.HEADER.unpack_from(request)[4])
        return _sized(unique, b"".join(name + b"\0" for name in shown), room)

    # Translation

    def describe(self, op: int, request: bytes, node: int) -> str:
        """What a request was about, for log lines; never raises."""
        word = wire.Op(op).name.lower()
        if op == wire.Op.LOOKUP:
            return f"{word} {path_of(self._namespace, node) + b'/' + request[IN:-1]!r}"
        return f"{word} {path_of(self._namespace, node)!r}"

    def errno_of(self, error: Exception, op: int, request: bytes, node: int) -> int:
        """The errno of whatever a handler raised; it is in the log."""
        return error.number if isinstance(error, Refused) else errno_of(error, self.describe(op, request, node))

    def _entries(self, handle: int, cookie: int) -> Iterator[tree.Entry]:
        try:
            yield from self._listings[handle][1].entries(cookie)
        except ValueError as error:
            raise Refused(errno.EINVAL) from error

    def _attributes(self, node: int | None) -> Attributes:
        found = None if node is None else self._namespace.attributes(Inode(node))
        if found is None:
            raise Refused(errno.ENOENT)
        return found

    def _packed(self, attributes: Attributes) -> tuple[int, ...]:
        """The values of struct fuse_attr."""
        ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, content = attributes
        blocks = tree.blocks(mode, size, self._contents.resident(content)) if size else 0
        seconds, nanoseconds = divmod(mtime_ns, _NANO)
        changed, changed_ns = divmod(ctime_ns, _NANO)
        times = (seconds, seconds, changed, nanoseconds, nanoseconds, changed_ns)
        return (ino, size, blocks, *times, mode, nlink, uid, gid, 0, tree.BEST_IO, 0)


def _split(seconds: float) -> tuple[int, int]:
    whole = int(seconds)
    return whole, int((seconds - whole) * _NANO)


def _sized(unique: int, value: bytes, room: int) -> bytes:
    """The reply to a question for a value with so much room, 0: for its size."""
    if room == 0:
        return wire.XATTR_SIZE.pack(wire.XATTR_SIZE.size, 0, unique, len(value), 0)
    if len(value) > room:
        raise Refused(errno.ERANGE)
    return wire.data_reply(unique, value)
