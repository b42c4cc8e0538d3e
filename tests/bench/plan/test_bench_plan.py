"""Plans against next-fit, first-fit decreasing, fpart and dirsplit over the same lists; writes ``RESULTS.md``.

``make bench``, or ``pytest tests/bench/plan``. Wants root for packages (fpart, genisoimage), 200 MB in
``ODARCHIVE_BENCH_DIR`` (default: memory) and some minutes. ``ODARCHIVE_BENCH_PLAN`` (1,000,000 files) may be made
smaller. Seconds are of the processor, so the machine need not be quiet; discs and loads do not depend on it at all.
At full size the goals are asserted.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench import table
from tests.bench.plan.lists import FEW_HUGE, LISTS
from tests.bench.plan.ways import RESERVED, cost_of, lines, told

HERE = Path(__file__).parent
FILES = int(os.environ.get("ODARCHIVE_BENCH_PLAN", "1000000"))
DISCS = {"DVD": 4_700_372_992, "BD": 25_025_314_816}
GOAL_DISCS = {"photos": 1.005, "office": 1.005, "huge": 1.015}
GOAL_LOADS, GOAL_SECONDS, GOAL_MEMORY = 1.02, 5.0, 250.0
ROUNDS = 3
WAYS = ("odarchive", "next-fit", "first-fit", "fpart", "dirsplit")


@dataclass(frozen=True)
class Figure:
    """What one way made of one list."""

    discs: int
    loads: int
    cpu: float
    memory: float
    about: dict[str, float]


def measured(*command: str, cwd: Path) -> tuple[float, float, str]:
    """Seconds of processor, largest resident memory in MB, what it printed."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, printed


def ours(way: str, listed: Path, capacity: int) -> Figure:
    """A way of ``ways.py``; of this project's the median of three."""
    found = []
    for _ in range(ROUNDS if way == "odarchive" else 1):
        command = (sys.executable, str(HERE / "ways.py"), way, str(listed), str(capacity))
        cpu, memory, printed = measured(*command, cwd=HERE.parents[2])
        about = json.loads(printed)
        found.append(Figure(int(about["discs"]), int(about["loads"]), cpu, memory, about))
    cpu = statistics.median(one.cpu for one in found)
    seconds = statistics.median(one.about.get("seconds", 0.0) for one in found)
    memory = statistics.median(one.memory for one in found)
    return Figure(found[0].discs, found[0].loads, cpu, memory, found[0].about | {"seconds": seconds})


def fpart(listed: Path, capacity: int, scratch: Path) -> Figure:
    """What is larger than a disc is cut beforehand, as fpart cannot."""
    costs = scratch / "costs"
    _costs(listed, costs, capacity)
    room = str(capacity - RESERVED)
    cpu, memory, _ = measured("fpart", "-a", "-i", str(costs), "-s", room, "-o", str(scratch / "out"), cwd=scratch)
    return _counted(_parts(scratch, "out.*"), cpu, memory)


def dirsplit(listed: Path, capacity: int, scratch: Path) -> Figure:
    """With the accuracy that ends: the default of 500 takes hours."""
    costs = scratch / "costs"
    _costs(listed, costs, capacity)
    words = ("dirsplit", "-a1", "-T", str(costs), "-s", f"{(capacity - RESERVED) // 1024}k", "-p", "vol_")
    cpu, memory, _ = measured(*words, cwd=scratch)
    return _counted(_parts(scratch, "vol_*"), cpu, memory)


def _costs(listed: Path, to: Path, capacity: int) -> None:
    room = capacity - RESERVED
    with to.open("w", encoding="utf-8") as file:
        for size, name in lines(str(listed)):
            cost, number = cost_of(size, name), 0
            while cost > room - 1024:
                file.write(f"{room - 1024} {name}~{number}\n")
                cost, number = cost - room + 1024, number + 1
            file.write(f"{cost} {name}\n")


def _parts(scratch: Path, pattern: str) -> Iterator[tuple[int, str]]:
    """(disc, path) from the files that the program wrote."""
    for number, part in enumerate(sorted(scratch.glob(pattern))):
        for line in part.read_text().splitlines():
            yield number, line.partition("=")[0].replace("\\", "").lstrip("./")


def _counted(placed: Iterator[tuple[int, str]], cpu: float, memory: float) -> Figure:
    about = told(placed)
    return Figure(int(about["discs"]), int(about["loads"]), cpu, memory, about)


def figure(way: str, listed: Path, capacity: int, scratch: Path) -> Figure | None:
    """None: the way would take too long with so many files."""
    if way not in ("fpart", "dirsplit"):
        return ours(way, listed, capacity)
    if way == "dirsplit" and listed.stat().st_size > 10_000_000:
        return None
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return (fpart if way == "fpart" else dirsplit)(listed, capacity, scratch)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    missing = [package for name, package in PACKAGES.items() if shutil.which(name) is None]
    if missing:
        subprocess.run(["apt-get", "install", "-q=2", "-y", "--no-install-recommends", *missing], check=True)
    top = Path(os.environ.get("ODARCHIVE_BENCH_DIR", "/dev/shm")) / f"odarchive-bench-plan-{os.getpid()}"  # noqa: S108
    top.mkdir()
    yield top
    shutil.rmtree(top)


