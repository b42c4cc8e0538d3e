"""The main chain as processes: scan, plan, burn by a robot, mount, read; and what happens when parts go away."""

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.site import START_SECONDS, Site

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Three discs burned and verified, librarian and mount running."""
    with Site(tmp_path_factory.mktemp("chain") / "site") as site:
        for number in range(3):
            folder = site.source / f"{number}"
            folder.mkdir()
            for name in ("a", "b"):
                (folder / f"{name}.raw").write_bytes(os.urandom(1_500_000))
        (site.source / "empty").mkdir()
        (site.source / "link").symlink_to("0/a.raw")
        site.start_robot(capacity=5_000_000)
        site.init()
        site.command("scan", str(site.source))
        site.command("plan", "--media", "5MB")
        site.serve()
        site.command("burn", "all", "--wait")
        site.command("mount", str(site.mountpoint))
        yield site


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def moves(site) -> int:
    return json.loads(site.command("robot", "status", "--json").stdout)["moves"]


def empty_cache(site) -> None:
    for folder in (site.archive / "cache").glob("??"):
        shutil.rmtree(folder)
    Path("/proc/sys/vm/drop_caches").write_text("3") if os.geteuid() == 0 else None


def test_browsing_moves_no_disc(site):
    before = moves(site)
    seen = sorted(
        os.path.relpath(os.path.join(where, name), site.mountpoint)
        for where, folders, files in os.walk(site.mountpoint)
        for name in folders + files
    )
    assert seen == sorted(
        [
            "photos",
            "photos/empty",
            "photos/link",
            *(f"photos/{n}" for n in range(3)),
            *(f"photos/{n}/{f}.raw" for n in range(3) for f in "ab"),
        ]
    )
    for where, folders, files in os.walk(site.mountpoint):
        for name in folders + files:
            os.lstat(os.path.join(where, name))
    assert moves(site) == before


def test_reading_gives_the_bytes_and_moves_discs(site):
    empty_cache(site)
    before = moves(site)
    for file in sorted(site.source.rglob("*.raw")):
        assert digest(site.mountpoint / "photos" / file.relative_to(site.source)) == digest(file)
    assert moves(site) > before
    assert site.violations() == []


def test_staging_is_empty_and_no_other_place_holds_the_bytes(site):
    assert [path for path in (site.archive / "staging").rglob("*") if path.is_file()] == []


def test_a_robot_that_was_off_for_a_while_serves_again(site):
    empty_cache(site)
    robot = site.processes[0]
    site.stop(robot, signal.SIGKILL)
    done = site.command("robot", "status", check=False)
    assert done.returncode == 22
    assert "does not answer" in done.stderr
    site.start_robot()
    file = site.mountpoint / "photos" / "1" / "a.raw"

    def readable():
        try:
            return digest(file) == digest(site.source / "1" / "a.raw")
        except OSError:
            return False

    site.wait_for(readable, "the recall after the robot came back")


def test_a_librarian_that_is_killed_and_restarted_costs_a_reader_only_time(site):
    empty_cache(site)
    librarian = next(process for process in site.processes if "serve" in process.args)
    site.stop(librarian, signal.SIGKILL)
    reader = site.start(
        "reader",
        "-c",
        f"import sys; sys.stdout.write(open({str(site.mountpoint)!r} + '/photos/2/b.raw', 'rb').read().hex())",
    )
    site.serve()
    assert reader.wait(START_SECONDS) == 0
    assert bytes.fromhex((site.root / "reader.log").read_text()) == (site.source / "2" / "b.raw").read_bytes()


def test_a_second_run_has_nothing_to_do_and_a_rename_costs_no_disc(site):
    site.command("scan", str(site.source))
    assert json.loads(site.command("plan", "--media", "5MB", "--json").stdout)["new_bytes"] == 0
    (site.source / "0").rename(site.source / "zero")
    site.command("scan", str(site.source))
    planned = json.loads(site.command("plan", "--media", "5MB", "--json").stdout)
    assert (planned["new_bytes"], planned["segments"]) == (0, [])
    site.wait_for((site.mountpoint / "photos" / "zero").is_dir, "the new name in the mount")
    assert digest(site.mountpoint / "photos" / "zero" / "a.raw") == digest(site.source / "zero" / "a.raw")


def test_unmounting_leaves_nothing(site):
    site.command("umount", str(site.mountpoint))
    assert not os.path.ismount(site.mountpoint)
