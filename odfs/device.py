"""``/dev/fuse`` itself: mounting by fusermount3 for a descriptor, and the kernel's own reading of backing files.

Not for: checks of the mountpoint (``mountpoint``), requests (``direct``). Facts: util/fusermount.c of libfuse
(``_FUSE_COMMFD``: the descriptor comes as SCM_RIGHTS on that socket); Documentation/filesystems/fuse-passthrough.rst.
"""

import array
import errno
import fcntl
import logging
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from odfs.errors import MountFailed

log = logging.getLogger(__name__)

HELPER = "fusermount3"
_TIMEOUT = 20.0
_BACKING_MAP = struct.Struct("=iIQ")
_MAGIC, _WRITE = 229, 1
_BACKING_OPEN = _WRITE << 30 | _BACKING_MAP.size << 16 | _MAGIC << 8 | 1
_BACKING_CLOSE = _WRITE << 30 | 4 << 16 | _MAGIC << 8 | 2


def can_mount() -> bool:
    """Whether the helper is here; without it libfuse can still mount for root."""
    return shutil.which(HELPER) is not None


def mount(path: Path, words: Iterable[str]) -> int:
    """Mount on a directory; returns the connection's descriptor, which does not block.

    Raises:
        MountFailed: the helper refused; its words are in the message.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        command = [HELPER, "-o", ",".join(sorted(words)), "--", os.fspath(path)]
        environment = os.environ | {"_FUSE_COMMFD": str(theirs.fileno()), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, pass_fds=[theirs.fileno()], env=environment, capture_output=True, check=False, timeout=_TIMEOUT
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MountFailed(f"{path} cannot be mounted: {error}") from error
        theirs.close()
        said = " ".join(done.stderr.decode(errors="replace").split())
        if done.returncode != 0:
            raise MountFailed(f"{path} cannot be mounted: {said or f'{HELPER} failed with {done.returncode}'}")
        descriptor = _received(ours)
    if descriptor is None:
        raise MountFailed(f"{path} cannot be mounted: {HELPER} handed over no descriptor: {said}")
    os.set_blocking(descriptor, False)
    os.set_inheritable(descriptor, False)
    return descriptor


def _received(ours: socket.socket) -> int | None:
    numbers = array.array("i")
    _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(numbers.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: numbers.itemsize])
            return numbers[0]
    return None


class Backings:
    """Files that the kernel reads itself. After the first refusal for good, none is offered any more."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self.wanted = True

    def add(self, descriptor: int) -> int:
        """The kernel's number of a file (which may be closed then); 0 if it does not take it."""
        try:
            return int(fcntl.ioctl(self._connection, _BACKING_OPEN, bytearray(_BACKING_MAP.pack(descriptor, 0, 0))))
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOTTY, errno.EOPNOTSUPP, errno.ELOOP, errno.EINVAL):
                self.wanted = False
                log.info("cached files are read through this process, not by the kernel itself (%s)", error.strerror)
            return 0

    def remove(self, number: int) -> None:
        """The last handle is gone."""
        try:
            fcntl.ioctl(self._connection, _BACKING_CLOSE, struct.pack("=I", number))
        except OSError as error:
            log.warning("the kernel does not let go of a backing file: %s", error.strerror)
