"""What a writer is told to put into an image, as values. Knows no file system, no library, no catalogue.

Paths are tuples of names as the disc holds them (``names``); units are bytes and nanoseconds since the epoch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from odarchive.image.identity import DiscIdentity

DiscPath = tuple[str, ...]
Opener = Callable[[int], int | Iterable[bytes]]
"""Gives the bytes of a file, by its number in `ImageTree.files`: a descriptor at the first one, closed by the writer,
or the bytes in pieces."""


class Digests(NamedTuple):
    """What was written of a file: BLAKE3 is the archive's, SHA-256 is for people; 32 bytes each."""

    blake3: bytes
    sha256: bytes
    chunks: bytes = b""
    """Its chunk digests (`odarchive.chunks`), joined; none if it is one chunk."""


DigestsOf = Callable[[int], Digests]
"""By the number of a file in `ImageTree.files`; behind those, late files are counted on."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a file system can keep of a file beside its bytes; ``mode`` holds permissions only."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory; its parents are listed as well."""

    path: DiscPath
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Inode:
    """A file as a file system counts it: attributes, and one name or several (hard links)."""

    paths: tuple[DiscPath, ...]
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class File:
    """Bytes that lie on the disc once, and the files that consist of them."""

    inodes: tuple[Inode, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Late:
    """A file behind all others, rendered in exactly ``size`` bytes when what lies before it was written."""

    path: DiscPath
    attributes: Attributes
    size: int
    render: Callable[[DigestsOf], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link."""

    path: DiscPath
    target: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """What the volume says of itself. ``created_ns`` counts to the second.

    ``udf_symlinks`` puts symlinks into UDF too; 7-Zip then refuses to open the disc.
    """

    identity: DiscIdentity
    created_ns: int
    udf_symlinks: bool = False


@dataclass(frozen=True, slots=True)
class ImageTree:
    """A whole image. ``least_size``: bytes it is filled up to."""

    volume: VolumeInfo
    directories: tuple[Directory, ...]
    files: Sequence[File]
    open: Opener
    late: tuple[Late, ...] = ()
    symlinks: tuple[Symlink, ...] = ()
    least_size: int = 0
