"""What both adapters to FUSE share: which error is which errno, what an open file is, and how log lines name requests.

Not for: speaking to FUSE (``operations`` by pyfuse3, ``answers`` directly).
"""

import errno
import logging
from collections.abc import Sequence

import trio

from odfs.errors import ContentDamaged, ContentUnavailable, RecallForbidden, RecallRefused, RecallTimedOut
from odfs.ports import Attributes, Contents, Inode, Namespace, Recall
from odfs.readers import Readers

log = logging.getLogger(__name__)

ERRNO: tuple[tuple[type[Exception], int], ...] = (
    (RecallForbidden, errno.EACCES),
    (RecallRefused, errno.EAGAIN),
    (RecallTimedOut, errno.ETIMEDOUT),
    (ContentDamaged, errno.EIO),
    (ContentUnavailable, errno.EIO),
    (trio.TooSlowError, errno.ETIMEDOUT),
)
"""What the ports may answer besides a result. Any other exception is a fault of the program: EIO and a traceback."""

USER = b"user."
"""Where extended attributes of everybody are. EOPNOTSUPP for others makes ``ls -l`` ask once, not per file."""

REMEMBERED = 4096
"""Lookups remembered for the opens that follow them."""

AGAIN = 10.0
"""Seconds within which the next read by a handle gets the error of the one before, if that one waited in vain."""

REFUSALS = 8
"""Reads of a handle that are refused with EAGAIN, two for each of a program's; from then on it is EACCES. FFmpeg, and
with it most thumbnailers of films, tries for ever on EAGAIN."""

TOLD = 60.0
"""Seconds between two log lines that too many reads wait."""

WAITED = 0.1
"""Seconds of a read from which on it is said to have waited."""

NAME_MAX = 255
"""Longest name in bytes, as in the file systems that are archived."""


class OpenFile:
    """One open handle of a file, and who opened it; ``recall`` is found out at the first read that needs it."""

    __slots__ = ("attributes", "failed_at", "failure", "flags", "pid", "recall", "refused", "size", "uid")

    def __init__(self, attributes: Attributes, flags: int, pid: int, uid: int = 0) -> None:
        self.attributes = attributes
        self.size = attributes.size
        self.flags = flags
        self.pid = pid
        self.uid = uid
        self.recall: Recall | None = None
        self.refused = 0
        self.failure: Exception | None = None
        self.failed_at = 0.0


class Refused(Exception):
    """The answer is an errno."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.number = number


class Waits(Exception):
    """A read has to wait."""

    def __init__(self, file: OpenFile, offset: int, expected: int) -> None:
        super().__init__()
        self.read = (file, offset, expected)


class Crowd:
    """Bounds how many reads wait at once, so that memory is bounded and nobody is left in the kernel's queue."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._told_at = -TOLD

    def is_full(self, waiting: int) -> bool:
        """Whether one more read is to be refused (EAGAIN) beside those that wait; says so now and then."""
        if waiting < self._most:
            return False
        now = trio.current_time()
        if now - self._told_at >= TOLD:
            self._told_at = now
            log.warning("%d reads wait for discs: as long as they do, others are answered EAGAIN at once", waiting)
        return True


async def read_slowly(
    file: OpenFile, offset: int, expected: int, contents: Contents, readers: Readers, deadline: float
) -> bytes | memoryview:
    """The bytes of a read that has to wait, never beyond the deadline (seconds).

    When the kernel's read-ahead gets an error it reads the first page once more, at once. Without ``AGAIN`` a reader
    would wait for two deadlines, and a person would be asked twice.
    """
    if file.failure is not None and trio.current_time() - file.failed_at < AGAIN:
        failure, file.failure = file.failure, None
        raise failure
    began = trio.current_time()
    try:
        with trio.fail_after(deadline):
            data = await _read(file, offset, expected, contents, readers)
    except (RecallRefused, RecallTimedOut, trio.TooSlowError) as error:
        file.failed_at = trio.current_time()
        file.failure = error if file.failed_at - began > WAITED else None
        if isinstance(error, RecallRefused) and file.recall is Recall.NEVER:
            file.refused += 1
            if file.refused > REFUSALS:
                raise RecallForbidden(f"{error} (asked {file.refused} times)") from error
        raise
    if len(data) != expected:
        raise short(len(data), offset, expected)
    return data


async def _read(file: OpenFile, offset: int, expected: int, contents: Contents, readers: Readers) -> bytes | memoryview:
    """Who opened it is looked at only when a disc is needed: what is in the cache is for all and counts nowhere."""
    if file.recall is None:
        try:
            return await contents.read(file.attributes, offset, expected, Recall.NEVER)
        except RecallRefused:
            file.recall = file.recall or readers.judge(file.pid, file.flags, file.uid)
            if file.recall is Recall.NEVER:
                raise
    return await contents.read(file.attributes, offset, expected, file.recall)


def short(length: int, offset: int, expected: int) -> ContentUnavailable:
    """The kernel would take a short read for the end of the file and shorten it."""
    return ContentUnavailable(f"{length} bytes at {offset} where the file has {expected}")


def errno_of(error: Exception, request: str) -> int:
    """The errno of an exception, which is written to the log with what the request was about."""
    for kind, number in ERRNO:
        if isinstance(error, kind):
            level = logging.INFO if issubclass(kind, RecallRefused) else logging.WARNING  # crawlers ask very often
            log.log(level, "%s: %s: %s", request, errno.errorcode[number], error)
            return number
    log.error("%s: unexpected error, answered EIO", request, exc_info=error)
    return errno.EIO


def path_of(namespace: Namespace, ino: int) -> bytes:
    """A path for a log line; never raises."""
    try:
        return namespace.path(Inode(ino))
    except Exception:
        log.exception("no path for inode %d", ino)
        return b"(inode %d)" % ino


def listed(names: Sequence[bytes], uid: int) -> Sequence[bytes]:
    """The names of extended attributes that a user may see: ``trusted.`` ones are the superuser's (xattr(7))."""
    return list(names) if uid == 0 else [name for name in names if not name.startswith(b"trusted.")]
