"""What lies in a cache folder when its writer begins: whole contents by their names, parts by their claims alone.

What is in ``partial/`` without a claim is thrown away: nobody knows any more what of it is there.
"""

import os
import shutil
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from odarchive.cache.files import HAVE, PARTIAL
from odarchive.cache.parts import claimed
from odarchive.chunks import CHUNK

_NEAR = "user.odarchive.near"
"""Extended attribute of a file: its group. Where the file system has none, every file is a group."""


@dataclass(frozen=True, slots=True)
class Lying:
    """One content. ``size``: bytes that are there; ``used_ns``: last use, since the epoch; ``near``: its group."""

    digest: bytes
    size: int
    used_ns: int
    near: str


def wholes(directory: Path) -> Iterator[Lying]:
    """The contents that are there as a whole."""
    for folder in directory.iterdir():
        if len(folder.name) != 2:
            continue
        for path in folder.iterdir():
            with suppress(ValueError):
                digest, stat = bytes.fromhex(folder.name + path.name), path.stat()
                yield Lying(digest, stat.st_size, stat.st_mtime_ns, near_of(path))


def partials(directory: Path, whole: Container[bytes]) -> Iterator[Lying]:
    """The contents that are there in part; throws away what has no claim, or is there as a ``whole``."""
    for path in list((directory / PARTIAL).iterdir()):
        have = path.with_name(path.name + HAVE)
        if path.name.endswith(HAVE):
            if not path.with_name(path.name.removesuffix(HAVE)).exists():
                path.unlink(missing_ok=True)
            continue
        number = claimed(have)
        try:
            digest = bytes.fromhex(path.name)
        except ValueError:
            digest = b""
        if not number or not digest or digest in whole:
            have.unlink(missing_ok=True)
            path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
            continue
        stat = path.stat()
        yield Lying(digest, min(number * CHUNK, stat.st_size), stat.st_mtime_ns, near_of(path))


def note_near(path: Path, near: str) -> None:
    """Write the group of a file beside it, where its file system can."""
    if near:
        with suppress(OSError):
            os.setxattr(path, _NEAR, near.encode())


def near_of(path: Path) -> str:
    """The group of a file; empty if it has none."""
    try:
        return os.getxattr(path, _NEAR).decode(errors="replace")
    except OSError:
        return ""
