"""The ImageWriter of odarchive: trees of ``spec`` through the bridge writer.

BLAKE3 and SHA-256 of each file, its chunk digests and BLAKE3 of the image are taken in the one pass that writes.
Deterministic: the same tree and sources give the same bytes, into a file as into a pipe. Not for deciding what is on a
disc.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from blake3 import blake3

from odarchive.chunks import ChunkedBlake3
from odarchive.image.bridge import (
    ROOT,
    BridgeError,
    Content,
    Layout,
    LayoutError,
    Meta,
    NodeId,
    Options,
    SourceError,
    Tree,
    Written,
    emit,
    layout,
)
from odarchive.image.bridge import VolumeInfo as BridgeVolume
from odarchive.image.bridge.sink import ByteWriter
from odarchive.image.spec import Attributes, Digests, DigestsOf, DiscPath, File, ImageTree
from odarchive.image.stamp import volume_identity
from odarchive.image.writer import ImageRefused, Progress, SourceFailed
from odarchive.model import SECTOR

_BLAKE3_SIZE = 32
_ROOT_MODE = 0o555


class BridgeWriter:
    """An :class:`odarchive.image.writer.ImageWriter`."""

    def prepare(self, tree: ImageTree) -> "BridgeImage":
        """See the port."""
        try:
            return BridgeImage(tree)
        except LayoutError as error:
            raise ImageRefused(str(error)) from error


class BridgeImage:
    """A laid-out image; see the port."""

    def __init__(self, tree: ImageTree) -> None:
        self._tree = tree
        planted = _Planted(tree)
        self._nodes = planted.nodes
        volume = BridgeVolume(
            volume_identity(tree.volume.identity, tree.volume.created_ns), udf_symlinks=tree.volume.udf_symlinks
        )
        self._layout: Layout[int] = layout(planted.tree, volume, tree.least_size // SECTOR)
        first = self._layout.first_sector
        self.size = self._layout.size
        self.sectors: Sequence[int] = array("I", (first[node] for node in self._nodes[: len(tree.files)]))

    def write(self, out: int | ByteWriter, progress: Progress | None = None) -> "BridgeWritten":
        """See the port."""
        files, late = self._tree.files, self._tree.late
        chunks: dict[bytes, bytes] = {}
        options = Options(partial(_Digests, chunks), blake3, self._told(progress))
        place = {node: number for number, node in enumerate(self._nodes[len(files) :])}

        def rendered(node: NodeId, written: Written[int]) -> Iterable[bytes]:
            return late[place[node]].render(self._digests(written, chunks))

        try:
            written = emit(self._layout, self._tree.open, out, options, rendered)
        except SourceError as error:
            raise SourceFailed(self._number(error.path), str(error)) from error
        assert written.image_digest is not None  # noqa: S101  it was asked for
        return BridgeWritten(written.image_digest, self._digests(written, chunks))

    def _told(self, progress: Progress | None) -> Callable[[int], None] | None:
        if progress is None:
            return None
        size = self.size
        return lambda done: progress(done, size)

    def _digests(self, written: Written[int], chunks: Mapping[bytes, bytes]) -> DigestsOf:
        def of(number: int) -> Digests:
            both = written.digest(NodeId(self._nodes[number]))
            whole = both[:_BLAKE3_SIZE]
            return Digests(whole, both[_BLAKE3_SIZE:], chunks.get(whole, b""))

        return of

    def _number(self, path: bytes) -> int:
        """The number of the file with this path; a late one fails only by a mistake of this program."""
        wanted = tuple(path.decode().split("/"))
        for number, file in enumerate(self._tree.files):
            if any(wanted in inode.paths for inode in file.inodes):
                return number
        raise BridgeError(f"{path!r} was rendered in another size than promised")


class BridgeWritten:
    """See the port."""

    def __init__(self, digest: bytes, digests: DigestsOf) -> None:
        self.digest, self.digests = digest, digests


class _Planted:
    """The bridge's tree, and the node of each file and late file."""

    def __init__(self, tree: ImageTree) -> None:
        self.tree: Tree[int] = Tree(Meta(_ROOT_MODE, 0, 0, tree.volume.created_ns), _Numbers())
        self.nodes = array("I")
        self._directories: dict[DiscPath, NodeId] = {(): ROOT}
        for directory in sorted(tree.directories, key=lambda directory: directory.path):
            parent, name = self._place(directory.path)
            self._directories[directory.path] = self.tree.add_directory(parent, name, _meta(directory.attributes))
        for number, file in enumerate(tree.files):
            self.nodes.append(self._file(number, file))
        for number, late in enumerate(tree.late, len(tree.files)):
            parent, name = self._place(late.path)
            content = Content(late.size, number, late=True)
            self.nodes.append(self.tree.add_file(parent, name, _meta(late.attributes), content))
        for link in tree.symlinks:
            parent, name = self._place(link.path)
            self.tree.add_symlink(parent, name, _meta(link.attributes), link.target)

    def _file(self, number: int, file: File) -> NodeId:
        if not file.inodes or not all(inode.paths for inode in file.inodes):
            raise ImageRefused("a file of an image needs a name")
        own: NodeId | None = None
        for inode in file.inodes:
            parent, name = self._place(inode.paths[0])
            meta = _meta(inode.attributes)
            if own is None:
                node = own = self.tree.add_file(parent, name, meta, Content(file.size, number))
            else:
                node = self.tree.add_twin(parent, name, meta, own)
            for path in inode.paths[1:]:
                parent, name = self._place(path)
                self.tree.add_link(parent, name, node)
        assert own is not None  # noqa: S101  there is at least one inode
        return own

    def _place(self, path: DiscPath) -> tuple[NodeId, bytes]:
        parent = self._directories.get(path[:-1])
        if not path or parent is None:
            raise ImageRefused(f"{'/'.join(path)!r} lies in no directory of the image")
        return parent, path[-1].encode()


class _Numbers:
    """The numbers of files by node, as a column."""

    def __init__(self) -> None:
        self._numbers = array("i")

    def append(self, number: int | None, /) -> None:
        """See the port."""
        self._numbers.append(-1 if number is None else number)

    def __getitem__(self, node: int, /) -> int | None:
        number = self._numbers[node]
        return None if number < 0 else number


def _meta(about: Attributes) -> Meta:
    return Meta(about.mode, about.uid, about.gid, about.mtime_ns)


class _Digests:
    """A hasher of both digests at once, and of chunks, which it hands over by the whole BLAKE3 in the end."""

    def __init__(self, chunks: dict[bytes, bytes], data: bytes = b"", /) -> None:
        self._blake3, self._sha256, self._chunks = ChunkedBlake3(data), hashlib.sha256(data), chunks
        self.lanes = self._blake3, self._sha256

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take more bytes."""
        self._blake3.update(data)
        self._sha256.update(data)

    def digest(self) -> bytes:
        """BLAKE3, then SHA-256."""
        whole = self._blake3.digest()
        if chunks := self._blake3.chunks():
            self._chunks[whole] = chunks
        return whole + self._sha256.digest()
