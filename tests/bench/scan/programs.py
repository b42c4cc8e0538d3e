"""odarchive and its peers over one tree, each measured as a whole process with all that it starts."""

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RATARMOUNT = "ratarmount==1.3.0"


@dataclass(frozen=True)
class Figure:
    """Seconds of wall and of all processors; resident memory of the largest process, in MB."""

    wall: float
    cpu: float
    memory: float


def measured(*command: str, **environment: str) -> Figure:
    """Run a command to its end, which must be good."""
    began = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **environment}
    )
    with child.stderr:
        error = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, (command, error[-2000:])
    return Figure(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def median(runs: list[Figure]) -> Figure:
    """Each of the figures' own median."""
    return Figure(*(statistics.median(getattr(one, key) for one in runs) for key in ("wall", "cpu", "memory")))


def in_turn(rounds: int, runs: dict[str, Callable[[], Figure]]) -> dict[str, Figure]:
    """Medians of several programs that take turns, so that a busy minute of the machine meets all of them."""
    found: dict[str, list[Figure]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return {name: median(figures) for name, figures in found.items()}


class Programs:
    """Each program over one tree."""

    def __init__(self, place: Path, tree: Path) -> None:
        self.place, self.tree = place, tree
        self.archive = place / "archive"
        self.secret = {"RESTIC_PASSWORD": "x", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "HOME": str(place)}

    def odarchive(self, *words: str) -> Figure:
        return measured(sys.executable, "-m", "odarchive", "-a", str(self.archive), *words)

    def ours(self) -> Figure:
        return self.odarchive("scan", str(self.tree))

    def ours_new(self) -> Figure:
        shutil.rmtree(self.archive, ignore_errors=True)
        measured(sys.executable, "-m", "odarchive", "init", str(self.archive))
        return self.ours()

    def restic(self) -> Figure:
        return measured("restic", "-q", "-r", str(self.place / "restic"), "backup", str(self.tree), **self.secret)

    def restic_new(self) -> Figure:
        shutil.rmtree(self.place / "restic", ignore_errors=True)
        measured("restic", "-q", "-r", str(self.place / "restic"), "init", **self.secret)
        return self.restic()

    def borg(self) -> Figure:
        name = f"{self.place / 'borg'}::a{time.monotonic_ns()}"
        return measured("borg", "create", "--compression", "none", name, str(self.tree), **self.secret)

    def borg_new(self) -> Figure:
        shutil.rmtree(self.place / "borg", ignore_errors=True)
        measured("borg", "init", "-e", "none", str(self.place / "borg"), **self.secret)
        return self.borg()

    def b3sum(self) -> Figure:
        return measured("sh", "-c", f"find '{self.tree}' -type f -print0 | xargs -0 -P2 b3sum")

    def b3sum_large(self) -> Figure:
        return measured("b3sum", *map(str, sorted(self.tree.iterdir())))

    def find(self) -> Figure:
        return measured("find", str(self.tree), "-printf", "%s %T@ %i %p\\n")

    def catalogue_bytes(self) -> int:
        return (self.archive / "catalogue.db").stat().st_size

    def place_everything(self) -> None:
        """Plan all that was scanned onto discs and give every piece its sector, as building the images does."""
        self.odarchive("plan", "--media", "bd")
        with sqlite3.connect(self.archive / "catalogue.db") as db:
            db.create_function("next_sector", 1, Sectors())
            db.execute("UPDATE piece SET sector = next_sector(length)")
            (open_,) = db.execute("SELECT count(*) FROM content WHERE id NOT IN (SELECT content FROM piece)").fetchone()
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        assert open_ == 0

    def ratarmount_bytes(self) -> int:
        """Size of the index that ratarmount makes of the same tree as a tar."""
        tools = self.place / "ratarmount"
        if not tools.exists():
            subprocess.run([sys.executable, "-m", "venv", tools], check=True)
            subprocess.run([tools / "bin" / "pip", "install", "-q", RATARMOUNT], check=True)
        tar, index, mount = self.place / "tree.tar", self.place / "tree.index", self.place / "mount"
        with tarfile.open(tar, "w") as file:
            file.add(self.tree, "tree")
        command = [tools / "bin" / "ratarmount", "--recreate-index", "--index-file", index, tar, mount]
        try:
            subprocess.run(command, check=True, capture_output=True)
            return index.stat().st_size
        finally:
            subprocess.run(["fusermount3", "-uzq", mount], check=False)
            for one in (tar, index):
                one.unlink(missing_ok=True)


class Sectors:
    """Sectors one after the other, as on a disc."""

    def __init__(self) -> None:
        self.next = 300

    def __call__(self, length: int) -> int:
        place, self.next = self.next, self.next + -(-length // 2048)
        return place


class ColdDisk:
    """A file system of its own in a file, whose caches go when it is unmounted; others' caches stay. Wants root."""

    def __init__(self, image: Path, place: Path, size: int) -> None:
        self.image, self.place = image, place
        with open(image, "wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-N", str(size // 4096), image], check=True)
        place.mkdir()
        self._mount()

    def _mount(self) -> None:
        self.loop = subprocess.run(
            ["losetup", "--find", "--show", "--direct-io=on", self.image], check=True, capture_output=True, text=True
        ).stdout.strip()
        subprocess.run(["mount", "-o", "noatime", self.loop, self.place], check=True)

    def _unmount(self) -> None:
        subprocess.run(["umount", self.place], check=True)
        subprocess.run(["losetup", "-d", self.loop], check=True)

    def chill(self) -> None:
        """Let every cached byte and inode of it go."""
        self._unmount()
        self._mount()

    def close(self) -> None:
        self._unmount()
        self.image.unlink()
        self.place.rmdir()
