"""More readers that wait than may: the rest is refused at once, all else goes on, and the mount ends at once."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from memory_mount import CROWD, MOST_WAITING
from memory_tree import pattern

from odfs.mountpoint import canonical, mounted_at
from tests.fuse.server import HERE, LIMIT, Server, Start

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]
ADAPTERS = pytest.mark.parametrize("adapter", ["direct", "library"])


def crowd(server: Server) -> subprocess.Popen[str]:
    """All readers at once; returns when as many wait as may and all others were refused."""
    told, refused = os.pipe()
    argv = [sys.executable, HERE / "crowd.py", server.directory / "crowd", str(CROWD), str(refused)]
    readers = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, pass_fds=[refused])
    os.close(refused)
    while int(str(server.order("recalled"))) < MOST_WAITING:
        assert readers.poll() is None
    with open(told, "rb") as pipe:
        assert len(pipe.read(CROWD - MOST_WAITING)) == CROWD - MOST_WAITING
    return readers


def outcome(readers: subprocess.Popen[str]) -> dict[int, int]:
    """How many readers ended with which errno."""
    said, _ = readers.communicate(timeout=LIMIT)
    return {int(number): count for number, (count, _) in json.loads(said).items()}


def check_others(root: Path) -> None:
    for name in ("plain", "backed", "hostile/Case"):
        path = root / name
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            assert file.read() == pattern(path.stat().st_ino, 0, path.stat().st_size)
    assert len(os.listdir(root / "many")) > 0


@ADAPTERS
def test_readers_beyond_the_most_are_refused_and_the_others_served(start: Start, adapter: str) -> None:
    server = start(adapter, "crowd")
    server.event("mounted")
    readers = crowd(server)
    check_others(server.directory)
    assert server.order("recalled") == MOST_WAITING
    server.order("release")
    assert outcome(readers) == {0: MOST_WAITING, errno.EAGAIN: CROWD - MOST_WAITING}
    assert "reads wait for discs" in server.log.read_text()
    check_others(server.directory)


@ADAPTERS
def test_a_mount_with_a_crowd_ends_at_once(start: Start, adapter: str) -> None:
    server = start(adapter, "crowd")
    server.event("mounted")
    readers = crowd(server)
    server.process.send_signal(signal.SIGTERM)
    server.event("ended")
    assert server.process.wait(LIMIT) == 0
    assert mounted_at(canonical(server.directory)) is None
    ended = outcome(readers)
    assert sum(ended.values()) == CROWD
    assert ended.keys() <= {errno.EAGAIN, errno.ECONNABORTED, errno.ENOTCONN, errno.ENOENT}
