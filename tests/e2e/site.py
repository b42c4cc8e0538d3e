"""A whole installation in a folder: simulated robot, archive, librarian, mount, as real processes. For tests only."""

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from odarchive.catalogue.check import check
from odarchive.opened import open_archive
from tests.e2e.forked import Forked

MB = 1_000_000
START_SECONDS = 120
"""Ends a hang, on any machine; nothing takes that long where all is well."""


class Site:
    """Folders and processes; ``close`` ends all of them. Waiting is bounded by real time, never asserted on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.world = root / "world"
        self.archive = root / "archive"
        self.source = root / "photos"
        self.mountpoint = root / "mnt"
        self.processes: list[Forked] = []
        self.source.mkdir(parents=True, exist_ok=True)
        self.mountpoint.mkdir(exist_ok=True)

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End everything, the mount first."""
        subprocess.run(["fusermount3", "-uzq", str(self.mountpoint)], check=False)
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)

    def command(self, *words: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess:
        """Run ``odarchive`` as a person would."""
        env = {**os.environ, "ODARCHIVE": str(self.archive)}
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            process = Forked(("-m", "odarchive", *words), env, out, err)
            try:
                code = process.wait(timeout)
            finally:
                process.kill()
            done = subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())
        if check and done.returncode != 0:
            raise AssertionError(f"{words} exited with {done.returncode}: {done.stderr}\n{self.logs()}")
        return done

    def start_robot(self, *, slots: int = 8, drives: int = 2, blanks: str = "1-8", capacity: int = 10 * MB) -> None:
        """A new world (if there is none) and its machine."""
        (self.world / "tty").unlink(missing_ok=True)
        self.start(
            "robot",
            "-m",
            "robot.sim",
            "openjuke",
            *("--world", str(self.world), "--slots", str(slots), "--drives", str(drives)),
            *("--blanks", blanks, "--capacity", str(capacity), "--instant"),
        )
        self.wait_for((self.world / "tty").exists, "the robot's tty")

    def init(self) -> None:
        """Make the archive."""
        drives = [word for n in (0, 1) for word in ("--drive", f"file:{self.world}/drives/{n}")]
        self.command("init", str(self.archive), "--robot", "odjp", "--port", str(self.world / "tty"), *drives)

    def start(self, name: str, *words: str) -> Forked:
        """A Python process whose words go to ``name.log``."""
        log = self.root / f"{name}.log"
        log.touch()  # it may be read at once
        process = Forked(words, {**os.environ, "ODARCHIVE": str(self.archive)}, log, log)
        self.processes.append(process)
        return process

    def serve(self) -> Forked:
        """A librarian; returns when its socket is there."""
        (self.archive / "librarian.sock").unlink(missing_ok=True)
        process = self.start("librarian", "-m", "odarchive", "serve")
        self.wait_for(lambda: (self.archive / "librarian.sock").exists() or process.poll() is not None, "librarian")
        assert process.poll() is None, self.logs()
        return process

    def stop(self, process: Forked, number: int = signal.SIGTERM) -> int:
        """Signal a process and wait for its end."""
        with suppress(ProcessLookupError):
            process.send_signal(number)
        return process.wait(START_SECONDS)

    def wait_for(self, condition, what: str, seconds: float = START_SECONDS) -> None:
        """Poll until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come within {seconds} s\n{self.logs()}")
            time.sleep(0.02)

    def violations(self) -> list:
        """What ``odarchive check`` would say."""
        return list(check(open_archive(self.archive).catalogue))

    def logs(self) -> str:
        """The words of all processes."""
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.root.glob("*.log")))
