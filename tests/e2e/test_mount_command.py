"""``mount`` in the background returns when the mount answers, or says why not; ``umount`` ends it."""

import os

import pytest

from odfs.mountpoint import mounted_at
from tests.e2e.site import Site

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="needs /dev/fuse"),
]

IMPATIENT = """
import sys
import odarchive.cli.burn
from odarchive.cli import main
assert 10 <= sys.modules["odarchive.cli.burn"]._PATIENCE <= 60
sys.modules["odarchive.cli.burn"]._PATIENCE = 1.0
sys.exit(main())
"""
"""The program, bearing a trouble for a second instead of the time that a librarian takes to be there again."""


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path) as site:
        site.init()
        yield site


def _serving(site):
    """Whether a process serves the mount."""
    needle = os.fsencode(site.mountpoint)
    for number in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                words = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if needle in words and b"--foreground" in words:
            return True
    return False


def test_background_mount_and_umount(site):
    site.command("mount", str(site.mountpoint))
    assert mounted_at(site.mountpoint) is not None
    assert os.listdir(site.mountpoint) == []  # nothing is on a verified disc
    assert _serving(site)
    again = site.command("mount", str(site.mountpoint), check=False)
    assert (again.returncode, again.stdout) == (24, "")
    assert again.stderr.splitlines()[-1].startswith("odarchive: ")
    assert "already mounted" in again.stderr
    site.command("umount", str(site.mountpoint))
    assert mounted_at(site.mountpoint) is None
    site.wait_for(lambda: not _serving(site), "the end of the mount's process")


def test_a_mount_that_cannot_be_says_why_in_one_line(site):
    done = site.command("mount", str(site.root / "nowhere"), check=False)
    assert (done.returncode, done.stdout) == (24, "")
    assert [line for line in done.stderr.splitlines() if line.startswith("odarchive: ")] == [
        done.stderr.splitlines()[-1]
    ]
    assert "does not exist" in done.stderr


def test_burn_without_blanks_asks_for_them(site):
    site.start_robot(blanks="none")
    (site.source / "file").write_bytes(b"x" * 1000)
    site.command("scan", str(site.source))
    site.command("plan", "--media", "10MB")
    site.serve()
    said = site.root / "impatient.log"
    assert site.start("impatient", "-c", IMPATIENT, "burn", "all", "--wait").wait(120) == 20, site.logs()
    assert "blank" in said.read_text().splitlines()[-1]
    assert '"state": "waiting"' in site.command("job", "list", "--json").stdout
