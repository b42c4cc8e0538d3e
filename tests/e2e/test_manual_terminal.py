"""A person is the robot: three discs are archived and recalled on a terminal, put in in the wrong order.

What the person saw and typed is kept in ``tests/golden/manual_terminal.txt`` (``GOLDEN=write``: anew), and shown
in ``robot/MANUAL.md``.
"""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot.ports import Element, ElementKind
from robot.sim.bins import INPUT
from robot.sim.world import DiscKind, World
from tests.e2e.site import MB, START_SECONDS, Site

pytestmark = pytest.mark.e2e

GOLDEN = Path(__file__).parent.parent / "golden" / "manual_terminal.txt"
SHELF, DRIVE = Element(ElementKind.OUTPUT_BIN, 1), Element(ElementKind.DRIVE, 0)
PROMPT = "answer> "


class Person:
    """Sits at the terminal of ``odarchive serve``, and has the world's discs in his hands."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.world = World.create(site.world, slots=0, drives=1, mailslots=0, blanks=())
        for number in range(3, 0, -1):
            self.world.add_disc(f"disc-{number}", INPUT, DiscKind(10 * MB))
        self.transcript = ""
        self.pid = 0
        self.terminal = -1

    def serve(self) -> None:
        """Start the librarian on a terminal of its own."""
        self.transcript += "$ odarchive serve 2>serve.log\n"
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            with (self.site.root / "librarian.log").open("ab") as log:
                os.dup2(log.fileno(), 2)
            os.environ["ODARCHIVE"] = str(self.site.archive)
            os.execv(sys.executable, [sys.executable, "-m", "odarchive", "serve"])  # noqa: S606  the child of the pty
        self.site.wait_for((self.site.archive / "librarian.sock").exists, "librarian")

    def leave(self) -> None:
        """End the librarian, as Ctrl-C does."""
        if self.pid:
            os.kill(self.pid, signal.SIGINT)
            end = time.monotonic() + 60
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > end:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(0.02)
            os.close(self.terminal)
            self.pid = 0

    def read(self, seconds: float = START_SECONDS) -> str:
        """The next errand: all up to the prompt."""
        text, end = "", time.monotonic() + seconds
        while not text.endswith(PROMPT):
            if not select.select([self.terminal], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"no prompt came: {text!r}\n{self.site.logs()}")
            text += os.read(self.terminal, 4096).decode()
        text = text.replace("\r\n", "\n")
        self.transcript += text
        return text.rpartition("== errand")[2].splitlines()[1]

    def type(self, line: str) -> None:
        """Type an answer; the terminal echoes it."""
        os.write(self.terminal, f"{line}\n".encode())
        echo = b""
        while not echo.endswith(b"\n"):
            echo += os.read(self.terminal, 1)
        self.transcript += echo.decode().replace("\r\n", "\n")

    def carry(self, expected: str, disc: str | None = None) -> None:
        """Read an errand, do it, say so. ``disc``: what the person puts in, whatever was asked for."""
        sentence = self.read()
        assert re.fullmatch(expected, sentence), sentence
        if sentence.startswith("Put "):
            names = self.world.discs()
            place = next(names[name] for name in names if name == disc) if disc else str(INPUT)
            at = self.world.at(place)
            assert at[-1] == (disc or at[-1])
            self.world.lift(place, DRIVE)
            if disc:
                self.transcript += f"({disc} is put in) "
        else:
            self.world.lift(DRIVE, f"shelf {self.world.at(DRIVE)[0]}")
        self.type("done")

    def command(self, *words: str) -> subprocess.Popen:
        """A command in another terminal."""
        self.transcript += f"\n$ odarchive {' '.join(words)}\n"
        env = {**os.environ, "ODARCHIVE": str(self.site.archive)}
        argv = [sys.executable, "-m", "odarchive", *words]
        return subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def person(tmp_path):
    with Site(tmp_path / "site") as site:
        someone = Person(site)
        yield someone
        someone.leave()


def recalls(site):
    jobs = json.loads(site.command("job", "list", "--open", "--json").stdout)["jobs"]
    return [job for job in jobs if job["kind"] == "recall"]


def test_three_discs_are_archived_and_recalled_in_the_wrong_order(person):
    site = person.site
    for number in range(3):
        (site.source / f"{number}.raw").write_bytes(os.urandom(6_000_000))
    site.command("init", str(site.archive), "--robot", "manual", "--drive", f"file:{site.world}/drives/0")
    site.command("scan", str(site.source))
    site.command("plan", "--media", "10MB")
    person.serve()

    burning = person.command("burn", "all", "--wait")
    for number in (1, 2, 3):
        person.carry(r"Put a blank disc into drive 0\.")
        if number < 3:
            person.carry(rf"Take disc ODA_000{number} out of drive 0 and put it on the shelf\.")
    assert burning.wait(START_SECONDS) == 0
    person.leave()
    person.transcript += "\n(The librarian ends; the person takes disc ODA_0003 out, and the cache is emptied.)\n\n"
    person.world.set_tray(0, is_open=True)
    person.world.lift(DRIVE, "shelf disc-3")
    shutil.rmtree(site.archive / "cache")

    person.serve()
    recalling = person.command("recall", "photos", "--wait")
    assert "out of drive 0" in person.read()  # by the journal a disc lies there, and the drive finds none
    site.wait_for(lambda: len(recalls(site)) == 3, "the command, which asks for all three")
    person.type("empty")
    person.carry(r"Put disc ODA_0001 or ODA_0002 or ODA_0003 into drive 0\.", "disc-3")
    person.carry(r"Take disc ODA_0003 out of drive 0 and put it on the shelf\.")
    person.carry(r"Put disc ODA_0001 or ODA_0002 into drive 0\.", "disc-2")
    person.carry(r"Take disc ODA_0002 out of drive 0 and put it on the shelf\.")
    person.carry(r"Put disc ODA_0001 into drive 0\.", "disc-1")
    assert recalling.wait(START_SECONDS) == 0
    assert len([path for path in (site.archive / "cache").rglob("*") if path.is_file()]) >= 3
    assert site.violations() == []
    person.leave()
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(person.transcript)
    assert person.transcript == GOLDEN.read_text()


def test_the_manual_shows_this_conversation():
    answers = "".join(f"{line}\n" for line in GOLDEN.read_text().splitlines() if line.startswith("  "))
    block = re.search(r"(?:  .*\n){7}", answers)[0]
    first, rest = GOLDEN.read_text().split(block, 1)
    shown = first + block + rest.replace(block, "")
    assert shown.strip() in (Path(__file__).parents[2] / "robot" / "MANUAL.md").read_text()
