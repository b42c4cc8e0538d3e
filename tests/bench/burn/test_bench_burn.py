"""A burn of a large image to a file-backed drive, beside the burning program alone; writes ``RESULTS.md``.

``ODARCHIVE_BENCH_BURN_MIB`` (4096) is the size of the image; figures of another size are only printed. Alone and
with us take turns, so that what else the machine does hits both; what is compared is the median of the ratios.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import trio

from robot.burners.program import ProgramBurner
from robot.burners.xorriso import Xorriso
from robot.drives.file import FileDrive
from robot.ports import DriveId
from tests.bench import table

HERE = Path(__file__).parent
MIB = int(os.environ.get("ODARCHIVE_BENCH_BURN_MIB", "4096"))
ROUNDS = 3
SIZE = MIB << 20


def _image(path: Path) -> None:
    block = os.urandom(16 << 20)
    with path.open("wb") as file:
        for begin in range(0, SIZE, len(block)):
            file.write(block[: SIZE - begin])


def _alone(image: Path, target: Path) -> float:
    """Wall seconds of xorriso as a shell would start it, its words into a file."""
    with target.with_suffix(".log").open("wb") as log:
        begin = time.monotonic()
        argv = ["xorriso", "-no_rc", "-as", "cdrecord", "-v", f"dev=stdio:{target}", "padsize=0", "-sao", str(image)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        seconds = time.monotonic() - begin
    target.unlink()
    return seconds


def _ours(root: Path, image: Path) -> tuple[float, float, int]:
    """Wall seconds, our own CPU seconds, and how often progress was told."""
    place = root / "drives" / "0"
    place.mkdir(parents=True, exist_ok=True)
    (place / "tray").write_text("closed\n")
    disc = root / "ours.disc"
    disc.write_bytes(b"")
    disc.with_suffix(".json").write_text(json.dumps({"profile": "bd-r", "capacity": SIZE}))
    (place / "medium").unlink(missing_ok=True)
    (place / "medium").symlink_to("../../ours.disc")
    told = []

    async def burn() -> None:
        await ProgramBurner(root, Xorriso()).burn(FileDrive(DriveId(0), place), image, SIZE, progress=told.append)

    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    trio.run(burn)
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF)
    disc.unlink()
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(told)


def test_a_burn_with_progress_beside_xorriso_alone(tmp_path, capsys):
    image = tmp_path / "image.iso"
    _image(image)
    _alone(image, tmp_path / "warm.disc")
    pairs = []
    for _ in range(ROUNDS):
        os.sync()
        alone = _alone(image, tmp_path / "alone.disc")
        os.sync()
        pairs.append((alone, *_ours(tmp_path, image)))
    ratio = median(ours / alone for alone, ours, _, _ in pairs)
    share = median(cpu / ours for _, ours, cpu, _ in pairs)
    text = [
        "# A burn with progress, beside the burning program alone",
        "",
        f"`pytest tests/bench/burn` on {time.strftime('%Y-%m-%d')}, an image of {MIB} MiB,",
        f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}.",
        "",
        "| xorriso alone, s | through odarchive, s | our own CPU, s | progress told, times |",
        "|---|---|---|---|",
        *(f"| {alone:.2f} | {ours:.2f} | {cpu:.3f} | {told} |" for alone, ours, cpu, told in pairs),
        "",
        f"Median ratio {ratio:.3f} (goal: at most 1.05); {100 * share:.2f} % of a core (goal: below 3 %).",
    ]
    said = f"{ratio:.3f} times; {100 * share:.2f} %"
    row = (f"burn of {MIB} MiB", "xorriso alone", "1.05 times its time; 3 % of a core", said)
    with capsys.disabled():
        table.tell(HERE, "\n".join(text), usual=MIB == 4096)
    table.put("burn", [row], "pytest tests/bench/burn", usual=MIB == 4096)
    assert all(told for _, _, _, told in pairs)
    assert ratio <= 1.05
    assert share < 0.03
