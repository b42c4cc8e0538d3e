"""The README's tour is run as it stands there, with a simulated robot; only its folder is another one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.site import Site

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
OF_THE_ISSUE = (
    *("scan", "snapshots", "diff", "history", "find", "whereis", "forget", "prune", "import", "plan", "copies", "cost"),
    *("init", "create_db", "plan_iso", "segment", "num_isos", "num-isos", "create_iso", "write_iso", "archive"),
    *("get_info", "get-info"),
)


def tour() -> str:
    """The commands of the tour, one block after the other."""
    section = (ROOT / "README.md").read_text().split("\n## The tour\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def said(output: str, command: str) -> list[str]:
    """What was printed from each time of the command on, up to the next command."""
    return [part.split("\n+ ")[0] for part in output.split(f"\n+ odarchive {command}")[1:]]


def test_the_tour_shows_every_command():
    shown = set(re.findall(r"^odarchive(?: -a \S+)? ([a-z_-]+)", tour(), re.MULTILINE))
    assert set(OF_THE_ISSUE) <= shown


def test_the_tour(tmp_path):
    with Site(tmp_path / "site") as site:
        site.start_robot(capacity=50_000_000, blanks="1-3", slots=4)
        site.init()
        site.serve()
        script = tour().replace("/tmp/tour", str(tmp_path / "tour"))  # noqa: S108  the README's own
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-exc", script],
            env={**os.environ, "PATH": path, "ODARCHIVE": str(site.archive)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        output = done.stdout.replace(str(tmp_path / "tour"), "/tmp/tour")  # noqa: S108
        assert done.returncode == 0, output
        first, second, pretended = said(output, "archive")
        assert "6.0 MB" in first, first
        assert "nothing to burn" in second or "new: 0 files" in second, second
        assert "0 B" in said(output, "plan --media 50MB --dry-run")[0]
        assert "shoe box 3" in said(output, "whereis old/old.txt")[0]
        assert "old.txt" in said(output, "ls small/attic")[0]
        assert "verified" in said(output, "whereis photos/holidays/IMG_1.jpg")[0]
        assert pretended
        site.command("check")
