"""One directory that is new to the archive, read whole: every name with its stat, its digest, its attributes.

What is not read here: files with several names (only the reader of all directories knows which were read already) and
what rules leave out. Files are read in the order of their inode numbers, which is the order on the platters.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

from odarchive.reading.attributes import xattrs_of
from odarchive.reading.plain import read_plain
from odarchive.reading.rules import Rules
from odarchive.reading.sheet import Plain
from odarchive.reading.tree import Bytes, Tree, Unreadable, digest_of, look

Stat = tuple[int, int, int, int, int, int, int, int, int]
"""st_mode, st_uid, st_gid, st_size, st_mtime_ns, st_ctime_ns, st_dev, st_ino, st_nlink."""

stat_of: Callable[[os.stat_result], Stat] = attrgetter(
    "st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_ctime_ns", "st_dev", "st_ino", "st_nlink"
)


class Reading(NamedTuple):
    """A name that was read; a plain tuple on the way between processes."""

    name: bytes
    stat: Stat | None
    """None: it cannot be looked at."""
    digest: bytes | None = None
    target: bytes | None = None
    xattrs: bytes | None = None
    holes: bytes | None = None
    problem: str | None = None
    """Why it cannot be archived now."""


@dataclass(frozen=True, slots=True)
class Means:
    """How names are read: what is left out, whether files may be mapped (``digest_of``).

    ``progress`` is told the bytes read, except those of usual files, which are told by whoever gets them.
    """

    rules: Rules
    progress: Callable[[int], None]
    mapped: bool
    read_ns: int
    """A time before reading, nanoseconds since the epoch."""


def read_names(tree: Tree, path: bytes, names: Sequence[bytes], means: Means) -> Iterator[Plain | Reading]:
    """Read names of one directory.

    Raises:
        OSError: the directory cannot be read.
    """
    folder = tree.enter(path)
    for name, stat in _looked(folder, path, names, means.rules):
        if isinstance(stat, str):
            yield Reading(name, None, problem=stat)
            continue
        plain = read_plain(folder, name, means.read_ns) if means.rules and S_ISREG(stat.st_mode) else None
        if plain is not None:
            yield plain
            continue
        try:
            yield _reading(folder, (name, stat), means)
        except FileNotFoundError:
            continue
        except Unreadable as error:
            yield Reading(name, stat_of(stat), problem=str(error))
        except OSError as error:
            yield Reading(name, stat_of(stat), problem=f"cannot be read: {error.strerror}")


def _looked(
    folder: int, path: bytes, names: Sequence[bytes], rules: Rules
) -> Iterator[tuple[bytes, os.stat_result | str]]:
    """Names that are not left out, in the order of their inode numbers, with their stat or why there is none."""
    looked: list[tuple[int, bytes, os.stat_result]] = []
    for name in names:
        try:
            stat = look(folder, name)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield name, f"cannot be looked at: {error.strerror}"
            continue
        if not rules.leave_out(path, name, stat):
            looked.append((stat.st_ino, name, stat))
    looked.sort(key=itemgetter(0))
    yield from ((name, stat) for _, name, stat in looked)


def _reading(folder: int, this: tuple[bytes, os.stat_result], means: Means) -> Reading:
    own = b"/proc/self/fd/%d/" % folder
    name, stat = this
    mode = stat.st_mode
    if S_ISREG(mode) and stat.st_nlink == 1:
        if stat.st_size == 0:
            return Reading(name, stat_of(stat), xattrs=xattrs_of(own + name))
        found: Bytes = digest_of(folder, name, stat, means.progress, mapped=means.mapped)
        return Reading(name, stat_of(found.stat), found.digest, None, found.xattrs, found.holes)
    if S_ISLNK(mode) and stat.st_nlink == 1:
        return Reading(name, stat_of(stat), target=os.readlink(name, dir_fd=folder))
    return Reading(name, stat_of(stat), xattrs=xattrs_of(own + name) if S_ISDIR(mode) else None)
