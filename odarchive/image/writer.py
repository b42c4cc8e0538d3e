"""What odarchive needs of something that writes images: the size and every sector first, then the bytes."""

from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

from odarchive.image.spec import ImageTree

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) now and then."""


class ImageRefused(Exception):
    """A tree that the writer cannot put into an image; a mistake of the caller."""


class PreparedImage(Protocol):
    """An image of which everything is known but the bytes."""

    @property
    def size(self) -> int:
        """Bytes of the image, a multiple of 65,536."""

    @property
    def sectors(self) -> Sequence[int]:
        """First sector of each file of the tree, in the order of the tree; 0 for empty files. Files are contiguous."""

    def write(self, out: BinaryIO, progress: Progress | None = None) -> None:
        """Write the image to an empty file that can seek; opens the files in the order of the tree.

        Raises:
            ImageRefused: a file gave fewer bytes than its size.
            OSError: of reading or writing, as it came; what was written is worth nothing.
        """


class ImageWriter(Protocol):
    """Makes UDF + ISO 9660 bridge images."""

    def prepare(self, tree: ImageTree) -> PreparedImage:
        """Lay a tree out. Opens no file.

        Raises:
            ImageRefused: names that are not unique or too long, or a file outside any directory.
        """
