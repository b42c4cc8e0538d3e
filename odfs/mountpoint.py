"""The directory a file system is mounted on: checks before, what is mounted there, unmounting.

Not for: serving requests (``mount.py``). Knows Linux's mount table and fusermount3, not pyfuse3. Rules kept here:

- What is mounted is read from the mount table, never by touching the mountpoint: a file system whose process hangs
  hangs everybody who touches it.
- A dead mount of ours is taken over (detached, then mounted anew); a live one, or somebody else's, is left alone.
- Every refusal is one line that says what to do.
"""

import errno
import logging
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from odfs.errors import AlreadyMounted, FuseUnavailable, MountBusy, MountFailed, MountpointUnusable, NotMounted

log = logging.getLogger(__name__)

SUBTYPE = "odfs"
FSTYPE = b"fuse." + SUBTYPE.encode()

_DEVICE = Path("/dev/fuse")
_TABLE = Path("/proc/self/mountinfo")
_CONFIG = Path("/etc/fuse.conf")
_HELPER = "fusermount3"
_TIMEOUT = 30.0
_MOST_STACKED = 16


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of the mount table (proc_pid_mountinfo(5)); ``device`` as in ``st_dev``."""

    path: bytes
    device: int
    fstype: bytes
    source: bytes


def parse_table(text: bytes) -> list[Mounted]:
    """The lines of a ``mountinfo`` file, in its order: of several mounts on one path the last is the visible one."""
    found = []
    for line in text.split(b"\n"):  # not splitlines: the kernel does not escape a carriage return
        fields = line.split(b" ")
        if b"-" not in fields[6:]:  # it ends the optional fields (proc_pid_mountinfo(5)); a name may be a dash too
            continue
        rest = fields[fields.index(b"-", 6) + 1 :]
        if len(rest) < 2:
            continue
        major, _, minor = fields[2].partition(b":")
        found.append(Mounted(_plain(fields[4]), os.makedev(int(major), int(minor)), rest[0], _plain(rest[1])))
    return found


def _plain(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda digits: bytes([int(digits[1], 8)]), field)


def mounted_at(path: Path) -> Mounted | None:
    """What is mounted on a directory, which is not touched."""
    wanted = os.fsencode(path)
    return next((mount for mount in reversed(parse_table(_TABLE.read_bytes())) if mount.path == wanted), None)


def device_at(path: Path) -> int | None:
    """The ``st_dev`` of what is mounted on a directory."""
    there = mounted_at(path)
    return there.device if there else None


def canonical(mountpoint: Path) -> Path:
    """The path as the mount table has it: absolute, symlinks resolved, the last one only if nothing is mounted."""
    path = Path(os.path.realpath(mountpoint.absolute().parent), mountpoint.absolute().name)
    return path if mounted_at(path) else Path(os.path.realpath(path))


def prepare(mountpoint: Path, *, allow_other: bool) -> Path:
    """Check that a mount is possible and detach a dead one; answers the canonical path. May block on a live mount.

    Raises:
        FuseUnavailable, MountpointUnusable, AlreadyMounted.
        MountFailed: the dead mount cannot be detached.
    """
    check_fuse(allow_other=allow_other)
    path = canonical(mountpoint)
    for _ in range(_MOST_STACKED):
        there = mounted_at(path)
        if there is None:
            break
        _check_dead(path, there)
        log.warning("%s: taking over the mount that a dead process left behind", path)
        _detach(path, lazy=True)
    check_directory(path)
    return path


def check_fuse(*, allow_other: bool, device: Path = _DEVICE, config: Path = _CONFIG) -> None:
    """Check that this machine and user can mount by FUSE.

    Raises:
        FuseUnavailable: it names what is missing and how to get it.
    """
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise FuseUnavailable(
            f"{device} is missing: load the kernel module (modprobe fuse), or give it to the container"
        ) from None
    except OSError as error:
        raise FuseUnavailable(
            f"{device} cannot be opened ({error.strerror}): FUSE is not permitted to this user or container"
        ) from None
    if os.geteuid() == 0:
        return
    if shutil.which(_HELPER) is None:
        raise FuseUnavailable(f"{_HELPER} is missing: install the package fuse3")
    if allow_other and not _lets_others_in(config):
        raise FuseUnavailable(f"allow_other is not permitted to users: put the line user_allow_other into {config}")


def _lets_others_in(config: Path) -> bool:
    try:
        return any(line.strip() == b"user_allow_other" for line in config.read_bytes().splitlines())
    except OSError:
        return False


def check_directory(path: Path) -> None:
    """Check that ``path`` is an empty directory.

    Raises:
        MountpointUnusable: what it is instead.
    """
    try:
        with os.scandir(path) as entries:
            empty = next(entries, None) is None
    except FileNotFoundError:
        raise MountpointUnusable(f"{path} does not exist: make the directory first") from None
    except NotADirectoryError:
        raise MountpointUnusable(f"{path} is not a directory: mount on an empty directory") from None
    except OSError as error:
        raise MountpointUnusable(
            f"{path} cannot be read ({error.strerror}): mount on a directory of your own"
        ) from None
    if not empty:
        raise MountpointUnusable(f"{path} is not empty and a mount would hide what is in it: use an empty directory")
    if not os.access(path, os.W_OK):
        raise MountpointUnusable(
            f"{path} is not writable, so this user may not mount there: use a directory of your own"
        )


def _check_dead(path: Path, there: Mounted) -> None:
    """Raise AlreadyMounted unless ``there`` is a mount of ours without a process.

    ``statvfs`` asks the file system itself; ``stat`` would be answered by the kernel's cache although nobody is left.
    """
    if there.fstype != FSTYPE:
        kind, source = os.fsdecode(there.fstype), os.fsdecode(there.source)
        raise AlreadyMounted(f"{path} has something else mounted on it ({kind} of {source}): use another directory")
    try:
        os.statvfs(path)
    except OSError as error:
        if error.errno in (errno.ENOTCONN, errno.ECONNABORTED):
            return
    raise AlreadyMounted(f"{path} is already mounted: use it, or unmount it first")


def unmount(mountpoint: Path, *, lazy: bool = False) -> None:
    """End a mount of ours, dead or alive; its process sees it and ends too.

    Args:
        mountpoint: the directory.
        lazy: detach now, although files in it are open; it ends when the last one is closed.

    Raises:
        NotMounted, MountBusy.
        MountFailed: for any other reason; the helper's words are in the message.
    """
    path = canonical(mountpoint)
    there = mounted_at(path)
    if there is None:
        raise NotMounted(f"{path} is not mounted: nothing to do")
    if there.fstype != FSTYPE:
        raise NotMounted(f"{path} is no mount of this program but {os.fsdecode(there.fstype)}: left alone")
    _detach(path, lazy=lazy)


def _detach(path: Path, *, lazy: bool) -> None:
    if os.geteuid() == 0:
        command = ["umount", "-i", *(["-l"] if lazy else []), "--", os.fspath(path)]
    else:
        command = [_HELPER, "-u", *(["-z"] if lazy else []), "--", os.fspath(path)]
    environment = os.environ | {"LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT, env=environment)
    except FileNotFoundError:
        raise FuseUnavailable(
            f"{command[0]} is missing: install the package {'mount' if command[0] == 'umount' else 'fuse3'}"
        ) from None
    except subprocess.TimeoutExpired:
        raise MountFailed(f"{path}: {command[0]} does not come back: try again lazily") from None
    if done.returncode == 0:
        return
    words = " ".join(done.stderr.decode(errors="replace").split())
    if "busy" in words:
        raise MountBusy(f"{path} is in use: end the programs in it (fuser -vm {path} lists them), or unmount lazily")
    raise MountFailed(f"{path} cannot be unmounted: {words or f'{command[0]} failed with {done.returncode}'}")
