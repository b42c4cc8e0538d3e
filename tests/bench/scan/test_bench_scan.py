"""Scans against restic, borg and bare b3sum over the same trees, in one run; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/scan``. Wants root for packages (restic, borgbackup, b3sum) and for a cold disk,
16 GB in ``ODARCHIVE_BENCH_DIR`` (default: memory, ``/dev/shm``: measured are programs, not the disk) and eight minutes
of a quiet machine; the load is written beside the figures. ``ODARCHIVE_BENCH_FILES`` (300,000), ``..._LARGE`` (8 files
of 1 GiB), ``..._RESCAN`` (1,000,000), ``..._MANY`` (5,000,000) and ``..._COLD`` (60,000) may be made smaller, 0 leaves
that part out.

Programs take turns; every figure is the median of the rounds. Only that all programs end well is asserted; the ratios
are for people.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import table  # noqa: E402
from programs import ColdDisk, Figure, Programs, in_turn  # noqa: E402
from trees import large_files, small_files  # noqa: E402


def wanted(what: str, usual: int) -> int:
    return int(os.environ.get(f"ODARCHIVE_BENCH_{what}", usual))


FILES, LARGE, COLD = wanted("FILES", 300_000), wanted("LARGE", 8), wanted("COLD", 60_000)
RESCAN, MANY = wanted("RESCAN", 1_000_000), wanted("MANY", 5_000_000)
ROUNDS = 3
PACKAGES = {"restic": "restic", "borg": "borgbackup", "b3sum": "b3sum"}
HEAD = "| program | wall s | files/s | files/CPU-s | MB | its time / ours |\n|---|---|---|---|---|---|"


@pytest.fixture(scope="module")
def place():
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        subprocess.run(["apt-get", "install", "-q=2", "-y", "--no-install-recommends", *missing], check=True)
    top = Path(os.environ.get("ODARCHIVE_BENCH_DIR", "/dev/shm")) / f"odarchive-bench-scan-{os.getpid()}"  # noqa: S108
    top.mkdir()
    yield top
    shutil.rmtree(top)


def rows(figures: dict[str, Figure], files: int) -> list[str]:
    ours = next(iter(figures.values()))
    return [
        f"| {name} | {one.wall:.2f} | {files / one.wall:,.0f} | {files / one.cpu:,.0f} | {one.memory:.0f} "
        f"| {one.wall / ours.wall:.2f} |"
        for name, one in figures.items()
    ]


def test_scans(place):
    lines = [
        "# Scans, side by side",
        "",
        f"Made by `pytest tests/bench/scan` on {time.strftime('%Y-%m-%d')}; {len(os.sched_getaffinity(0))} processors, "
        f"load at the start {os.getloadavg()[0]:.1f}; trees and repositories in memory; medians of {ROUNDS}, programs "
        "taking turns. MB is the largest process.",
    ]
    told: list[table.Row] = []
    for part in (many, again, first, large, cold):  # what this process has in memory counts for those that come later
        more, of_table = part(place)
        lines += more
        told += of_table
        end = ["", f"Load at the end {os.getloadavg()[0]:.1f}."]
        (HERE / "RESULTS.md").write_text("\n".join(lines + end) + "\n")  # after each part: the next may not end
        table.put("scan", told, "pytest tests/bench/scan")
    print("\n".join(lines))


def first(place: Path) -> tuple[list[str], list[table.Row]]:
    """First scan of small files, and the same again, beside other programs; what the catalogue takes."""
    if not FILES:
        return [], []
    programs = Programs(place, small_files(place / "small", FILES, 3000))
    new = in_turn(
        ROUNDS,
        {
            "odarchive scan": programs.ours_new,
            "find, xargs -P2 b3sum": programs.b3sum,
            "restic backup": programs.restic_new,
            "borg create": programs.borg_new,
        },
    )
    same = in_turn(
        ROUNDS,
        {
            "odarchive scan": programs.ours,
            "find -printf": programs.find,
            "restic backup": programs.restic,
            "borg create": programs.borg,
        },
    )
    names = programs.catalogue_bytes() / FILES
    programs.place_everything()
    placed, index = programs.catalogue_bytes() / FILES, programs.ratarmount_bytes() / FILES
    for name in ("small", "restic", "borg"):
        shutil.rmtree(place / name)
    ours, bare, restic, borg = new.values()
    lines = ["", f"## First scan, {FILES:,} files of about 3 KB, warm cache", "", HEAD, *rows(new, FILES)]
    lines += ["", f"Catalogue: {names:.0f} bytes a file, {placed:.0f} with every piece on a disc; "]
    lines[-1] += f"ratarmount's index of the same tree {index:.0f} ({placed / index:.2f} times)."
    lines += ["", f"## Again, nothing changed, {FILES:,} files", "", HEAD, *rows(same, FILES)]
    against = f"{restic.wall / ours.wall:.1f}x restic, {borg.wall / ours.wall:.1f}x borg, "
    told = [
        (
            f"first scan, {FILES:,} files of 3 KB, warm",
            "restic, borg; find and xargs -P2 b3sum",
            "7x restic; 0.7 of bare b3sum",
            f"{against}{bare.wall / ours.wall:.2f} of b3sum ({FILES / ours.wall:,.0f} files/s)",
        ),
        (
            "catalogue size, digests and disc positions included",
            "ratarmount's index, same tree",
            "1.6 times; 200 bytes a file",
            f"{placed / index:.2f} times; {placed:.0f} bytes a file",
        ),
        (
            f"again, {FILES:,} files",
            "restic, borg",
            "",
            ", ".join(f"{FILES / one.cpu:,.0f} {name.split()[0]}" for name, one in same.items()) + " files/CPU-s",
        ),
    ]
    return lines, told


def cold(_place: Path) -> tuple[list[str], list[table.Row]]:
    """First scan from a disk that has nothing in memory."""
    if not COLD:
        return [], []
    with tempfile.TemporaryDirectory(prefix="odarchive-bench-cold-", dir="/var/tmp") as folder:
        top = Path(folder)
        try:
            disk = ColdDisk(top / "disk", top / "mounted", COLD * 16_384)
        except (OSError, subprocess.CalledProcessError) as error:
            return ["", f"Cold cache: not measured, a disk of its own cannot be mounted ({error})."], []
        try:
            programs = Programs(top, small_files(disk.place / "tree", COLD, 3000))
            runs = {
                "odarchive scan": programs.ours_new,
                "find, xargs -P2 b3sum": programs.b3sum,
                "restic backup": programs.restic_new,
            }

            def chilled(run):
                def whole() -> Figure:
                    disk.chill()
                    return run()

                return whole

            found = in_turn(ROUNDS, {name: chilled(run) for name, run in runs.items()})
        finally:
            disk.close()
    ours, _, restic = found.values()
    work = f"first scan, {COLD:,} files of 3 KB, cold"
    told = [(work, "restic", "3x", f"{restic.wall / ours.wall:.1f}x")]
    head = f"## First scan, {COLD:,} files of about 3 KB, nothing cached, ext4 on this machine's disk"
    return ["", head, "", HEAD, *rows(found, COLD)], told


def large(place: Path) -> tuple[list[str], list[table.Row]]:
    if not LARGE:
        return [], []
    programs = Programs(place, large_files(place / "large", LARGE))
    found = in_turn(ROUNDS, {"odarchive scan": programs.ours_new, "b3sum": programs.b3sum_large})
    shutil.rmtree(place / "large")
    ours, bare = found.values()
    lines = ["", f"## First scan, {LARGE} files of 1 GiB", "", "| program | wall s | GB/s | its time / ours |"]
    lines += ["|---|---|---|---|"]
    for name, one in found.items():
        lines.append(f"| {name} | {one.wall:.2f} | {LARGE * 1.0737 / one.wall:.1f} | {one.wall / ours.wall:.2f} |")
    ratio = ours.wall / bare.wall
    return lines, [(f"first scan, {LARGE} x 1 GiB", "b3sum, both cores", "within 1.25x", f"{ratio:.2f}x")]


def again(place: Path) -> tuple[list[str], list[table.Row]]:
    """Re-scan where nothing changed, memory, and questions; empty files, as only names count."""
    if not RESCAN:
        return [], []
    programs = Programs(place, small_files(place / "rescan", RESCAN, 0))
    new = programs.ours_new()
    found = in_turn(ROUNDS, {"odarchive scan, again": programs.ours, "find -printf": programs.find})
    lines = ["", f"## {RESCAN:,} empty files", "", HEAD, *rows({"odarchive scan, first": new}, RESCAN)]
    lines += rows(found, RESCAN)
    lines += ["", f"Catalogue: {programs.catalogue_bytes() / RESCAN:.0f} bytes a name."]
    asked = questions(programs)
    shutil.rmtree(place / "rescan")
    lines += ["", *(f"- {name}: {seconds * 1000:.2f} ms" for name, seconds in asked.items())]
    ours = next(iter(found.values()))
    peak = max(new.memory, ours.memory)
    told = [
        (f"again, {RESCAN:,} files", "find -printf", "150,000 files/CPU-s", f"{RESCAN / ours.cpu:,.0f} files/CPU-s"),
        (f"memory, {RESCAN:,} files", "itself", "250 MB", f"{peak:.0f} MB"),
        (
            f"find by word and whereis, {RESCAN:,} paths",
            "",
            "20 ms",
            ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in asked.items()),
        ),
    ]
    return lines, told


def many(place: Path) -> tuple[list[str], list[table.Row]]:
    if not MANY:
        return [], []
    room = os.statvfs(place).f_favail  # inodes: file systems in memory have a bound of their own
    if room and room < MANY * 1.1:
        return ["", f"{MANY:,} files: not measured, {place.parent} has room for {room:,}; set ODARCHIVE_BENCH_DIR."], []
    programs = Programs(place, small_files(place / "many", MANY, 0))
    found = {"odarchive scan, first": programs.ours_new(), "odarchive scan, again": programs.ours()}
    shutil.rmtree(place / "many")
    peak = max(one.memory for one in found.values())
    lines = ["", f"## {MANY:,} empty files", "", HEAD, *rows(found, MANY)]
    return lines, [(f"memory, {MANY:,} files", "itself", "250 MB", f"{peak:.0f} MB")]


def questions(programs: Programs) -> dict[str, float]:
    """Seconds of one question each, in process; the median of many different ones."""
    from odarchive.catalogue import lookup
    from odarchive.catalogue.archive import open_catalogue
    from odarchive.catalogue.search import Wanted, find

    catalogue = open_catalogue(programs.archive / "catalogue.db")
    rng = random.Random(3)
    found: dict[str, float] = {}
    try:
        with catalogue.read() as connection:
            several = find(connection, Wanted(("img",), limit=200))
            numbers = [f"{rng.randrange(RESCAN):07}" for _ in range(50)]
            tails = [os.fsdecode(one.path).rsplit("_", 1)[-1][:-4] for one in rng.sample(several, 20)]
            found["find, a rare word"] = timed(lambda word: find(connection, Wanted((word,))), numbers)
            found["find, a word of hundreds"] = timed(lambda word: find(connection, Wanted((word,))), tails)
            found["find, a word of all"] = timed(lambda word: find(connection, Wanted((word,))), ["img", "jpg"])
            paths = [one.path for one in rng.sample(several, 50)]
            found["whereis"] = timed(lambda path: lookup.whereis(connection, path), paths)
    finally:
        catalogue.close()
    return found


def timed(ask, values) -> float:
    taken = []
    for value in values:
        began = time.perf_counter()
        assert ask(value)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
