"""The librarian over every simulated machine, as processes: chosen by init, reached by its port, burned with, asked."""

import json
import os
import shlex
import sys

import pytest

from robot.sim.machines import MACHINES
from tests.e2e.site import MB, Site

pytestmark = pytest.mark.e2e

CLIENT = [sys.executable, "-m", "robot.sim.client"]
CHOSEN = {
    "openjuke": lambda port: ["--robot", "odjp", "--port", port],
    "mtx": lambda port: ["--robot", "mtx", "--device", port, "--program", shlex.join([*CLIENT, "mtx"])],
    "script": lambda port: ["--robot", "script", "--device", port, "--script", shlex.join([*CLIENT, "script"])],
    "manual": lambda port: ["--robot", "manual", "--port", port, "--slots", "6"],
    "generic": lambda port: ["--robot", "generic", "--port", port],
    "ras13": lambda port: ["--robot", "ras13", "--port", port],
    "odrobot": lambda port: ["--robot", "odrobot", "--port", port],
}
STACKS = {"generic", "ras13", "odrobot"}
SLOW = {"odrobot"}
"""Its driver waits for ways and pauses of the real machine; a burn would take minutes."""


@pytest.fixture(params=sorted(MACHINES))
def site(request, tmp_path):
    """A librarian with that machine."""
    with Site(tmp_path / "site") as site:
        drives = 1 if request.param in STACKS else 2
        site.start(
            "robot",
            *("-m", "robot.sim", request.param, "--world", str(site.world), "--slots", "6", "--drives", str(drives)),
            *("--blanks", "1-3", "--capacity", str(10 * MB), "--instant"),
        )
        site.wait_for((site.world / "tty").exists, "the robot's tty")
        words = [word for n in range(drives) for word in ("--drive", f"file:{site.world}/drives/{n}")]
        site.command("init", str(site.archive), *CHOSEN[request.param](str(site.world / "tty")), *words)
        site.machine = request.param
        yield site


def test_there_is_a_way_to_choose_each_of_them():
    assert set(CHOSEN) == set(MACHINES)


def test_a_disc_is_burned_and_the_machine_tells_how_it_stands(site):
    for name in ("a", "b"):
        (site.source / name).write_bytes(os.urandom(100_000))
    site.command("scan", str(site.source))
    site.command("plan", "--media", "10MB")
    site.serve()
    status = json.loads(site.command("robot", "status", "--json").stdout)
    assert status["state"] == "ready"
    assert len(status["drives"]) == (1 if site.machine in STACKS else 2)
    assert len(status["slots"]) == (0 if site.machine in STACKS else 6)
    if site.machine not in SLOW:
        site.command("burn", "all", "--wait")
        held = json.loads(site.command("robot", "status", "--json").stdout)["drives"]
        assert any(drive["holds"].startswith("disc ODA_0001 ") for drive in held)
        assert site.violations() == []
    assert site.command("robot", "status").stdout
