"""Where things lie in a cache folder, and what its disk says when it is full.

``ab/cdef...``           a whole content, named by its digest
``partial/abcdef...``    one on its way: as long as the content, with holes for what is not there
``partial/*.have``       which chunks of it are there (``parts``); without this file, nobody but its writer knows
``partial/*.N.whole``    one on its way that is believed as a whole only (``filling``), the N-th of this librarian
``pinned/abcdef...``     a mark: this content is not evicted
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from odarchive.digest import stream_digest
from odarchive.errors import NoSpace, is_full

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
    """What a disk that is full, gone or broken means for whoever uses it."""
    if is_full(error):
        return NoSpace(f"the disk of the cache {directory} is full; free some space or name another place")
    return NoSpace(f"the cache {directory} cannot be used ({error.strerror}); see to its disk or name another place")


def digest_of(descriptor: int, size: int, directory: Path) -> bytes:
    """The digest of the first ``size`` bytes of an open file of a cache folder.

    Raises:
        NoSpace: its disk does not give them.
    """
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            return stream_digest(file, size)[0]
    except OSError as error:
        raise translated(error, directory) from error


def let_go(descriptor: int) -> None:
    """Close a file, if it is open; what its disk says to that is told to whoever uses the folder next."""
    if descriptor >= 0:
        with suppress(OSError):
            os.close(descriptor)


def throw_out(path: Path) -> None:
    """Remove a file if it is there. What cannot be removed takes its place on the disk, and nobody believes it."""
    with suppress(OSError):
        path.unlink()


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
