"""One disc, whatever it is found as: an image file, a block device, a mounted disc or a folder with a copy.

From an image the bytes of contents are read by their sectors, so damaged directories do not matter; from a folder by
their names. Every byte is to be checked by the reader's own digest. Not for deciding what a disc means for a catalogue.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from odarchive.errors import SourceMissing
from odarchive.image import ondisc
from odarchive.image.identity import PVD_SECTOR, DiscIdentity, parse_identity
from odarchive.model import SECTOR
from odarchive.offline import texts
from odarchive.offline.errors import BadDisc, Foreign
from odarchive.offline.texts import DiscCatalogue, OnDisc
from odarchive.offline.udf_files import UdfTree

BLOCK = 1 << 20
LARGEST_TEXT = 1 << 32


class Disc(Protocol):
    """A disc that can be read now."""

    where: str
    identity: DiscIdentity

    def text(self, path: str) -> Iterator[bytes]:
        """The bytes of one of the disc's own files, such as ``catalogue.json``.

        Raises:
            BadDisc: it is not there or not readable.
        """

    def content(self, piece: OnDisc) -> Iterator[bytes]:
        """The bytes of a piece as the disc gives them; fewer if it ends early. Not checked.

        Raises:
            OSError, BadDisc: of reading.
        """

    def close(self) -> None:
        """Let go of it."""


def open_disc(path: Path) -> "ImageDisc | FolderDisc":
    """Open a disc.

    Raises:
        SourceMissing: nothing is there.
        Foreign: it is not a disc of an archive.
        BadDisc: it was one, and is too damaged to say which.
    """
    try:
        kind = path.stat().st_mode
    except OSError as error:
        raise SourceMissing(f"{path}: {error.strerror}") from error
    if stat.S_ISDIR(kind):
        return FolderDisc(path)
    if stat.S_ISREG(kind) or stat.S_ISBLK(kind):
        return ImageDisc.of_file(path)
    raise Foreign(f"{path} is neither an image, a drive nor a folder")


def catalogue_of(disc: Disc) -> DiscCatalogue:
    """The disc's ``catalogue.json``.

    Raises:
        BadDisc: it is damaged, or of another disc.
    """
    found = texts.catalogue(b"".join(disc.text(ondisc.CATALOGUE)))
    if found.archive != disc.identity.archive:
        raise BadDisc(f"{disc.where}: its catalogue.json is of another archive than the disc")
    return found


class ImageDisc:
    """A disc as sectors. ``read(offset, length)`` gives bytes, fewer at the end."""

    def __init__(
        self, where: str, read: Callable[[int, int], bytes], size: int, close: Callable[[], None] = lambda: None
    ) -> None:
        self.where = where
        self.read = read
        self.size = size
        self._close = close
        self._tree: UdfTree | None = None
        try:
            identity = parse_identity(read(PVD_SECTOR * SECTOR, SECTOR))
        except OSError:
            identity = None  # as if it were damaged
        self.identity = identity if identity is not None else self._by_info()

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """An image file or block device."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            return cls(
                str(path),
                lambda offset, length: os.pread(descriptor, max(min(length, size - offset), 0), offset),
                size,
                lambda: os.close(descriptor),
            )
        except BaseException:
            os.close(descriptor)
            raise

    def _by_info(self) -> DiscIdentity:
        """Sector 16 is damaged or foreign; the UDF side may still say who it is."""
        try:
            return texts.disc_info(b"".join(self.text(ondisc.DISC_INFO)))
        except BadDisc as error:
            raise Foreign(f"{self.where} is no disc of an archive, or its beginning is damaged ({error})") from None

    def text(self, path: str) -> Iterator[bytes]:
        """See :class:`Disc`."""
        try:
            if self._tree is None:
                self._tree = UdfTree(self.read, self.size)
            file = self._tree.find(path)
            if file is not None and not file.is_directory:
                yield from self._tree.chunks(file)
                return
        except BadDisc as error:
            raise BadDisc(f"{self.where}: {error}") from None
        except OSError as error:
            raise BadDisc(f"{self.where}: {path} cannot be read: {error.strerror}") from error
        raise BadDisc(f"{self.where}: there is no {path} on it")

    def content(self, piece: OnDisc) -> Iterator[bytes]:
        """See :class:`Disc`."""
        at, end = piece.sector * SECTOR, piece.sector * SECTOR + piece.length
        while at < end and (data := self.read(at, min(BLOCK, end - at))):
            yield data
            at += len(data)

    def close(self) -> None:
        """See :class:`Disc`."""
        self._close()


class FolderDisc:
    """A mounted disc, or a folder with its files."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = os.fsencode(path)
        try:
            self.identity = texts.disc_info(b"".join(self.text(ondisc.DISC_INFO)))
        except BadDisc as error:
            raise Foreign(f"{path} is no disc of an archive: {error}") from None

    def text(self, path: str) -> Iterator[bytes]:
        """See :class:`Disc`."""
        try:
            with os.fdopen(self._open(path), "rb") as file:
                if os.fstat(file.fileno()).st_size > LARGEST_TEXT:
                    raise BadDisc(f"{self.where}: {path} is larger than any that is written here")
                while block := file.read(BLOCK):
                    yield block
        except OSError as error:
            raise BadDisc(f"{self.where}: {path}: {error.strerror}") from error

    def content(self, piece: OnDisc) -> Iterator[bytes]:
        """See :class:`Disc`; the first of its names that opens is read."""
        failure: OSError | None = None
        for path in piece.paths:
            try:
                descriptor = self._open(path)
            except OSError as error:
                failure = error
                continue
            with os.fdopen(descriptor, "rb") as file:
                while block := file.read(BLOCK):
                    yield block
            return
        raise BadDisc(f"{self.where}: {failure.strerror if failure else 'it names no file for this content'}")

    def close(self) -> None:
        """See :class:`Disc`."""

    def _open(self, path: str) -> int:
        """A regular file below the folder, reached without following symlinks."""
        parts = path.encode("utf-8", "surrogateescape").split(b"/")
        if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
            raise BadDisc(f"{self.where}: {path!r} is no path on a disc")
        at = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(at)
                at = below
            found = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        finally:
            with suppress(OSError):
                os.close(at)
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            raise BadDisc(f"{self.where}: {path!r} is no file")
        return found
