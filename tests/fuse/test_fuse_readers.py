"""Who moves a disc by reading, and what those get who do not; on real mounts, counted at the far side."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from memory_mount import SLOW
from memory_tree import pattern

from tests.fuse.server import HERE, LIMIT, Server, Start

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]


def mounted(start: Start, *manner: str) -> Server:
    server = start(*manner)
    server.event("mounted")
    return server


def crawl(name: str, directory: Path) -> tuple[int, list[int]]:
    argv = [sys.executable, HERE / "crawler.py", name, directory]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=LIMIT)
    read, refused = json.loads(done.stdout)
    return read, refused


def wait_for_reads(server: Server, count: int) -> None:
    while int(str(server.order("reads"))) < count:
        pass  # each order is a round trip through the server


@pytest.mark.parametrize("name", ["tracker-extract", "gdk-thumbnailer"])
def test_a_crawler_over_everything_moves_no_disc_and_reads_what_is_at_hand(start: Start, name: str) -> None:
    server = mounted(start)
    read, refused = crawl(name, server.directory / "slow")
    assert (read, refused) == (0, [errno.EAGAIN] * SLOW)
    read, refused = crawl(name, server.directory / "hostile")
    assert read > 0
    assert refused == []
    assert server.order("recalled") == 0


def test_a_person_s_cat_moves_one(start: Start) -> None:
    server = mounted(start)
    reader = subprocess.Popen(["cat", server.directory / "slow/07"], stdout=subprocess.PIPE)
    wait_for_reads(server, 1)
    server.order("release")
    out, _ = reader.communicate(timeout=LIMIT)
    assert out == pattern((server.directory / "slow/07").stat().st_ino, 0, 65536)
    assert server.order("recalled") == 1


@pytest.mark.skipif(shutil.which("updatedb.plocate") is None, reason="plocate is not installed")
def test_updatedb_over_the_whole_mount_moves_no_disc(start: Start, tmp_path: Path) -> None:
    server = mounted(start)
    database = tmp_path / "locate.db"
    argv = ["updatedb.plocate", "-U", server.directory, "-o", database, "-l", "no"]
    argv += ["--prunefs", "", "--prunepaths", "", "--prune-bind-mounts", "no"]
    subprocess.run(argv, check=True, timeout=LIMIT)
    found = subprocess.run(["plocate", "-d", database, "slow/07"], capture_output=True, check=True, timeout=LIMIT)
    assert found.stdout.endswith(b"/slow/07\n")
    assert (server.order("recalled"), server.order("reads")) == (0, 0)


def test_a_reader_that_will_not_wait_gets_eagain_and_starts_the_recall(start: Start) -> None:
    server = mounted(start)
    descriptor = os.open(server.directory / "slow/03", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 4096)
    assert server.order("recalled") > 0
    server.order("release")
    ino = os.fstat(descriptor).st_ino
    assert os.read(descriptor, 4096) == pattern(ino, 0, 4096)
    os.close(descriptor)


def test_a_mount_that_never_recalls_refuses_everybody(start: Start) -> None:
    server = mounted(start, "never")
    done = subprocess.run(["cat", server.directory / "slow/00"], capture_output=True, check=False, timeout=LIMIT)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"Resource temporarily unavailable" in done.stderr
    assert (server.directory / "plain").read_bytes()
    assert server.order("recalled") == 0


@pytest.mark.parametrize("adapter", ["direct", "library"])
def test_who_is_refused_and_tries_for_ever_is_told_that_he_may_not(start: Start, adapter: str) -> None:
    """FFmpeg does, on EAGAIN; with it most thumbnailers of films would never end."""
    server = start("never", adapter)
    server.event("mounted")
    descriptor = os.open(server.directory / "slow/04", os.O_RDONLY)
    found = []
    for _ in range(20):
        with pytest.raises(OSError, match=r".") as refused:
            os.read(descriptor, 10)
        found.append(refused.value.errno)
    os.close(descriptor)
    assert found[0] == errno.EAGAIN
    assert found == sorted(found)
    assert found[-1] == errno.EACCES
    descriptor = os.open(server.directory / "slow/04", os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 10)
    os.close(descriptor)


def test_ctrl_c_on_a_waiting_cat_returns_at_once(start: Start) -> None:
    server = mounted(start)
    cat = ["env", "--default-signal=INT", "cat", server.directory / "slow/05"]  # tests in the background ignore it
    reader = subprocess.Popen(cat, stdout=subprocess.DEVNULL)
    wait_for_reads(server, 1)
    reader.send_signal(signal.SIGINT)
    assert reader.wait(LIMIT / 2) == -signal.SIGINT  # a read that cannot be interrupted ends with the test's limit


def test_plain_trio_serves_too(start: Start) -> None:
    server = mounted(start, "plain")
    assert (server.directory / "plain").read_bytes() == pattern((server.directory / "plain").stat().st_ino, 0, 100)
    assert len(os.listdir(server.directory / "hostile")) > 0
