"""One directory that is new to the archive, read whole: every name with its stat, its digest, its attributes.

What is not read here: files with several names (only the reader of all directories knows which were read already) and
what rules leave out. Files are read in the order of their inode numbers, which is the order on the platters.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, itemgetter
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

from odarchive.reading.attributes import xattrs_of
from odarchive.reading.rules import Rules
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


def read_names(
    tree: Tree,
    path: bytes,
    names: Sequence[bytes],
    rules: Rules,
    means: tuple[Callable[[int], None], bool],
) -> Iterator[Reading]:
    """Read names of one directory.

    Args:
        tree: the source.
        path: the directory, relative to it.
        names: which of its names.
        rules: what is left out.
        means: what is told of bytes read, and whether files may be mapped (see ``digest_of``).

    Raises:
        OSError: the directory cannot be read.
    """
    folder = tree.enter(path)
    own = b"/proc/self/fd/%d/" % folder
    looked: list[tuple[int, bytes, os.stat_result]] = []
    for name in names:
        try:
            stat = look(folder, name)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Reading(name, None, problem=f"cannot be looked at: {error.strerror}")
            continue
        if not rules.leave_out(path, name, stat):
            looked.append((stat.st_ino, name, stat))
    looked.sort(key=itemgetter(0))
    for _, name, stat in looked:
        try:
            yield _reading(folder, own, (name, stat), means)
        except FileNotFoundError:
            continue
        except Unreadable as error:
            yield Reading(name, stat_of(stat), problem=str(error))
        except OSError as error:
            yield Reading(name, stat_of(stat), problem=f"cannot be read: {error.strerror}")


def _reading(
    folder: int, own: bytes, this: tuple[bytes, os.stat_result], means: tuple[Callable[[int], None], bool]
) -> Reading:
    name, stat = this
    mode = stat.st_mode
    if S_ISREG(mode) and stat.st_nlink == 1:
        if stat.st_size == 0:
            return Reading(name, stat_of(stat), xattrs=xattrs_of(own + name))
        found: Bytes = digest_of(folder, name, stat, means[0], mapped=means[1])
        return Reading(name, stat_of(found.stat), found.digest, None, found.xattrs, found.holes)
    if S_ISLNK(mode) and stat.st_nlink == 1:
        return Reading(name, stat_of(stat), target=os.readlink(name, dir_fd=folder))
    return Reading(name, stat_of(stat), xattrs=xattrs_of(own + name) if S_ISDIR(mode) else None)
