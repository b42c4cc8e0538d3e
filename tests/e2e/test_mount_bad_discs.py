"""Reads through the mount of files whose disc is damaged, on a shelf, or in a robot that is broken.

Each ends within the deadline with its errno, the log names file and disc, and what is cached is served all the while.
"""

import errno
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.site import MB, Site

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]
DEADLINE = 4.0
LATE = 45.0
"""Seconds by which a read has ended: the deadline, what the file system adds, and a machine that does much else."""
NAMES = ("damaged", "shelved", "stuck", "here")
BODIES = {name: random.Random(name).randbytes(3 * MB) for name in NAMES}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("bad") / "site") as site:
        for name, body in BODIES.items():
            (site.source / name).write_bytes(body)
        site.start_robot(capacity=5 * MB)
        site.init()
        config = site.archive / "archive.toml"
        config.write_text(config.read_text().replace("# deadline = 600", f"deadline = {DEADLINE}"))
        site.command("scan", str(site.source))
        site.command("plan", "--media", "5MB")
        site.serve()
        site.command("burn", "all", "--wait")
        site.command("recall", "photos/here", "--wait")
        site.start("mount", "-m", "odarchive", "mount", "--foreground", str(site.mountpoint))
        site.wait_for(lambda: shown(site, "here").exists(), "the mount")
        assert shown(site, "here").read_bytes() == BODIES["here"]
        yield site


def shown(site: Site, name: str) -> Path:
    return site.mountpoint / "photos" / name


def disc_of(site: Site, name: str) -> dict:
    (piece,) = json.loads(site.command("whereis", f"photos/{name}", "--json").stdout)["pieces"]
    return piece["discs"][0]


def outcome(site: Site, name: str) -> bytes | int | None:
    """What a cold read of a whole file gives: bytes, or an errno; never late."""
    began = time.monotonic()
    try:
        descriptor = os.open(shown(site, name), os.O_RDONLY)
        try:
            parts = []
            while part := os.read(descriptor, MB):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno
    finally:
        assert time.monotonic() - began < LATE


def logged(site: Site, name: str, disc: str) -> str:
    """The last line of the mount's log about a file; it names the disc."""
    lines = [line for line in (site.root / "mount.log").read_text().splitlines() if f"photos/{name}'" in line]
    assert disc in lines[-1], lines
    return lines[-1]


def check_others(site: Site) -> None:
    with shown(site, "here").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert file.read() == BODIES["here"]


def test_a_damaged_disc_is_eio_and_not_one_wrong_byte(site: Site) -> None:
    label = disc_of(site, "damaged")["label"]
    body = BODIES["damaged"]
    hurt = 0
    for image in (site.world / "discs").iterdir():
        raw = image.read_bytes() if image.stat().st_size else b""
        at = raw.find(body[:4096])
        if at >= 0:
            with image.open("r+b") as file:
                file.seek(at + 2 * MB)
                file.write(b"\xee" * 100_000)
            hurt += 1
    assert hurt == 1
    while (found := outcome(site, "damaged")) == errno.ETIMEDOUT:
        pass  # the robot and a slow machine may need longer than this deadline; the librarian goes on meanwhile
    assert found == errno.EIO
    assert "EIO" in logged(site, "damaged", label)
    check_others(site)


def test_a_disc_on_the_shelf_is_named_with_the_way_to_find_it(site: Site) -> None:
    disc = disc_of(site, "shelved")
    site.command("robot", "park")
    site.command("robot", "export", str(disc["slot"]))
    site.command("disc", "move", disc["label"], "shelf 3")
    found = os.getxattr(shown(site, "shelved"), "user.odarchive.state")
    assert found == b"shelf"
    assert outcome(site, "shelved") in (errno.ETIMEDOUT, errno.EIO)
    assert "odarchive whereis" in logged(site, "shelved", disc["label"])
    assert "somebody must bring its disc" in site.command("whereis", "photos/shelved").stdout
    check_others(site)


def test_a_broken_robot_is_a_time_out_and_the_next_try_succeeds(site: Site) -> None:
    label = disc_of(site, "stuck")["label"]
    told = json.loads(site.command("whereis", "photos/stuck", "--json").stdout)
    assert (told["state"], told["cached_bytes"]) == ("robot", 0)
    assert told["wait_seconds"] > 0
    assert "could be here in" in site.command("whereis", "photos/stuck").stdout
    robot = site.processes[0]
    robot.send_signal(signal.SIGSTOP)
    try:
        assert outcome(site, "stuck") in (errno.ETIMEDOUT, errno.EIO)
        logged(site, "stuck", label)
        check_others(site)
    finally:
        robot.send_signal(signal.SIGCONT)
    site.wait_for(lambda: outcome(site, "stuck") == BODIES["stuck"], "the robot that is well again", 120)
    assert "in the cache" in site.command("whereis", "photos/stuck").stdout
    check_others(site)
