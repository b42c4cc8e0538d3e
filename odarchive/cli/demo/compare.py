"""Source against mount, by the file system alone: nothing of this program is used to look at either side.

Compared are, for every name: that it is on both sides, type, permissions, size, mtime to the nanosecond, a symlink's
target, and a file's SHA-256. Left out as the archive leaves them out: sockets, pipes and devices, and what this user
cannot read.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_BLOCK = 1 << 20


@dataclass(slots=True)
class Tally:
    """What was compared, and every difference as one line."""

    files: int = 0
    size: int = 0
    """Bytes of those files."""
    names: int = 0
    left_out: int = 0
    differences: list[str] = field(default_factory=list)
    to_read: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Pairs of files whose bytes are not compared yet, in tree order: kind to discs."""


def names_and_attributes(source: bytes, mounted: bytes, tally: Tally) -> None:
    """Compare two trees but for the bytes of files. Loads no disc."""
    _node(source, mounted, tally)
    waiting = [(source, mounted)]
    while waiting:
        here, there = waiting.pop()
        children: list[tuple[bytes, bytes]] = []
        found = _listing(there, tally)
        for name in sorted(_archivable(here, tally)):
            pair = os.path.join(here, name), os.path.join(there, name)
            if name not in found:
                tally.differences.append(f"{_shown(pair[0])}: is not in the mount")
                continue
            found.remove(name)
            if _node(*pair, tally):
                children.append(pair)
        tally.differences.extend(f"{_shown(os.path.join(there, name))}: is not in the source" for name in sorted(found))
        waiting.extend(reversed(children))


def contents(tally: Tally, progress: Callable[[int], None]) -> None:
    """Read every file on both sides and compare the SHA-256; ``progress`` is told the bytes read so far."""
    done = 0
    for here, there in tally.to_read:
        try:
            same = _sha256(here) == _sha256(there)
        except OSError as error:
            tally.differences.append(f"{_shown(there)}: {error.strerror}")
            continue
        if not same:
            tally.differences.append(f"{_shown(there)}: other bytes")
        done += os.lstat(here).st_size
        progress(done)


def _node(here: bytes, there: bytes, tally: Tally) -> bool:
    """Compare one name on both sides; True if it is a directory on both."""
    try:
        want, have = os.lstat(here), os.lstat(there)
    except OSError as error:
        tally.differences.append(f"{_shown(there)}: {error.strerror}")
        return False
    tally.names += 1
    differing = list(_attributes(want, have))
    if stat.S_ISLNK(want.st_mode) and stat.S_ISLNK(have.st_mode) and os.readlink(here) != os.readlink(there):
        differing.append("other target")
    tally.differences.extend(f"{_shown(there)}: {what}" for what in differing)
    if stat.S_ISREG(want.st_mode):
        tally.files += 1
        tally.size += want.st_size
        if stat.S_ISREG(have.st_mode):
            tally.to_read.append((here, there))
    return stat.S_ISDIR(want.st_mode) and stat.S_ISDIR(have.st_mode)


def _attributes(want: os.stat_result, have: os.stat_result) -> Iterator[str]:
    if want.st_mode != have.st_mode:
        yield f"mode {have.st_mode:o} instead of {want.st_mode:o}"
    if want.st_mtime_ns != have.st_mtime_ns:
        yield f"mtime {have.st_mtime_ns} instead of {want.st_mtime_ns}"
    if not stat.S_ISDIR(want.st_mode) and want.st_size != have.st_size:
        yield f"size {have.st_size} instead of {want.st_size}"


def _archivable(folder: bytes, tally: Tally) -> Iterator[bytes]:
    """Names in a folder of the source that an archive can have."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_archivable(entry.path, entry.stat(follow_symlinks=False).st_mode):
                yield entry.name
            else:
                tally.left_out += 1


def _is_archivable(path: bytes, mode: int) -> bool:
    if stat.S_ISDIR(mode):
        return os.access(path, os.R_OK | os.X_OK)
    return stat.S_ISLNK(mode) or (stat.S_ISREG(mode) and os.access(path, os.R_OK))


def _listing(folder: bytes, tally: Tally) -> set[bytes]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError as error:
        tally.differences.append(f"{_shown(folder)}: {error.strerror}")
        return set()


def _sha256(path: bytes) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def _shown(path: bytes) -> str:
    return ascii(os.fsdecode(path))[1:-1]