PACKAGES = {"fpart": "fpart", "dirsplit": "genisoimage"}


def test_plans(place: Path) -> None:
    rows, missed, short = [], [], []
    for name, made in LISTS.items():
        count = FEW_HUGE if name == "huge" else FILES
        listed = place / name
        with listed.open("w", encoding="utf-8") as file:
            total = 0
            for path, size in made(count):
                file.write(f"{size} {path}\n")
                total += size
        for disc, capacity in DISCS.items():
            found = {way: figure(way, listed, capacity, place / "scratch") for way in WAYS}
            mine = found["odarchive"]
            assert mine
            rows += _rows(f"{name}, {count:,} files, {total / 1e12:.2f} TB on {disc}", found, mine)
            missed += [f"{name} on {disc}: {miss}" for miss in _missed(name, mine)]
            short.append(_short(f"plan of {count:,} files, {name} on {disc}", name, found))
    whole = _command(place)
    text = _text(rows, whole)
    usual = FILES == 1_000_000
    table.tell(HERE, text, usual=usual)
    table.put("plan", short, "pytest tests/bench/plan", usual=usual)
    assert not missed or FILES < 1_000_000, missed


def _short(work: str, name: str, found: dict[str, Figure | None]) -> table.Row:
    """One row of the table of all areas: discs of the lower bound and loads of the least, ours and the others'."""
    mine = found["odarchive"]
    assert mine
    bound, least = mine.about["bound"], mine.about["least"]
    said = [
        f"{way} {one.discs / bound:.4f} and {one.loads / least:.3f}" for way, one in found.items() if one is not None
    ]
    goal = f"discs {GOAL_DISCS[name]} of the bound, loads {GOAL_LOADS} of the least; {GOAL_SECONDS} s, {GOAL_MEMORY} MB"
    return work, "", goal, f"{'; '.join(said)}; {mine.cpu:.1f} CPU-s, {mine.memory:.0f} MB"


def _rows(title: str, found: dict[str, Figure | None], mine: Figure) -> list[str]:
    bound, least = mine.about["bound"], mine.about["least"]
    rows = [f"| **{title}** | {bound:.0f} | | {least:.0f} | | | |"]
    for way, one in found.items():
        if one is None:
            rows.append(f"| {way} | (left out: hours) | | | | | |")
            continue
        cpu = f"{one.cpu:.2f}" + (f" (planning {one.about['seconds']:.2f})" if one is mine else "")
        discs, loads = one.discs / bound, one.loads / least
        rows.append(f"| {way} | {one.discs} | {discs:.4f} | {one.loads} | {loads:.3f} | {cpu} | {one.memory:.0f} |")
    return rows


def _missed(name: str, mine: Figure) -> Iterator[str]:
    if mine.discs > mine.about["bound"] * GOAL_DISCS[name] + 1e-9:
        yield f"{mine.discs} discs"
    if mine.loads > mine.about["least"] * GOAL_LOADS:
        yield f"{mine.loads} loads"
    if mine.cpu > GOAL_SECONDS or mine.memory > GOAL_MEMORY:
        yield f"{mine.cpu:.1f} s, {mine.memory:.0f} MB"


def _command(place: Path) -> list[str]:
    """The whole command on a catalogue of so many files: a dry run, then the plan with every image laid out."""
    archive = place / "archive"
    program = str(Path(sys.executable).parent / "odarchive")
    measured(program, "init", str(archive), cwd=place)
    measured(sys.executable, str(HERE / "catalogue.py"), str(archive), "photos", str(FILES), cwd=place)
    rows = []
    for words in (("--dry-run",), ("--yes",)):
        cpu, memory, printed = measured(program, "-a", str(archive), "plan", "--media", "bd", *words, cwd=place)
        rows.append(
            f"| `odarchive plan --media bd {words[0]}` | {printed.splitlines()[-2]} | {cpu:.1f} | {memory:.0f} |"
        )
    return rows


def _text(rows: list[str], whole: list[str]) -> str:
    head = (
        "| list, way | discs | of the lower bound | loads | of the least | CPU s | MB |\n|---|---|---|---|---|---|---|"
    )
    load = os.getloadavg()[0]
    return "\n".join(
        [
            "# Plans",
            "",
            f"Made by `pytest tests/bench/plan` on {platform.processor() or platform.machine()}, Python "
            f"{platform.python_version()}, load {load:.1f}. Loads: of how many discs the top folders are, added up.",
            "The bold rows have the lower bound of discs (all bytes, divided) and the least possible loads. CPU and",
            "memory are of the whole process, reading the list included (memory also shows the measuring process, so",
            "small ones are smaller); for `fpart` and `dirsplit` files above a disc are cut beforehand.",
            "",
            head,
            *rows,
            "",
            f"The whole command on a catalogue of {FILES:,} photographs, SQL included; the second lays out every image",
            "to the sector and records the plan:",
            "",
            "| command | told | CPU s | MB |\n|---|---|---|---|",
            *whole,
            "",
        ]
    )
