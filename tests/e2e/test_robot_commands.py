"""The commands about robot, drives, discs and queue against a real librarian and a simulated machine."""

import json

import pytest

from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path) as site:
        (site.source / "one.jpg").write_bytes(bytes(range(256)) * 500)
        site.start_robot(slots=60, blanks="1-6")
        site.init()
        site.command("scan", str(site.source))
        site.command("plan", "--media", "10MB")
        site.serve()
        yield site


def said(site, *words):
    return json.loads(site.command(*words, "--json").stdout)


def test_a_person_runs_the_machine_by_hand(site):
    site.command("burn", "all", "--wait")
    assert "drive 1 holds a blank of slot 3" in site.command("robot", "load", "3", "1").stdout
    refused = site.command("robot", "move", "3", "9", check=False)
    assert refused.returncode == 22
    assert "unload it first" in refused.stderr
    site.command("robot", "unload", "1")
    assert "slot 9" in site.command("robot", "move", "3", "9").stdout
    assert "picker is empty" in site.command("robot", "park").stdout
    rows = site.command("robot", "map").stdout.splitlines()
    assert rows[0].split()[1][:10].replace("·", "o") == "Do.ooo..o."
    assert "agree" in site.command("robot", "inventory").stdout
    assert "looked into" in site.command("robot", "inventory", "--read", "--all").stdout
    (disc,) = said(site, "disc", "list")["discs"]
    assert disc["place"] == "slot 1"
    assert "mailslot 1" in site.command("robot", "export", "1").stdout
    site.command("disc", "move", disc["label"], "shelf 3")
    assert said(site, "disc", "show", disc["label"])["place"] == "shelf 3"
    assert [place for _, place in said(site, "robot", "inventory")["outside"]] == ["shelf 3"]
    site.command("robot", "import")
    drives = said(site, "drive", "list")["drives"]
    assert sum(drive["burns"] for drive in drives) == 1
    assert "empty" in site.command("drive", "eject", "0").stdout
    assert site.violations() == []


def test_the_queue_is_paused_resumed_and_its_jobs_changed(site):
    assert "paused" in site.command("queue", "pause").stdout
    site.command("burn", "all")
    (job,) = said(site, "job", "list")["jobs"]
    assert job["state"] == "queued"
    assert said(site, "job", "cancel", str(job["id"]))["state"] == "cancelled"
    assert said(site, "job", "retry", str(job["id"]))["state"] == "queued"
    site.command("queue", "resume")
    site.command("burn", "all", "--wait")
    assert said(site, "job", "show", str(job["id"]))["state"] == "done"
    kinds = [event["kind"] for event in said(site, "job", "log", str(job["id"]))["events"]]
    assert "verified" in kinds
