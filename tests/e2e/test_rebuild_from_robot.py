"""The database is lost: the discs in the robot give it back, with the slots they lie in."""

import json
import os
import signal

import pytest

from tests.e2e.site import START_SECONDS, Site
from tests.odarchive.rebuild.test_rebuild import view

pytestmark = pytest.mark.e2e


@pytest.fixture
def site(tmp_path):
    """Three discs burned and verified, blanks, a foreign disc and one that cannot be read; no database any more."""
    with Site(tmp_path / "site") as site:
        for number in range(3):
            folder = site.source / f"{number}"
            folder.mkdir()
            for name in ("a", "b"):
                (folder / f"{name}.raw").write_bytes(os.urandom(1_500_000))
        site.start_robot(capacity=5_000_000)
        site.init()
        site.command("scan", str(site.source))
        site.command("plan", "--media", "5MB")
        librarian = site.serve()
        site.command("burn", "all", "--wait")
        site.stop(librarian)
        yield site


def test_the_discs_in_the_robot_give_the_archive_back(site):
    database = site.archive / "catalogue.db"
    before = view(database)
    assert site.command("rebuild-catalog", "--from-discs", "robot", check=False).returncode != 0, "there is a database"
    blank = [path for path in sorted((site.world / "discs").glob("*.disc")) if path.stat().st_size == 0]
    blank[-1].write_bytes(b"\0" * 2048 * 300)
    blank[-2].write_bytes(b"\0" * 2048 * 300)
    sheet = blank[-2].with_suffix(".json")
    sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"bad_sectors": [[0, 300]]}))
    for path in site.archive.glob("catalogue.db*"):
        path.unlink()
    done = site.command("rebuild-catalog", "--from-discs", "robot", check=False)
    assert done.returncode == 1, done.stderr
    assert "3 discs" in done.stdout
    assert "disc 8 of 8" in done.stderr
    assert "disc 3 of 3 into the catalogue: slot " in done.stderr
    assert "slot 7: its disc cannot be read" in done.stderr
    assert "slot 8 is no disc of an archive" in done.stderr
    assert not (site.archive / "run" / "rebuild").exists()
    assert view(database) == before
    assert site.violations() == []
    site.serve()
    moved = json.loads(site.command("robot", "status", "--json").stdout)["moves"]
    site.command("mount", str(site.mountpoint))
    for path in sorted(site.source.rglob("*.raw")):
        assert (site.mountpoint / site.source.name / path.relative_to(site.source)).read_bytes() == path.read_bytes()
    moves = json.loads(site.command("robot", "status", "--json").stdout)["moves"]
    assert 0 < moves - moved <= 5, "three discs, each loaded once: their slots are known"


def test_it_goes_on_where_it_was_stopped(site):
    log, code = site.root / "rebuild.log", None
    for _ in range(5):  # on a busy machine the last disc may be read before the signal comes
        for path in site.archive.glob("catalogue.db*"):
            path.unlink()
        log.write_text("")
        process = site.start("rebuild", "-m", "odarchive", "rebuild-catalog", "--from-discs", "robot")
        site.wait_for(lambda: "disc 2 of 8" in log.read_text(), "two discs")
        process.send_signal(signal.SIGINT)
        code = process.wait(START_SECONDS)
        if code == 75:
            break
    assert code == 75
    assert "goes on from there" in log.read_text()
    assert not (site.archive / "catalogue.db").exists()
    kept = [path.parent.name for path in (site.archive / "run" / "rebuild").glob("*/slot.json")]
    assert len(kept) >= 2
    done = site.command("rebuild-catalog", "--from-discs", "robot")
    assert "3 discs" in done.stdout
    assert site.violations() == []
    assert list((site.archive / "run").glob("rebuild*")) == []
