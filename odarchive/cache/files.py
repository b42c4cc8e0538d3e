"""Where things lie in a cache folder, and what its disk says when it is full.

``ab/cdef...``           a whole content, named by its digest
``partial/abcdef...``    one on its way: as long as the content, with holes for what is not there
``partial/*.have``       which chunks of it are there (``parts``); without this file, nobody but its writer knows
``partial/*.N.whole``    one on its way that is believed as a whole only (``filling``), the N-th of this librarian
``pinned/abcdef...``     a mark: this content is not evicted
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odarchive.errors import NoSpace

PARTIAL, PINNED = "partial", "pinned"
HAVE = ".have"


def place(digest: bytes) -> str:
    """A whole content, relative to the folder."""
    name = digest.hex()
    return f"{name[:2]}/{name[2:]}"


def partial_place(digest: bytes) -> str:
    """A content on its way, relative to the folder."""
    return f"{PARTIAL}/{digest.hex()}"


def filling_place(digest: bytes, number: int) -> str:
    """A content that comes as a whole, relative to the folder: no two share a file, nor does one with its chunks."""
    return f"{PARTIAL}/{digest.hex()}.{number}.whole"


def translated(error: OSError, directory: Path) -> NoSpace:
    """What a disk that is full, gone or broken means for whoever writes."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"the disk of the cache {directory} is full; free some space or name another place")
    return NoSpace(f"the cache {directory} cannot be written ({error.strerror}); see to its disk or name another place")


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Work on a cache folder.

    Raises:
        NoSpace: its disk is full, gone or broken.
    """
    try:
        yield
    except OSError as error:
        raise translated(error, directory) from error


def boot_time_ns() -> int:
    """When this machine booted, in nanoseconds since the epoch (``btime`` of /proc/stat, whole seconds)."""
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            if line.startswith("btime "):
                return int(line.split()[1]) * 1_000_000_000
    return 0
