"""What the demonstration archives when it is given no source: folders that every Debian has.

Deterministic for one machine: folders are taken in a fixed order, whole, until there are about 300 MB and 10,000 files;
a folder that would lead far beyond is passed over. A minimal machine has less, and that is fine.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from stat import S_ISREG

_WANTED_FILES = 10_000
_WANTED_BYTES = 300_000_000
_SLACK = 1.35
"""How far beyond what is wanted a folder may lead."""
_MOST = 24
"""Folders at the most: each is a source of its own."""
_FIRST = (
    b"/usr/share/doc",
    b"/usr/share/locale",
    b"/usr/share/perl",
    b"/usr/share/zoneinfo",
    b"/usr/lib/python3",
    b"/usr/share/i18n",
    b"/usr/lib/python3.11",
    b"/usr/lib/git-core",
)
_PARENTS = (b"/usr/share", b"/usr/lib")


@dataclass(frozen=True, slots=True)
class Source:
    """A tree to archive, and its name at the root of the mount."""

    path: bytes
    name: bytes


def given(path: bytes) -> Source:
    """The source a person named."""
    absolute = os.path.abspath(path)
    return Source(absolute, os.path.basename(absolute) or b"root")


def default() -> list[Source]:
    """The folders of this machine that make the selection."""
    return [Source(path, path.strip(b"/").replace(b"/", b"-")) for path in select(_candidates())]


def select(candidates: Iterable[bytes]) -> Iterator[bytes]:
    """Take folders until there is enough."""
    files = size = taken = 0
    for path in candidates:
        if (files >= _WANTED_FILES and size >= _WANTED_BYTES) or taken >= _MOST:
            return
        more_files, more_bytes = measure(path)
        too_much = files + more_files > _WANTED_FILES * _SLACK or size + more_bytes > _WANTED_BYTES * _SLACK
        if more_files and not too_much:
            yield path
            files, size, taken = files + more_files, size + more_bytes, taken + 1


def measure(path: bytes) -> tuple[int, int]:
    """Regular files below a folder and their sizes added up; what cannot be read counts nothing."""
    files = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if S_ISREG(found.st_mode):
                files, size = files + 1, size + found.st_size
    return files, size


def _candidates() -> Iterator[bytes]:
    yield from (path for path in _FIRST if os.path.isdir(path) and not os.path.islink(path))
    for parent in _PARENTS:
        with os.scandir(parent) as entries:
            folders = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        yield from (path for path in folders if path not in _FIRST)
