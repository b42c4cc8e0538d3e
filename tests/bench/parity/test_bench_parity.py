"""Parity over 8 + 2 images and lost images again, beside par2 and zfec; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/parity``. ``ODARCHIVE_BENCH_IMAGE`` (1 GiB) is the size of an image and
``ODARCHIVE_BENCH_ROUNDS`` (3) how often each is done; others than these are only printed.
``ODARCHIVE_BENCH_DIR`` (default: the temporary folder) takes twelve times that. Ours is the whole way from files to
files: reading, the code, a checksum of every block, writing; the seconds are of one processor. zfec gets the same
bytes in memory and neither reads, writes nor checks; par2 gets a small set, because it takes minutes for each GB.
"""

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")

from odarchive.parity.images import ImageFile  # noqa: E402  numpy decides whether these can be imported
from odarchive.parity.layout import Layout  # noqa: E402
from odarchive.parity.work import encode, rescue  # noqa: E402
from tests.bench import table  # noqa: E402

HERE = Path(__file__).parent
IMAGE = int(os.environ.get("ODARCHIVE_BENCH_IMAGE", str(1 << 30)))
ROUNDS = int(os.environ.get("ODARCHIVE_BENCH_ROUNDS", "3"))
USUAL = (IMAGE, ROUNDS) == (1 << 30, 3)
BLOCK = 65_536
DATA, PARITY = 8, 2
GOAL = 300.0


@pytest.fixture
def folder():
    base = Path(os.environ.get("ODARCHIVE_BENCH_DIR", tempfile.gettempdir())) / f"odarchive-parity-{os.getpid()}"
    base.mkdir()
    yield base
    shutil.rmtree(base)


def timed(work):
    """MB of data per second of one processor, median; the last result."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        result = work()
        found.append(DATA * IMAGE / 1e6 / (time.process_time() - began))
    return statistics.median(found), result


def opened(path):
    return ImageFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))


def images(folder):
    block = np.random.default_rng(7).bytes(min(IMAGE, 64 << 20))
    for number in range(DATA):
        with (folder / f"data{number}").open("wb") as file:
            for at in range(0, IMAGE, len(block)):
                cut = (number * 4099 + at // len(block) * 31) % len(block)
                file.write((block[cut:] + block[:cut])[: IMAGE - at])
    return [opened(folder / f"data{number}") for number in range(DATA)]


def nothing(_):
    pass


def test_parity(folder):
    data = images(folder)
    parity = [opened(folder / f"parity{number}") for number in range(PARITY)]
    layout = Layout.of(DATA, PARITY, BLOCK, IMAGE)
    encoded, checks = timed(lambda: encode(layout, [(one, IMAGE) for one in data], parity, nothing))
    sizes = [IMAGE] * DATA + [layout.length * BLOCK] * PARITY
    there = dict(enumerate([*data, *parity]))
    sinks = {number: opened(folder / f"again{number}") for number in (2, 5)}
    left = {number: source for number, source in there.items() if number not in sinks}
    decoded, loss = timed(lambda: rescue(layout, checks, left, sizes, sinks))
    assert loss.ranges == {}
    for number in sinks:
        with (folder / f"data{number}").open("rb") as one, (folder / f"again{number}").open("rb") as other:
            while block := one.read(1 << 22):
                assert other.read(1 << 22) == block
    rows = [("ours, encode", encoded), ("ours, decode two lost images", decoded), *zfec(), *par2(folder)]
    text = [
        "# Parity over 8 + 2 images",
        "",
        f"`pytest tests/bench/parity`, images of {IMAGE >> 20} MiB, median of {ROUNDS}, load {os.getloadavg()[0]:.1f},",
        f"Python {sys.version.split()[0]}, numpy {np.__version__}. Goal: {GOAL:.0f} MB of data per core and second.",
        "",
        "| what | MB of data per processor second |",
        "| --- | --- |",
        *(f"| {name} | {speed:,.0f} |" for name, speed in rows),
    ]
    table.tell(HERE, "\n".join(text), usual=USUAL)
    said = f"encode {encoded:,.0f}, decode {decoded:,.0f} MB"
    row = (f"parity of 8 + 2 images of {IMAGE >> 20} MiB", "", f"{GOAL:.0f} MB of data per core and second", said)
    table.put("parity", [row], "pytest tests/bench/parity", usual=USUAL)
    assert min(encoded, decoded) > 0


def zfec():
    """The same code rate on bytes in memory; nothing if it is not installed (pip install zfec)."""
    if importlib.util.find_spec("zfec") is None:
        return [("zfec: not installed", 0.0)]
    import zfec

    blocks = [np.random.default_rng(number).bytes(1 << 20) for number in range(DATA)]
    coder = zfec.Encoder(DATA, DATA + PARITY)
    made = coder.encode(blocks, tuple(range(DATA, DATA + PARITY)))
    decoder = zfec.Decoder(DATA, DATA + PARITY)
    numbers = (0, 1, DATA, 3, 4, DATA + 1, 6, 7)
    there = [blocks[n] if n < DATA else made[n - DATA] for n in numbers]
    speeds = []
    for work in (lambda: coder.encode(blocks, (8, 9)), lambda: decoder.decode(there, numbers)):
        began = time.process_time()
        for _ in range(50):
            work()
        speeds.append(DATA * 50 * (1 << 20) / 1e6 / (time.process_time() - began))
    return [("zfec in memory, encode", speeds[0]), ("zfec in memory, decode", speeds[1])]


def par2(folder):
    """par2 with a quarter of redundancy over 8 x 2 MiB: it takes minutes for a GB."""
    if shutil.which("par2") is None:
        return [("par2: not installed", 0.0)]
    small = folder / "par2"
    small.mkdir()
    for number in range(DATA):
        (small / f"data{number}").write_bytes(np.random.default_rng(number).bytes(2 << 20))
    command = ["par2", "create", "-q", "-q", "-b2000", "-r25", "-n2", "set.par2", *sorted(os.listdir(small))]
    child = subprocess.Popen(command, cwd=small, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return [("par2 create, 16 MiB", DATA * (2 << 20) / 1e6 / (usage.ru_utime + usage.ru_stime))]
