"""Ten thousand readers at once, each of another file, all on one disc; writes ``CROWD.md`` beside itself.

``pytest tests/bench/mount/test_bench_crowd.py``. Wants /dev/fuse and two minutes. ``ODARCHIVE_BENCH_READERS`` takes
another number, whose figures are printed and not kept. With a librarian all those that may wait are served, the others
are refused at once; with one that does not answer (stopped) all end by the deadline. Meanwhile files of the cache are
read. Figures are for people; asserted is that each reader ends with the bytes or a documented errno, and that memory is
bounded.
"""

import errno
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [os.fspath(HERE), os.fspath(HERE.parent)]

from tests.e2e.site import MB, Site  # noqa: E402

USUAL = 10_000
READERS = int(os.environ.get("ODARCHIVE_BENCH_READERS", USUAL))
DEADLINE = 20.0
LARGEST = 250
"""MiB resident, of mount and of librarian."""
CROWD = HERE.parents[1] / "fuse" / "crowd.py"
HEAD = (
    "| librarian | read | refused (EAGAIN) | timed out | slowest, s | a cached file meanwhile: median, slowest, ms"
    " | mount, MiB | librarian, MiB | end of the mount, s |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]


def highest(process: subprocess.Popen) -> int:
    """MiB that a process has had resident at most."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))


def prepare(site: Site) -> None:
    """All files on one disc; none of them cached but one."""
    (site.source / "crowd").mkdir()
    for number in range(READERS):
        (site.source / "crowd" / f"{number:05}").write_bytes(b"%08d" % number * 500)
    (site.source / "here").write_bytes(os.urandom(4096))
    site.start_robot(capacity=400 * MB)
    site.init()
    config = site.archive / "archive.toml"
    config.write_text(config.read_text().replace("# deadline = 600", f"deadline = {DEADLINE}"))
    site.command("scan", str(site.source))
    site.command("plan", "--media", "300MB")
    site.serve()
    site.command("burn", "all", "--wait")


def empty(site: Site) -> None:
    """Nothing of the crowd is in the cache."""
    for file in (site.archive / "cache").glob("??/*"):
        if file.stat().st_size != 4096:
            file.unlink()


def crowd(site: Site) -> tuple[dict[int, tuple[int, float]], list[float]]:
    """How many ended with which errno and how late, and the milliseconds of cached reads meanwhile."""
    argv = [sys.executable, CROWD, site.mountpoint / "photos/crowd", str(READERS)]
    readers = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    waits = []
    while readers.poll() is None:
        began = time.monotonic()
        with (site.mountpoint / "photos/here").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            assert len(file.read()) == 4096
        waits.append(1000 * (time.monotonic() - began))
        time.sleep(0.02)
    said, _ = readers.communicate()
    return {int(number): (count, slowest) for number, (count, slowest) in json.loads(said).items()}, waits


def test_ten_thousand_readers_at_once(tmp_path: Path) -> None:
    lines = ""
    with Site(tmp_path / "site") as site:
        prepare(site)
        librarian = site.processes[-1]
        for word in ("answers", "does not answer"):
            mount = site.start("mount", "-m", "odarchive", "mount", "--foreground", str(site.mountpoint))
            site.wait_for((site.mountpoint / "photos/here").exists, "the mount")
            (site.mountpoint / "photos/here").read_bytes()
            empty(site)
            if word != "answers":
                librarian.send_signal(signal.SIGSTOP)
            found, waits = crowd(site)
            memory = highest(mount), highest(librarian)
            began = time.monotonic()
            assert site.stop(mount) == 0
            end = time.monotonic() - began
            librarian.send_signal(signal.SIGCONT)
            counts = " | ".join(str(found.get(number, (0, 0))[0]) for number in (0, errno.EAGAIN, errno.ETIMEDOUT))
            slowest = max(late for _, late in found.values())
            lines += (
                f"| {word} | {counts} | {slowest:.1f} | {statistics.median(waits):.1f}, {max(waits):.0f}"
                f" | {memory[0]} | {memory[1]} | {end:.1f} |\n"
            )
            assert sum(count for count, _ in found.values()) == READERS
            assert found.keys() <= {0, errno.EAGAIN, errno.ETIMEDOUT}
            assert (0 in found) == (word == "answers")
            assert max(memory) < LARGEST
    print(HEAD + lines)
    if READERS == USUAL:
        title = f"# {READERS:,} readers at once\n\nMade by `pytest tests/bench/mount/test_bench_crowd.py`; "
        (HERE / "CROWD.md").write_text(f"{title}deadline {DEADLINE:.0f} s.\n\n{HEAD}{lines}")
