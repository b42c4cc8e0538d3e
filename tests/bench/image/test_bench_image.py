"""Our image writer against other programs, in one run; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/image``. Wants genisoimage, xorriso, openssl, some minutes of a quiet machine
and 12 GB, best in memory: trees and images lie in /dev/shm if that has room, else in the temporary folder.
``ODARCHIVE_BENCH_IMAGE_DIR`` names another place, ``ODARCHIVE_BENCH_SCALE=20`` takes a twentieth of everything (and
writes no results).

The programs take turns; a figure is the median of the rounds, of elapsed seconds. Only that all images were made is
asserted; the ratios are for people.
"""

import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench import table as joined

HERE = Path(__file__).parent
ROUNDS = 5
SCALE = int(os.environ.get("ODARCHIVE_BENCH_SCALE", "1"))
NEEDED = (12 << 30) // SCALE
MIB = 1 << 20
PEAK = [
    *(sys.executable, "-ISc"),
    "import resource, subprocess, sys\n"
    "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
    "sys.exit(code)",
]
"""Runs a program and tells its peak of memory; itself small, as a child begins with its parent's peak, here 10 MiB."""
NOWHERE = Path(os.devnull)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not all(map(shutil.which, ("genisoimage", "xorriso", "openssl"))), reason="wants genisoimage, xorriso, openssl"
    ),
]


@dataclass
class Figures:
    """Seconds and peak memory by program, over the rounds."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def median(self, who: str) -> float:
        return statistics.median(self.seconds[who])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    named = os.environ.get("ODARCHIVE_BENCH_IMAGE_DIR")
    shared = Path("/dev/shm")  # noqa: S108  memory is what is wanted; the folder below is made anew
    free = shutil.disk_usage(shared).free if shared.is_dir() else 0
    base = Path(named) if named else shared if free > NEEDED else tmp_path_factory.mktemp("bench")
    folder = base / "odarchive-bench-image"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def ours(folder: Path | str, out: Path, manner: str) -> list[str]:
    return [sys.executable, str(HERE / "ours.py"), str(folder), str(out), manner]


def pipeline(folder: Path, out: Path, *, digest: bool) -> list[str]:
    """All bytes through cat, and through a digest beside it."""
    end = f">({'openssl dgst -sha256' if digest else 'true'} >{out}.digest) >{out}; wait"
    read = f"find {folder} -type f -print0 | sort -z | xargs -0 cat"
    return ["bash", "-c", f"{read} | tee {end}" if digest else f"{read} >{out}"]


def alone(folder: Path, out: Path) -> list[str]:
    """SHA-256 of all bytes and nothing else: no program that takes it in one thread is faster."""
    return ["bash", "-c", f"find {folder} -type f -print0 | sort -z | xargs -0 openssl dgst -sha256 >{out}"]


def measured(programs: dict[str, list[str]], out: Path, rounds: int = ROUNDS) -> Figures:
    figures = Figures()
    order = list(programs)
    chance = random.Random(1)
    for _ in range(rounds):
        chance.shuffle(order)
        for who in order:
            if out != NOWHERE:
                out.unlink(missing_ok=True)
            began = time.perf_counter()
            done = subprocess.run([*PEAK, *programs[who]], capture_output=True, text=True, check=False)
            figures.seconds.setdefault(who, []).append(time.perf_counter() - began)
            assert done.returncode == 0, (who, done.stderr)
            figures.memory[who] = max(figures.memory.get(who, 0), int(done.stderr.split()[-1]) * 1024)
            assert out == NOWHERE or out.stat().st_size > 0, who
    return figures


def small(place: Path) -> Figures:
    folder, out = place / "small", place / "out"
    body = random.Random(2).randbytes(1024)
    for number in range(100_000 // SCALE):
        if number % 100 == 0:
            (folder / f"d{number // 100:03}").mkdir(parents=True)
        (folder / f"d{number // 100:03}" / f"file{number:06}.txt").write_bytes(body)
    figures = measured(
        {
            "odarchive, SHA-256": ours(folder, out, "sha256"),
            "odarchive, no digest": ours(folder, out, "none"),
            "odarchive, all digests": ours(folder, out, "all"),
            "genisoimage -udf -R -J": ["genisoimage", "-quiet", "-udf", "-R", "-J", "-o", str(out), str(folder)],
            "xorriso -R -J": ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", str(out), str(folder)],
            "pycdlib ISO + UDF": [sys.executable, str(HERE / "by_pycdlib.py"), str(folder), str(out)],
        },
        out,
    )
    shutil.rmtree(folder)
    return figures


def archived(place: Path, count: int) -> Figures:
    """`odarchive image` of a planned segment of files of 1 KB that all differ: its peak is what a build takes."""
    folder, archive = place / "archived", place / "archive"
    chance = random.Random(4)
    for number in range(count):
        if number % 100 == 0:
            (folder / f"d{number // 100:05}").mkdir(parents=True)
        (folder / f"d{number // 100:05}" / f"file{number:07}.txt").write_bytes(chance.randbytes(1024))
    command = [str(Path(sys.executable).with_name("odarchive")), "--archive", str(archive)]
    for words in (["init"], ["scan", str(folder)], ["plan", "--media", "25GB"]):
        subprocess.run([*command, *words], check=True, capture_output=True)
    out = place / "images"
    figures = measured({"odarchive image": [*command, "image", "all", "--out", str(out)]}, NOWHERE, 1)
    assert [path.suffix for path in out.iterdir()] == [".iso"]
    for used in (folder, archive, out):
        shutil.rmtree(used)
    return figures


def large(place: Path, count: int, size: int) -> Figures:
    folder, out = place / "large", place / "out"
    folder.mkdir()
    body = random.Random(3).randbytes(MIB)
    for number in range(count):
        with (folder / f"file{number:06}").open("wb") as file:
            for _ in range(size // MIB):
                file.write(body)
    figures = measured(
        {
            "odarchive, SHA-256": ours(folder, out, "sha256"),
            "odarchive, no digest": ours(folder, out, "none"),
            "odarchive, all digests": ours(folder, out, "all"),
            "cat": pipeline(folder, out, digest=False),
            "cat, tee, openssl dgst -sha256": pipeline(folder, out, digest=True),
            "openssl dgst -sha256, writing nothing": alone(folder, out),
        },
        out,
        3,
    )
    shutil.rmtree(folder)
    return figures


def table(title: str, figures: Figures) -> list[str]:
    lines = [f"## {title}", "", "| program | seconds | peak MiB |", "|---|---:|---:|"]
    for who in sorted(figures.seconds, key=figures.median):
        lines.append(f"| {who} | {figures.median(who):.2f} | {figures.memory[who] / MIB:.0f} |")
    return [*lines, ""]


def goals(figures: Figures, who: str, wanted: Sequence[tuple[str, float]]) -> list[str]:
    """How our time compares with others', and the goal for that."""
    return [
        f"- {figures.median(who) / figures.median(other):.2f} times the time of {other} (goal: at most {most:g})"
        for other, most in wanted
    ] + [""]


