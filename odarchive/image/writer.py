"""What odarchive needs of something that writes images: the size and every sector first, then the bytes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from odarchive.image.bridge.sink import ByteWriter
from odarchive.image.spec import DigestsOf, ImageTree

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) now and then."""


class ImageRefused(Exception):
    """A tree that the writer cannot put into an image; a mistake of the caller."""


class SourceFailed(Exception):
    """A file was not read as promised; the image is worth nothing. ``file``: its number in the tree's files."""

    def __init__(self, file: int, why: str) -> None:
        super().__init__(why)
        self.file = file


class WrittenImage(Protocol):
    """What was written."""

    @property
    def digest(self) -> bytes:
        """BLAKE3 of the image."""

    @property
    def digests(self) -> DigestsOf:
        """Of the files."""


class PreparedImage(Protocol):
    """An image of which everything is known but the bytes."""

    @property
    def size(self) -> int:
        """Bytes of the image, a multiple of 65,536."""

    @property
    def sectors(self) -> Sequence[int]:
        """First sector of each file of the tree, in the order of the tree; 0 for empty files. Files are contiguous."""

    def write(self, out: int | ByteWriter, progress: Progress | None = None) -> WrittenImage:
        """Write the image forward to a descriptor or file object, which may be a pipe. Each file is opened once.

        Raises:
            SourceFailed: a file could not be read, or gave more or fewer bytes than its size.
            OSError: of writing, as it came; what was written is worth nothing.
        """


class ImageWriter(Protocol):
    """Makes UDF + ISO 9660 bridge images."""

    def prepare(self, tree: ImageTree) -> PreparedImage:
        """Lay a tree out. Opens no file.

        Raises:
            ImageRefused: names that are not unique or too long, or a file outside any directory.
        """
