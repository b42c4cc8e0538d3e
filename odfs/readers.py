"""Who may have discs loaded by reading: the policy of a mount, and what Linux tells of the reading process.

A crawler that opens every file would empty the robot. A reader is known by the thread that opened the file (FUSE tells
its number): its name, the name of its process, the program, and for interpreters the script. A name that matches one of
the patterns is refused; so is everybody on a mount that never recalls. Nobody is looked at before a read needs a disc.

Not a border against malice: a process may call itself what it likes. Facts: proc_pid_comm(5) (15 bytes of the name),
proc_pid_cmdline(5), open(2) for O_NONBLOCK.
"""

import os
import time
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
        self._proc = proc
        self._known: dict[int, tuple[float, bool]] = {}
        """Threads looked at, until when that is believed, and whether they are refused."""

    def judge(self, pid: int, flags: int) -> Recall:
        """How far the reads of a handle may go.

        Args:
            pid: thread that opened it, as FUSE tells; 0 if it is the kernel or of another pid namespace.
            flags: of its ``open``.
        """
        if self._recall is Recall.NEVER or (pid > 0 and self._is_refused(pid)):
            return Recall.NEVER
        return Recall.START if flags & os.O_NONBLOCK else self._recall

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
        return any(fnmatchcase(name, pattern) for name in names(pid, self._proc) for pattern in self._refused)


def names(pid: int, proc: Path = Path("/proc")) -> list[str]:
    """What a thread and its process are called; empty if it has ended."""
    found = [_text(proc / str(pid) / "comm").strip("\n")]
    words = _text(proc / str(pid) / "cmdline").split("\0")
    program = _base(words[0])
    found.append(program)
    if any(fnmatchcase(program, pattern) for pattern in _INTERPRETERS):
        found += [_base(word) for word in words[1:] if not word.startswith("-")][:1]
    leader = next((line for line in _text(proc / str(pid) / "status").splitlines() if line.startswith("Tgid:")), "")
    if leader and (tgid := leader.split()[1]) != str(pid):
        found.append(_text(proc / tgid / "comm").strip("\n"))
    return [name for name in found if name]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _base(word: str) -> str:
    return word.rpartition("/")[2]
