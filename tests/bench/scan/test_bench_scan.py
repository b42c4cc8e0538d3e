"""Scans against restic, borg and bare b3sum over the same trees, in one run; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/scan``. Wants root for packages (restic, borgbackup, b3sum), a few GB in
``ODARCHIVE_BENCH_DIR`` (default: memory, ``/dev/shm``: measured are programs, not the disk) and some minutes of a quiet
machine; the load is written beside the figures. ``ODARCHIVE_BENCH_FILES`` (300,000) and ``ODARCHIVE_BENCH_RESCAN``
(1,000,000) and ``ODARCHIVE_BENCH_LARGE`` (8 files of 1 GiB) may be made smaller.

Every figure is the median of three. Only that all programs end well is asserted; the ratios are for people.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = int(os.environ.get("ODARCHIVE_BENCH_FILES", "300000"))
RESCAN = int(os.environ.get("ODARCHIVE_BENCH_RESCAN", "1000000"))
LARGE = int(os.environ.get("ODARCHIVE_BENCH_LARGE", "8"))
ROUNDS = 3
PACKAGES = {"restic": "restic", "borg": "borgbackup", "b3sum": "b3sum"}


@dataclass(frozen=True)
class Figure:
    """Seconds of wall and of all processors, largest resident memory in MB."""

    wall: float
    cpu: float
    memory: float


def measured(*command: str, **environment: str) -> Figure:
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


def median(run: Callable[[], Figure]) -> Figure:
    found = [run() for _ in range(ROUNDS)]
    return Figure(*(statistics.median(getattr(one, key) for one in found) for key in ("wall", "cpu", "memory")))


def small_files(top: Path, count: int, size: int) -> Path:
    rng = random.Random(7)
    noise = os.urandom(1 << 20)
    words = [rng.randbytes(3).hex() for _ in range(2000)]
    for number in range(count):
        folder = top / f"{number // 5700:03}" / f"{number // 19 % 300:03}"
        if number % 19 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        length = min(int(rng.expovariate(1 / size)) + 1, 60_000) if size else 0
        at = rng.randrange(len(noise) - 60_000)
        with open(folder / f"IMG_{number:07}_{rng.choice(words)}.jpg", "wb") as file:
            if length:
                file.write(b"%d " % number + noise[at : at + length])
    return top


@pytest.fixture(scope="module")
def place():
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        subprocess.run(["apt-get", "install", "-q=2", "-y", "--no-install-recommends", *missing], check=True)
    top = Path(os.environ.get("ODARCHIVE_BENCH_DIR", "/dev/shm")) / f"odarchive-bench-scan-{os.getpid()}"  # noqa: S108
    top.mkdir()
    yield top
    shutil.rmtree(top)


class Programs:
    """Each program over one tree."""

    def __init__(self, place: Path, tree: Path) -> None:
        self.place, self.tree = place, tree
        self.secret = {"RESTIC_PASSWORD": "x", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "HOME": str(place)}

    def ours(self, *options: str) -> Figure:
        return measured(
            *(sys.executable, "-m", "odarchive", "-a", str(self.place / "archive"), "scan", str(self.tree)), *options
        )

    def ours_new(self) -> Figure:
        shutil.rmtree(self.place / "archive", ignore_errors=True)
        measured(sys.executable, "-m", "odarchive", "init", str(self.place / "archive"))
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
        words = f"find '{self.tree}' -type f -print0 | xargs -0 -P2 -n 2000 b3sum"
        return measured("sh", "-c", words)

    def find(self) -> Figure:
        return measured("find", str(self.tree), "-printf", "%s %T@ %i %p\\n")

    def catalogue_bytes(self) -> int:
        return (self.place / "archive" / "catalogue.db").stat().st_size


def row(name: str, figure: Figure, files: int, ours: Figure) -> str:
    return (
        f"| {name} | {figure.wall:.2f} | {files / figure.wall:,.0f} | {files / figure.cpu:,.0f} | {figure.memory:.0f} "
        f"| {figure.wall / ours.wall:.2f} |"
    )


HEAD = "| program | wall s | files/s | files/CPU-s | MB | its time / ours |\n|---|---|---|---|---|---|"


def test_scans(place):
    lines = [
        "# Scans, side by side",
        "",
        f"Made by `pytest tests/bench/scan` on {time.strftime('%Y-%m-%d')}; {len(os.sched_getaffinity(0))} processors, "
        f"load at the start {os.getloadavg()[0]:.1f}; trees and repositories in memory; medians of {ROUNDS}.",
    ]
    small = Programs(place, small_files(place / "small", FILES, 3000))
    ours = median(small.ours_new)
    size = small.catalogue_bytes()
    lines += [
        "",
        f"## First scan, {FILES:,} files of about 3 KB, warm cache",
        "",
        HEAD,
        row("odarchive scan", ours, FILES, ours),
    ]
    for name, run in (
        ("find, xargs -P2 b3sum", small.b3sum),
        ("restic backup", small.restic_new),
        ("borg create", small.borg_new),
    ):
        lines.append(row(name, median(run), FILES, ours))
    lines += ["", f"Catalogue: {size / FILES:.0f} bytes a file."]
    again = median(small.ours)
    lines += ["", f"## Again, nothing changed, {FILES:,} files", "", HEAD, row("odarchive scan", again, FILES, again)]
    for name, run in (("find -printf", small.find), ("restic backup", small.restic), ("borg create", small.borg)):
        lines.append(row(name, median(run), FILES, again))
    for name in ("small", "restic", "borg"):
        shutil.rmtree(place / name)
    lines += large(place) + many(place)
    lines += ["", f"Load at the end {os.getloadavg()[0]:.1f}."]
    (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def large(place: Path) -> list[str]:
    tree = place / "large"
    tree.mkdir()
    for number in range(LARGE):
        with open(tree / f"{number}.raw", "wb") as file:
            file.writelines(os.urandom(1 << 22) * 16 for _ in range(16))
    programs = Programs(place, tree)
    ours, bare = median(programs.ours_new), median(lambda: measured("b3sum", *map(str, sorted(tree.iterdir()))))
    shutil.rmtree(tree)
    return [
        *(
            "",
            f"## First scan, {LARGE} files of 1 GiB",
            "",
            "| program | wall s | GB/s | its time / ours |",
            "|---|---|---|---|",
        ),
        f"| odarchive scan | {ours.wall:.2f} | {LARGE * 1.0737 / ours.wall:.1f} | 1.00 |",
        f"| b3sum | {bare.wall:.2f} | {LARGE * 1.0737 / bare.wall:.1f} | {bare.wall / ours.wall:.2f} |",
    ]


def many(place: Path) -> list[str]:
    """Memory and the speed of a re-scan where nothing changed; empty files, as only names count."""
    programs = Programs(place, small_files(place / "many", RESCAN, 0))
    first = programs.ours_new()
    again = median(programs.ours)
    bare = median(programs.find)
    size = programs.catalogue_bytes()
    shutil.rmtree(place / "many")
    return [
        *("", f"## {RESCAN:,} empty files", "", HEAD),
        row("odarchive scan, first", first, RESCAN, first),
        row("odarchive scan, again", again, RESCAN, again),
        row("find -printf", bare, RESCAN, again),
        *("", f"Catalogue: {size / RESCAN:.0f} bytes a name."),
    ]
