"""Reading an image back and comparing it, beside ``sha256sum`` of it, in one run; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/fixity``. ``ODARCHIVE_BENCH_IMAGE`` (4 GiB) is the size of the image, and
``ODARCHIVE_BENCH_ROUNDS`` (3) how often each is done; others than these are only printed. The image lies
in ``ODARCHIVE_BENCH_DIR`` (default: memory, ``/dev/shm``). Two ways are measured, through the file drive as through any
other: what follows a burn (the digest of the image), and ``verify`` (the same and the digest of each of its contents).
The goal: no more than 1.15 times what ``sha256sum`` takes.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

from odarchive.catalogue.fixity import Placed
from odarchive.digest import content_digest
from odarchive.librarian.readback import image_digest
from odarchive.librarian.scrutiny import read_all
from odarchive.model import ContentId
from robot.drives.file import FileDrive
from robot.ports import DriveId
from tests.bench import table

HERE = Path(__file__).parent
IMAGE = int(os.environ.get("ODARCHIVE_BENCH_IMAGE", str(4 << 30))) // 65_536 * 65_536
ROUNDS = int(os.environ.get("ODARCHIVE_BENCH_ROUNDS", "3"))
USUAL = (IMAGE, ROUNDS) == (4 << 30, 3)
MEMORY = "/dev/shm"  # noqa: S108  measured is reading, not the disk
CONTENT = 1_000_000
"""Bytes of each content of the image."""


@pytest.fixture
def image():
    base = Path(os.environ.get("ODARCHIVE_BENCH_DIR", MEMORY)) / f"odarchive-fixity-{os.getpid()}"
    base.mkdir()
    block = random.Random(7).randbytes(min(IMAGE, 32 << 20))
    with (base / "image.disc").open("wb") as file:
        for at in range(0, IMAGE, len(block)):
            file.write(block[: IMAGE - at])
    (base / "image.json").write_text(json.dumps({"capacity": IMAGE, "profile": "bd-r"}))
    (base / "drive").mkdir()
    (base / "drive" / "tray").write_text("closed")
    (base / "drive" / "medium").symlink_to(base / "image.disc")
    yield base
    shutil.rmtree(base)


def measured(work):
    """Wall and processor seconds, medians, and the last result."""
    walls, cpus = [], []
    for _ in range(ROUNDS):
        began, cpu = time.perf_counter(), sum(os.times()[:4])
        result = work()
        walls.append(time.perf_counter() - began)
        cpus.append(sum(os.times()[:4]) - cpu)
    return statistics.median(walls), statistics.median(cpus), result


async def pause():
    pass


def placed(path):
    found = []
    sectors = -(-CONTENT // 2048)
    with path.open("rb") as file:
        for number, sector in enumerate(range(300, IMAGE // 2048 - sectors, sectors), 1):
            file.seek(sector * 2048)
            found.append(Placed(ContentId(number), CONTENT, sector, content_digest(file.read(CONTENT)), CONTENT))
    return found


def test_read_back(image):
    path, drive = image / "image.disc", FileDrive(DriveId(0), image / "drive")
    contents = placed(path)

    async def all_of_it():
        return await read_all(drive, IMAGE // 2048, contents, pause, lambda _: None)

    rows = {
        "sha256sum": measured(lambda: subprocess.run(["sha256sum", path], check=True, stdout=subprocess.PIPE)),
        "after a burn: the image": measured(lambda: trio.run(image_digest, drive, IMAGE)),
        "verify: image and contents": measured(lambda: trio.run(all_of_it)),
    }
    findings = rows["verify: image and contents"][2]
    assert (findings.unreadable, findings.wrong) == ([], set())
    assert findings.digest == rows["after a burn: the image"][2]
    base = rows["sha256sum"]
    text = [
        "# Reading an image back",
        "",
        f"`pytest tests/bench/fixity`, {IMAGE >> 20} MiB with {len(contents)} contents, median of {ROUNDS},",
        f"load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}. The goal is at most 1.15 x sha256sum.",
        "",
        "| what | wall s | CPU s | wall x sha256sum | CPU x sha256sum |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {wall:.2f} | {cpu:.2f} | {wall / base[0]:.2f} | {cpu / base[1]:.2f} |"
            for name, (wall, cpu, _) in rows.items()
        ),
    ]
    table.tell(HERE, "\n".join(text), usual=USUAL)
    ratios = [rows[name][0] / base[0] for name in list(rows)[1:]]
    said = f"{ratios[0]:.2f} after a burn, {ratios[1]:.2f} by verify"
    row = (f"reading {IMAGE >> 20} MiB back", "sha256sum", "1.15 times its time", said)
    table.put("fixity", [row], "pytest tests/bench/fixity", usual=USUAL)
