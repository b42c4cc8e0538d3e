"""What a writer is told to put into an image, as values. Knows no file system, no library, no catalogue.

Paths are tuples of names as the disc holds them (``names``); units are bytes and nanoseconds since the epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

DiscPath = tuple[str, ...]
Opener = Callable[[], BinaryIO]
"""Gives the bytes of a file, from their beginning; called once per write, closed by the writer."""


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
class File:
    """Bytes under one name or several (hard links: one extent). ``size`` may be 0; ``iso_name`` only in the root."""

    paths: tuple[DiscPath, ...]
    size: int
    attributes: Attributes
    open: Opener
    iso_name: str = ""
    """A name for plain ISO 9660 that means something (``README.MD``); empty: the writer numbers it."""


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link; a writer for which readers would choke on it leaves it to the disc's entry list."""

    path: DiscPath
    target: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """What the volume says of itself before it is stamped. ``label``: at most 32 of A-Z, 0-9, _."""

    label: str
    created_ns: int


@dataclass(frozen=True, slots=True)
class ImageTree:
    """A whole image. Files are read in the order given, each only after the one before was read to its end."""

    volume: VolumeInfo
    directories: tuple[Directory, ...]
    files: tuple[File, ...]
    symlinks: tuple[Symlink, ...] = ()
