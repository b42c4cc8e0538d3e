"""The data region of an image: files streamed in the order of their extents, hashed, and never other than promised.

Not for metadata (`emit`). Small files are read at once and hashed in line; of larger ones the hash runs in the sink's
worker while the next megabyte is read and written.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from odarchive.image.bridge.errors import SourceError
from odarchive.image.bridge.layout import Layout
from odarchive.image.bridge.sectors import SECTOR
from odarchive.image.bridge.sink import Hasher, NewHasher, Sink
from odarchive.image.bridge.tree import FILE, NodeId

S = TypeVar("S")

_SMALL = 65536
_ZEROS = bytes(SECTOR)

Opener = Callable[[S], int | Iterable[bytes]]
"""Opens a source: a descriptor at the first byte, closed by `emit`; or the bytes in pieces of any size.

An ``OSError`` in it, or in the iteration, becomes a SourceError that names the file."""


class Written(Generic[S]):
    """What was written.

    Attributes:
        layout: The plan it followed.
        image_digest: Digest of the whole image, when one was asked for.
    """

    def __init__(self, layout: Layout[S], digest_size: int) -> None:
        self.layout = layout
        self.image_digest: bytes | None = None
        self._size = digest_size
        self._digests = bytearray(digest_size * len(layout.tree.kind))

    def digest(self, node: NodeId) -> bytes:
        """A file's digest; all zero before it was written."""
        node = self.layout.tree.twin.get(node, node)
        return bytes(self._digests[node * self._size : (node + 1) * self._size])

    def record(self, node: NodeId, digest: bytes) -> None:
        """Keep a file's digest."""
        self._digests[node * self._size : (node + 1) * self._size] = digest


LateContent = Callable[[NodeId, Written[S]], bytes | Iterable[bytes]]
"""Gives a late file's bytes when all data before it are written and their digests known, those of earlier late files
included."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to emit.

    Attributes:
        file_hash: Makes the hasher of each file, late ones included.
        image_hash: Makes the hasher of the whole image; None: no image digest.
        progress: Called after every write with the bytes written so far; may raise to cancel.
    """

    file_hash: NewHasher = hashlib.sha256
    image_hash: NewHasher | None = None
    progress: Callable[[int], None] | None = None


class DataRegion(Generic[S]):
    """Writes the files of a layout into a sink."""

    def __init__(self, layout: Layout[S], sink: Sink, options: Options, written: Written[S]) -> None:
        self._layout, self._sink, self._new, self._written = layout, sink, options.file_hash, written

    def early(self, opener: Opener[S]) -> None:
        """All files but the late ones, in the order of their extents."""
        tree, first = self._layout.tree, self._layout.first_sector
        kind, late, sizes, sources, sink = tree.kind, tree.late, tree.size, tree.source, self._sink
        twin = tree.twin
        for number in self._layout.shape.homes():
            if kind[number] != FILE or late[number] or number in twin:
                continue
            node, size = NodeId(number), sizes[number]
            if size and first[number] * SECTOR != sink.taken:
                sink.pad_to(first[number])
            try:
                opened = opener(sources[number])  # type: ignore[arg-type]  # the source of a file is an S
            except OSError as error:
                raise self._failed(node, 0, error) from error
            if not isinstance(opened, int):
                self._pieces(node, opened)
            elif size <= _SMALL:
                self._small(node, opened)
            else:
                self._stream(node, opened)

    def late(self, content: LateContent[S] | None) -> None:
        """The late files, in the order of adding."""
        tree = self._layout.tree
        for node in map(NodeId, range(len(tree.kind))):
            if tree.late[node]:
                self._sink.settle()
                data = content(node, self._written) if content else b""
                self._pieces(node, (data,) if isinstance(data, bytes) else data)

    def _small(self, node: NodeId, fd: int) -> None:
        size = self._layout.tree.size[node]
        data = b""
        try:
            data = os.read(fd, size + 1)
            while 0 < len(data) < size and (more := os.read(fd, size + 1 - len(data))):
                data += more
            if 0 < len(data) == size and os.read(fd, 1):  # a short first read may have stopped just here
                data += b"?"
        except OSError as error:
            raise self._failed(node, len(data), error) from error
        finally:
            os.close(fd)
        if len(data) != size:
            self._check(node, len(data))
        self._whole(node, data)

    def _whole(self, node: NodeId, data: bytes) -> None:
        self._sink.put(data.ljust(len(data) + SECTOR - 1 & -SECTOR, b"\0"))
        self._written.record(node, self._new(data).digest())

    def _stream(self, node: NodeId, fd: int) -> None:
        hasher, left = self._new(), self._layout.tree.size[node]
        size = left
        try:
            while left:
                buffer = self._sink.buffer()
                length = self._fill(node, fd, memoryview(buffer)[: min(left, len(buffer))], size - left)
                left -= length
                self._sink.put_buffer(buffer, length, hasher)
            self._check(node, size + len(self._beyond(node, fd, size)))
        finally:
            os.close(fd)
        self._finish(node, hasher)

    def _fill(self, node: NodeId, fd: int, view: memoryview, before: int) -> int:
        """Fill the view; answers its length."""
        done = 0
        try:
            while done < len(view):
                count = os.readv(fd, [view[done:]])
                if not count:
                    self._check(node, before + done)
                done += count
        except OSError as error:
            raise self._failed(node, before + done, error) from error
        return done

    def _beyond(self, node: NodeId, fd: int, size: int) -> bytes:
        try:
            return os.read(fd, 1)
        except OSError as error:
            raise self._failed(node, size, error) from error

    def _pieces(self, node: NodeId, pieces: Iterable[bytes]) -> None:
        if self._layout.tree.size[node] <= _SMALL:
            self._whole(node, b"".join(self._promised(node, pieces)))
            return
        hasher = self._new()
        for piece in self._promised(node, pieces):
            self._sink.hash(hasher, piece)
            self._sink.put(piece)
        self._finish(node, hasher)

    def _promised(self, node: NodeId, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces as long as they are no more than promised; an error at their end if they are fewer."""
        got, size = 0, self._layout.tree.size[node]
        iterator = iter(pieces)
        while True:
            try:
                piece = next(iterator, None)
            except OSError as error:
                raise self._failed(node, got, error) from error
            if piece is None:
                break
            got += len(piece)
            if got > size:
                break
            yield piece
        self._check(node, got)

    def _finish(self, node: NodeId, hasher: Hasher) -> None:
        self._sink.put(_ZEROS[: -self._layout.tree.size[node] % SECTOR])
        self._sink.when_hashed(lambda: self._written.record(node, hasher.digest()))

    def _check(self, node: NodeId, got: int) -> None:
        size = self._layout.tree.size[node]
        if got != size:
            why = "the source is shorter than promised" if got < size else "the source is longer than promised"
            raise SourceError(self._layout.shape.node_path(node), size, got, why)

    def _failed(self, node: NodeId, got: int, error: OSError) -> SourceError:
        path = self._layout.shape.node_path(node)
        return SourceError(path, self._layout.tree.size[node], got, f"the source failed: {error}")
