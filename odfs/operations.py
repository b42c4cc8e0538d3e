"""FUSE requests, answered from a ``Namespace`` and ``Contents``. Thin: it translates and delegates.

Not for: deciding anything about discs, caching bytes, mounting. Rules kept here:

- Only ``read`` waits. A client stuck in ``open`` cannot be killed, one in a buffered ``read`` can; so ``open`` answers
  at once, and files are never opened for direct I/O and always keep their cached pages (contents never change).
- No handler lets an exception out: pyfuse3 ends the whole mount on any but ``FUSEError``. Cancellation passes.
- A read is exactly as long as the file says. The kernel takes a short one for the end of the file and shortens it.
- No ``flush`` and no ``access`` handler: the kernel stops asking after the first ENOSYS.
- Lookups are not counted, so ``forget`` does nothing: inode numbers are permanent.

Concurrency: all handlers run in one trio thread, and all but ``read`` run without a checkpoint, thus atomically. The
tables of open files and directories change only between checkpoints.
"""

import errno
import functools
import itertools
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

import pyfuse3

from odfs import tree
from odfs.answering import NAME_MAX, REMEMBERED, USER, Crowd, OpenFile, errno_of, listed, path_of, read_slowly, short
from odfs.options import MountOptions
from odfs.ports import Annotations, Attributes, Contents, Inode, Namespace
from odfs.readers import Readers

P = ParamSpec("P")
T = TypeVar("T")
Handler = Callable[Concatenate["Operations", P], Coroutine[Any, Any, T]]