def test_images_against_other_programs(place):
    with_digest = "odarchive, SHA-256"
    pipe = "cat, tee, openssl dgst -sha256"
    text = [
        "# Images, measured",
        "",
        f"Written by `make bench`. Medians of runs that took turns; trees and images in {place.parent};",
        f"{os.cpu_count()} CPUs, load average {os.getloadavg()[2]:.1f}, Linux {platform.release()}, Python",
        f"{platform.python_version()}. genisoimage, xorriso and pycdlib hash nothing;",
        '"all digests" is how discs are made: BLAKE3 and SHA-256 of each file, BLAKE3 of the image.',
        "",
    ]
    figures = small(place)
    text += table("100,000 files of 1 KB in 1,000 folders", figures)
    text += goals(
        figures,
        with_digest,
        (("genisoimage -udf -R -J", 1.1), ("xorriso -R -J", 1 / 1.7), ("pycdlib ISO + UDF", 0.25)),
    )
    count = 100_000 // SCALE
    title = f"an archive's segment of {count:,} files of 1 KB (goal: at most 150 MiB)"
    text += table(title, archived(place, count))
    for title, count, size in (
        ("one file of 5 GiB", 1, (5 << 30) // SCALE // MIB * MIB),
        ("5,000 files of 1 MiB", 5000 // SCALE, MIB),
    ):
        figures = large(place, count, size)
        text += table(title, figures)
        for who in (with_digest, "odarchive, all digests"):
            text += [f"{who}:", "", *goals(figures, who, ((pipe, 1.2), ("cat", 2.0)))]
        bound = figures.median("openssl dgst -sha256, writing nothing") / figures.median("cat")
        text += [f"SHA-256 alone, of one thread, takes {bound:.2f} times as long as cat.", ""]
    count = 1_000_000 // SCALE
    million = measured({with_digest: ours(f"made:{count}", NOWHERE, "sha256")}, NOWHERE, 1)
    text += table(f"{count:,} files of 1 KB, made up, to /dev/null", million)
    joined.tell(HERE, "\n".join(text), usual=SCALE == 1)
