"""Ten thousand readers at once of files that are on discs, with nobody to fetch them: each gets an errno in time."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from odarchive.catalogue import contents
from odarchive.catalogue.database import driver
from tests.odarchive.mount.test_live_mount import ENTRY, Site, pytestmark, soon  # noqa: F401  the same conditions

COUNT, DEADLINE = 10_000, 3.0
LATE = 90.0
"""Seconds by which all have ended, on a machine that does much else: they need five."""
LARGEST = 200
"""MiB the mount may ever have resident."""
CROWD = Path(__file__).parents[2] / "fuse" / "crowd.py"
FOLDER = 500_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    (made.root / "archive.toml").write_text(f"[recall]\ndeadline = {DEADLINE}\n")
    with made.catalogue.write() as connection:
        raw = driver(connection)
        raw.execute(ENTRY.replace("33188", "16877"), (b"crowd", 0, FOLDER, 0, None))
        inside = ENTRY.replace("VALUES (1,", f"VALUES ({FOLDER},")
        for number in range(COUNT):
            body = b"%d" % number
            content, _ = contents.keep(raw, blake3(body).digest(), len(body))
            raw.execute(inside, (b"%05d" % number, 0, FOLDER + 1 + number, len(body), content))
    made.add(b"here", 100, b"here" * 1000)
    yield made
    made.unmount()
    made.catalogue.close()


def test_ten_thousand_readers_at_once(site: Site) -> None:
    argv = [sys.executable, "-m", "odarchive", "-a", site.root, "mount", "--foreground", site.directory]
    with (site.root / "log").open("wb") as log:
        mount = subprocess.Popen(argv, stdout=log, stderr=log)
    readers = None
    try:
        assert soon((site.directory / "here").exists)
        readers = subprocess.Popen(
            [sys.executable, CROWD, site.directory / "crowd", str(COUNT)], stdout=subprocess.PIPE, text=True
        )
        served = 0
        while readers.poll() is None:
            with (site.directory / "here").open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                assert file.read() == b"here" * 1000
            served += 1
            time.sleep(0.02)
        if readers.returncode == 77:  # TOO_MANY
            pytest.skip(f"{COUNT} threads may not be started here")
        found = {int(number): tuple(one) for number, one in json.loads(readers.stdout.read()).items()}
        print(found, served, "reads of a cached file meanwhile")
        assert sum(count for count, _ in found.values()) == COUNT
        assert found.keys() == {errno.EAGAIN, errno.ETIMEDOUT}
        assert max(slowest for _, slowest in found.values()) < LATE
        assert served > 20
        assert highest(mount) < LARGEST
        began = time.monotonic()
        mount.send_signal(signal.SIGTERM)
        assert mount.wait(LATE) == 0
        assert time.monotonic() - began < LATE / 4
    finally:
        for process in (readers, mount):
            if process is not None:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()


def highest(process: subprocess.Popen[bytes]) -> int:
    """MiB that a process has had resident at most."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM:"))