def _guarded(handler: Handler[P, T]) -> Handler[P, T]:
    """Turn every exception of a handler into an errno."""

    @functools.wraps(handler)
    async def guarded(self: "Operations", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await handler(self, *args, **kwargs)
        except pyfuse3.FUSEError:
            raise
        except Exception as error:
            raise pyfuse3.FUSEError(errno_of(error, self.describe(handler.__name__, args))) from error

    return guarded


class Operations(pyfuse3.Operations):  # type: ignore[misc]  # mypy is told to skip pyfuse3, so its base is Any
    """The request handlers of one mount; their contract is pyfuse3's."""

    supports_dot_lookup = True
    enable_writeback_cache = False

    def __init__(
        self, namespace: Namespace, contents: Contents, options: MountOptions, annotations: Annotations | None = None
    ) -> None:
        super().__init__()
        self._namespace = namespace
        self._contents = contents
        self._options = options
        self._entry_timeout = options.entry_timeout
        self._attribute_timeout = options.attribute_timeout
        self._annotations = annotations
        self._readers = Readers(options)
        self._files: dict[int, OpenFile] = {}
        self._looked_up: dict[Inode, Attributes] = {}
        """What the last lookups found, as an open often follows; the content of an inode never changes."""
        self._open: dict[Inode, int] = {}
        """How many handles of a file are open."""
        self._listings: dict[int, tuple[Inode, tree.Listing]] = {}
        self._numbers = itertools.count(1)
        self._crowd = Crowd(options.max_tasks)
        self._waiting = 0
        """Reads that wait."""

    # Names and attributes

    @_guarded
    async def lookup(self, parent_inode: int, name: bytes, _ctx: object = None) -> pyfuse3.EntryAttributes:
        """``.`` and ``..`` are asked for by an NFS server that knows nothing but an inode number."""
        if len(name) > NAME_MAX:
            raise pyfuse3.FUSEError(errno.ENAMETOOLONG)
        parent: Inode | None = Inode(parent_inode)
        if name == b"..":
            parent = self._namespace.parent(Inode(parent_inode))
        if name in (b".", b".."):
            return self._entry(self._attributes(parent))
        found = self._namespace.lookup(Inode(parent_inode), name)
        if found is None:
            return self._absent()
        if len(self._looked_up) >= REMEMBERED:
            self._looked_up.clear()
        self._looked_up[found.ino] = found
        return self._entry(found)

    @_guarded
    async def getattr(self, inode: int, _ctx: object = None) -> pyfuse3.EntryAttributes:
        """Attributes by inode."""
        return self._entry(self._attributes(Inode(inode)))

    @_guarded
    async def readlink(self, inode: int, _ctx: object = None) -> bytes:
        """The target of a symlink."""
        target = self._namespace.readlink(Inode(inode))
        if target is None:
            raise pyfuse3.FUSEError(errno.EINVAL)
        return target

    @_guarded
    async def statfs(self, _ctx: object = None) -> pyfuse3.StatvfsData:
        """A full file system of the size of everything archived."""
        totals = self._namespace.totals()
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = tree.BEST_IO
        data.f_blocks = -(-totals.size // tree.BEST_IO)
        data.f_bfree = data.f_bavail = 0
        data.f_files = totals.files
        data.f_ffree = data.f_favail = 0
        data.f_namemax = NAME_MAX
        return data

    # Directories

    @_guarded
    async def opendir(self, inode: int, _ctx: object = None) -> int:
        """A handle of its own for each opener: it holds a position."""
        handle = next(self._numbers)
        self._listings[handle] = (Inode(inode), tree.Listing(self._namespace, Inode(inode)))
        return handle

    @_guarded
    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """Entries from a cookie on, until the kernel's buffer is full."""
        try:
            for name, attributes, cookie in self._listings[fh][1].entries(start_id):
                if not pyfuse3.readdir_reply(token, name, self._entry(attributes), cookie):
                    return
        except ValueError as error:
            raise pyfuse3.FUSEError(errno.EINVAL) from error

    @_guarded
    async def releasedir(self, fh: int) -> None:
        """Forget the position."""
        self._listings.pop(fh, None)

    # Files

    @_guarded
    async def open(self, inode: int, flags: int, _ctx: pyfuse3.RequestContext | None = None) -> pyfuse3.FileInfo:
        """Never waits: nothing is fetched before it is read."""
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC:
            raise pyfuse3.FUSEError(errno.EROFS)
        ino = Inode(inode)
        attributes = self._looked_up.pop(ino, None) or self._attributes(ino)
        self._open[ino] = self._open.get(ino, 0) + 1
        handle = next(self._numbers)
        pid, uid = (0, 0) if _ctx is None else (_ctx.pid, _ctx.uid)
        self._files[handle] = OpenFile(attributes, flags, pid, uid)
        return pyfuse3.FileInfo(fh=handle, direct_io=False, keep_cache=True)

    @_guarded
    async def read(self, fh: int, off: int, size: int) -> bytes | memoryview:
        """The only handler that may wait, and never beyond the deadline."""
        file = self._files[fh]
        expected = min(size, file.size - off)
        if expected <= 0:
            return b""
        data = self._contents.read_now(file.attributes, off, expected)
        if data is None:
            return await self._slowly(file, off, expected)
        if len(data) != expected:
            raise short(len(data), off, expected)
        return data

    async def _slowly(self, file: OpenFile, offset: int, expected: int) -> bytes | memoryview:
        if self._crowd.is_full(self._waiting):
            raise pyfuse3.FUSEError(errno.EAGAIN)
        deadline = self._options.read_deadline
        self._waiting += 1
        try:
            return await read_slowly(file, offset, expected, self._contents, self._readers, deadline)
        finally:
            self._waiting -= 1

    @_guarded
    async def release(self, fh: int) -> None:
        """Tell ``Contents`` when the last handle is gone."""
        attributes = self._files.pop(fh).attributes
        count = self._open[attributes.ino] - 1
        if count:
            self._open[attributes.ino] = count
            return
        del self._open[attributes.ino]
        self._contents.forget(attributes)

    # Extended attributes

    @_guarded
    async def getxattr(self, inode: int, name: bytes, _ctx: object = None) -> bytes:
        """From the annotations; see ``USER`` for what is not there."""
        value = self._annotations.value(Inode(inode), name) if self._annotations else None
        if value is None:
            known = name.startswith(USER) or (self._annotations is not None and self._annotations.occurs(name))
            raise pyfuse3.FUSEError(errno.ENODATA if known else errno.EOPNOTSUPP)
        return value

    @_guarded
    async def listxattr(self, inode: int, _ctx: pyfuse3.RequestContext | None = None) -> Sequence[bytes]:
        """The names the annotations show."""
        names = self._annotations.names(Inode(inode)) if self._annotations else ()
        return listed(names, 0 if _ctx is None else _ctx.uid)

    # Changes. The kernel refuses them on a read-only mount; these answer after a ``mount -o remount,rw``.

    async def _refuse(self, *_request: object) -> NoReturn:
        raise pyfuse3.FUSEError(errno.EROFS)

    setattr = mknod = mkdir = unlink = rmdir = symlink = rename = link = create = _refuse
    write = setxattr = removexattr = _refuse

    # Translation

    def describe(self, request: str, args: tuple[object, ...]) -> str:
        """What a request was about, for log lines; never raises."""
        match request, args:
            case "lookup", (int(parent), bytes(name), *_):
                return f"lookup {self._path(parent) + b'/' + name!r}"
            case "readdir", (int(handle), *_) if handle in self._listings:
                return f"readdir {self._path(self._listings[handle][0])!r}"
            case "read" | "release", (int(handle), *_) if handle in self._files:
                return f"{request} {self._path(self._files[handle].attributes.ino)!r}"
            case "getattr" | "readlink" | "opendir" | "open" | "getxattr" | "listxattr", (int(ino), *_):
                return f"{request} {self._path(ino)!r}"
            case _:
                return request

    def _path(self, ino: int) -> bytes:
        return path_of(self._namespace, ino)

    def _attributes(self, ino: Inode | None) -> Attributes:
        found = None if ino is None else self._namespace.attributes(ino)
        if found is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return found

    def _absent(self) -> pyfuse3.EntryAttributes:
        """Inode 0 with a lifetime: "does not exist", which the kernel remembers; ENOENT is asked again each time."""
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = 0
        entry.entry_timeout = self._options.negative_timeout
        return entry

    def _entry(self, attributes: Attributes) -> pyfuse3.EntryAttributes:
        ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, content = attributes
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = ino
        entry.entry_timeout = self._entry_timeout
        entry.attr_timeout = self._attribute_timeout
        entry.st_mode = mode
        entry.st_nlink = nlink
        entry.st_uid = uid
        entry.st_gid = gid
        entry.st_size = size
        entry.st_blksize = tree.BEST_IO
        if size:
            entry.st_blocks = tree.blocks(mode, size, self._contents.resident(content))
        entry.st_atime_ns = entry.st_mtime_ns = mtime_ns
        entry.st_ctime_ns = ctime_ns
        return entry
