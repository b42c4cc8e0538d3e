"""Who may have discs loaded by reading: the policy of a mount, and what Linux tells of the reading process.

A crawler that opens every file would empty the robot. A reader is known by the thread that opened the file (FUSE tells
its number): its name, the name of its process, the program, and for interpreters the script. A name that matches one of
the patterns is refused (unless it also matches one of the trusted); so are users who may not, who has had as many files
brought in a minute as one process may, and everybody on a mount that never recalls. Nobody is looked at before a read
needs a disc.

Not a border against malice: a process may call itself what it likes. Facts: proc_pid_comm(5) (15 bytes of the name),
proc_pid_cmdline(5), open(2) for O_NONBLOCK.
"""

import os
import time
from collections import deque
from fnmatch import fnmatchcase
from pathlib import Path

from odfs.options import MountOptions
from odfs.ports import Recall

CRAWLERS = (
    "updatedb*",  # plocate, mlocate
    "tracker-*",  # GNOME's indexer until 3.7: tracker-miner-fs-3, tracker-extract-3
    "localsearch*",  # and its name since
    "baloo*",  # KDE's indexer
    "recollindex*",
    "*thumbnail*",  # gnome-desktop's, ffmpegthumbnailer, tumbler's helpers, KDE's kioworker with thumbnail.so
    "tumblerd*",  # Xfce's thumbnail service
    "totem-video-th*",
    "evince-thumbnai*",
    "gvfsd-*",
    "gst-plugin-scan*",
    "clamd*",
    "clamscan*",
)
"""Programs that read everything they see, of which nobody waits for the result."""

BELIEVED = 1.0
"""Seconds for which a look at a thread holds: looking costs as much as two opens."""
_MOST_KNOWN = 1024
MINUTE = 60.0
"""Seconds to which the rate of a process refers."""
_INTERPRETERS = (
    "python*",
    "perl*",
    "ruby*",
    "node*",
    "sh",
    "bash",
    "dash",
    "gjs*",
    "java",
    "env",
    "kioworker*",
    "kioslave*",
)


class Readers:
    """Judges readers by the options of one mount."""

    def __init__(self, options: MountOptions, proc: Path = Path("/proc")) -> None:
        self._recall = options.recall
        self._refused = options.refused_readers
        self._trusted = options.trusted_readers
        self._users = options.recall_users
        self._rate = options.recall_rate
        self._proc = proc
        self._known: dict[int, tuple[float, bool]] = {}
        """Threads looked at, until when that is believed, and whether they are refused."""
        self._brought: dict[int, deque[float]] = {}
        """When each process had a file brought, within the last minute."""

    def judge(self, pid: int, flags: int, uid: int = 0) -> Recall:
        """How far the reads of a handle may go. Call it once for each handle that needs a disc.

        Args:
            pid: thread that opened it, as FUSE tells; 0 if it is the kernel or of another pid namespace.
            flags: of its ``open``.
            uid: of the same thread.
        """
        if self._recall is Recall.NEVER or (self._users is not None and uid not in self._users):
            return Recall.NEVER
        if pid > 0 and (self._is_refused(pid) or self._is_too_fast(pid)):
            return Recall.NEVER
        if flags & os.O_NONBLOCK:
            return Recall.NEVER if self._recall is Recall.ASK else Recall.START
        return self._recall

    def _is_too_fast(self, pid: int) -> bool:
        if not self._rate:
            return False
        now = time.monotonic()
        if len(self._brought) >= _MOST_KNOWN:
            self._brought = {one: times for one, times in self._brought.items() if times[-1] > now - MINUTE}
        times = self._brought.setdefault(_process(pid, self._proc), deque(maxlen=self._rate))
        if len(times) == self._rate and times[0] > now - MINUTE:
            return True
        times.append(now)
        return False

    def _is_refused(self, pid: int) -> bool:
        now = time.monotonic()
        until, refused = self._known.get(pid, (0.0, False))
        if now >= until:
            refused = self._matches(pid)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[pid] = (now + BELIEVED, refused)
        return refused

    def _matches(self, pid: int) -> bool:
        found = names(pid, self._proc)
        return _any_of(found, self._refused) and not _any_of(found, self._trusted)


def _any_of(found: list[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for name in found for pattern in patterns)


def _process(pid: int, proc: Path) -> int:
    """The process of a thread."""
    line = next((line for line in _text(f"{proc}/{pid}/status").splitlines() if line.startswith("Tgid:")), "")
    return int(line.split()[1]) if line else pid


def names(pid: int, proc: Path = Path("/proc")) -> list[str]:
    """What a thread and its process are called; empty if it has ended."""
    found = [_text(f"{proc}/{pid}/comm").strip("\n")]
    words = _text(f"{proc}/{pid}/cmdline").split("\0")
    program = _base(words[0])
    found.append(program)
    if any(fnmatchcase(program, pattern) for pattern in _INTERPRETERS):
        found += [_base(word) for word in words[1:] if not word.startswith("-")][:1]
    if (tgid := str(_process(pid, proc))) != str(pid):
        found.append(_text(f"{proc}/{tgid}/comm").strip("\n"))
    return [name for name in found if name]


def _text(path: str) -> str:
    """The first 64 KiB of a file. By descriptor: thousands of readers may come at once, and a Path costs a lot more."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 1 << 16).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _base(word: str) -> str:
    return word.rpartition("/")[2]
