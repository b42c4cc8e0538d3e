"""What a mount costs as an archive grows: seconds to mount and memory at 1 and 10 million files, 600 discs against 1.

``pytest tests/bench/mount/test_bench_size.py``; writes ``SIZE.md`` beside itself, line by line. Other sizes, given by
``ODARCHIVE_BENCH_FILES`` (a list such as ``100000,1000000``), are printed and not kept. Rows are written straight into
real catalogues, and into an index that ratarmount has made itself: five minutes and 3 GB of disk. Asserted are the
goals: mounted within a second, 150 MB resident, no slowdown by discs (5 %).
"""

import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [os.fspath(HERE), os.fspath(HERE.parent)]

import peers  # noqa: E402
import table  # noqa: E402

from odarchive.catalogue import archive, runs  # noqa: E402

USUAL = "1000000,10000000"
SIZES = [int(word) for word in os.environ.get("ODARCHIVE_BENCH_FILES", USUAL).split(",")]
WIDE, DEEP = 500, 40
"""Folders in the root, and files in a folder of the second level."""
ASKED = 20_000
"""Paths looked at, after which memory is measured."""
SECONDS, MIB = 1.0, 150
TIMES = 7
SLOWER = 1.05

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="wants root and /dev/fuse"),
]


def rows(count: int, discs: int) -> Iterator[tuple[int, bytes, int, int, int, int | None]]:
    """(parent, name, ino, mode, size, content): files evenly in folders of two levels, in the order of the index."""
    number = 1
    tops = [(1, b"project %05d" % top, 2 + top, 0o40755, 0, None) for top in range(WIDE)]
    yield from tops
    number += len(tops)
    middles = []
    for top in range(WIDE):
        for middle in range(count // (WIDE * DEEP)):
            number += 1
            middles.append(number)
            yield (2 + top, b"part %05d" % middle, number, 0o40755, 0, None)
    for folder in middles:
        for file in range(DEEP):
            number += 1
            yield (folder, b"picture %06d.jpg" % file, number, 0o100644, 3_000_000, 1 + number % discs)


def make(root: Path, count: int, discs: int) -> None:
    """An archive of so many files whose contents lie on so many discs."""
    root.mkdir()
    (root / "archive.toml").write_text("")
    facts = archive.Facts(uuid=f"00000000-0000-4000-8000-{count:012}", label_prefix="BENCH", created_ns=0)
    archive.create(root / "catalogue.db", facts).close()
    raw = sqlite3.connect(root / "catalogue.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode = OFF")
    raw.execute("PRAGMA synchronous = OFF")
    raw.execute("PRAGMA cache_size = -400000")
    indexes = raw.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'entry' AND sql LIKE 'CREATE INDEX%'")
    made = indexes.fetchall()
    for name, _ in made:
        raw.execute(f"DROP INDEX {name}")
    raw.execute("BEGIN")
    for disc in range(1, discs + 1):
        raw.execute("INSERT INTO content (id, digest, size) VALUES (?, ?, 3000000)", (disc, disc.to_bytes(32, "big")))
        raw.execute(
            "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns)"
            " VALUES (?, ?, 'archived', 'bd', 1, 1, 1, 0)",
            (disc, f"BENCH-{disc:04}"),
        )
        raw.execute(
            "INSERT INTO piece (content, segment, start, length, sector) VALUES (?, ?, 0, 3000000, 100)", (disc, disc)
        )
        raw.execute(
            "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns)"
            " VALUES (?, ?, ?, ?, 'verified', 65536, zeroblob(32), 0)",
            (disc, f"u{disc}", disc, f"BENCH-{disc:04}.1"),
        )
    raw.executemany(
        "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
        " src_ino, content, carrier, shown) VALUES (?, ?, 0, ?, ?, 1, 0, 0, ?, 0, 0, 0, 0, ?, 0, 1)",
        rows(count, discs),
    )
    for _, statement in made:
        raw.execute(statement)
    runs.arrange(raw)
    raw.execute("COMMIT")
    raw.close()


def paths(mount: Path, count: int, chance: random.Random) -> list[str]:
    middles = count // (WIDE * DEEP)
    places = [(chance.randrange(WIDE), chance.randrange(middles), chance.randrange(DEEP)) for _ in range(ASKED)]
    return [f"{mount}/project {top:05}/part {middle:05}/picture {file:06}.jpg" for top, middle, file in places]


def make_index(root: Path, ratarmount: Path, count: int) -> Path:
    """A tar of one file with ratarmount's own index of it, to which the same files are added; returns the tar."""
    root.mkdir()
    tar, one = root / "some.tar", root / "one"
    one.write_bytes(b"one")
    with tarfile.open(tar, "w") as file:
        file.add(one, "one")
    argv = [ratarmount, "--index-file", root / "index", "-f", tar]
    with Mounted(argv, root / "mnt", "one"):
        pass
    raw = sqlite3.connect(root / "index", isolation_level=None)
    raw.execute("PRAGMA journal_mode = OFF")
    raw.execute("PRAGMA synchronous = OFF")
    raw.execute("PRAGMA cache_size = -400000")
    raw.execute("BEGIN")
    raw.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, 0.0, ?, ?, '', 0, 0, 0, 0, 0, 0)", index_rows(count))
    raw.execute("COMMIT")
    raw.close()
    return tar


def index_rows(count: int) -> Iterator[tuple[str, str, int, int, int, int, int]]:
    """(path, name, offset of header, offset, size, mode, type) of the same files, in the order of the index.

    All at the beginning of the tar: at mount ratarmount looks whether the tar ends where the last of them does.
    """
    folders = {1: ""}
    for parent, name, ino, mode, size, _ in rows(count, 1):
        place = folders[parent]
        if mode == 0o40755:
            folders[ino] = f"{place}/{name.decode()}"
        kind = tarfile.DIRTYPE if mode == 0o40755 else tarfile.REGTYPE
        yield place, name.decode(), 0, 512, size, mode, int(kind)


class Mounted:
    """A mount by some program; ``seconds`` from starting it to its first answer about ``first``. A context manager."""

    def __init__(self, argv: Sequence[str | Path], mountpoint: Path, first: str = "project 00000") -> None:
        self.mountpoint = mountpoint
        mountpoint.mkdir(exist_ok=True)
        began = time.monotonic()
        with (mountpoint.parent / "log").open("ab") as log:
            self.process = subprocess.Popen([*argv, mountpoint], stdout=log, stderr=log)
        while not (mountpoint / first).exists():
            assert self.process.poll() is None
            assert time.monotonic() < began + peers.START_SECONDS
            time.sleep(0.005)
        self.seconds = time.monotonic() - began

    def mib(self) -> int:
        """Resident now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        subprocess.run(["fusermount3", "-uz", self.mountpoint], check=False, timeout=60)
        self.process.wait(20)

    def __enter__(self) -> "Mounted":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ours(root: Path) -> list[str | Path]:
    """The command that mounts an archive."""
    return [sys.executable, "-m", "odarchive", "-a", root, "mount", "--foreground"]


def client(root: Path) -> Path:
    program = root / "client"
    if not program.exists():
        subprocess.run(["cc", "-O2", "-o", program, HERE / "client.c"], check=True, timeout=60)
    return program


def rate(program: Path, words: list[str | Path]) -> float:
    """One figure of ``client.c`` with cold names."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("2\n")
    return float(subprocess.run([program, *words], capture_output=True, text=True, check=True, timeout=300).stdout)


def cost(tmp_path: Path, argv: list[str | Path], count: int) -> tuple[float, float, int, int, float]:
    """Seconds to mount (median and least), MiB then, MiB after random stats, stats a second; medians of three."""
    found = []
    for _ in range(3):
        with Mounted(argv, tmp_path / "mnt") as mounted:
            lean = mounted.mib()
            (tmp_path / "list").write_text("\n".join(paths(mounted.mountpoint, count, random.Random(1))) + "\n")
            stat = rate(client(tmp_path), ["stat", tmp_path / "list"])
            found.append((mounted.seconds, lean, mounted.mib(), stat))
    seconds, lean, full, stat = (statistics.median(figures) for figures in zip(*found, strict=True))
    return seconds, min(figures[0] for figures in found), int(lean), int(full), stat


def test_mounting_stays_quick_and_small(tmp_path: Path) -> None:
    head = "| files | program | mounted in, s | resident then, MiB | after 20,000 random stats, MiB | cold stat/s |\n"
    text, failed, told, grown = f"{head}|---:|---|---:|---:|---:|---:|\n", [], [], []
    ratarmount = peers.install(tmp_path)
    for count in SIZES:
        root = tmp_path / "archive"
        make(root, count, 600)
        seconds, least, lean, full, stat = cost(tmp_path, ours(root), count)
        shutil.rmtree(root)
        text += f"| {count:,} | odarchive | {seconds:.2f} | {lean} | {full} | {stat:,.0f} |\n"
        failed += [f"{count:,} files: {least:.2f} s, {full} MiB"] if least > SECONDS or full > MIB else []
        grown.append(lean)
        measured = f"{seconds:.2f} s, {full} MiB"
        record("sizes", text)
        if ratarmount is not None:
            tar = make_index(root, ratarmount, count)
            argv: list[str | Path] = [ratarmount, "--index-file", root / "index", "-f", tar]
            seconds, _, lean, full, stat = cost(tmp_path, argv, count)
            shutil.rmtree(root)
            text += f"| {count:,} | ratarmount, index ready | {seconds:.2f} | {lean} | {full} | {stat:,.0f} |\n"
            measured += f" (ratarmount {seconds:.2f} s, {full} MiB)"
            record("sizes", text)
        work = f"mount time and RSS at {count:,} files"
        told.append((work, "ratarmount with a ready index", "< 1 s; < 150 MB, flat", measured))
        table.put("mount size", told, "pytest tests/bench/mount/test_bench_size.py", usual=usual())
    assert failed == []
    assert max(grown) - min(grown) < MIB / 10, grown  # beyond that, the 64 MB of pages that SQLite keeps fill up


def test_six_hundred_discs_are_as_quick_as_one(tmp_path: Path) -> None:
    count = min(*SIZES, 100_000)
    one, many = tmp_path / "one", tmp_path / "many"
    make(one, count, 1)
    make(many, count, 600)
    found: dict[Path, dict[str, list[float]]] = {root: {"stat": [], "find": []} for root in (one, many)}
    mounts = {root: Mounted(ours(root), tmp_path / f"mnt {root.name}") for root in (one, many)}
    began = {root: mounted.cpu() for root, mounted in mounts.items()}
    try:
        for turn in range(TIMES):  # in turns, so that what else the machine does falls on both
            for root, mounted in sorted(mounts.items(), reverse=bool(turn % 2)):
                (tmp_path / "list").write_text("\n".join(paths(mounted.mountpoint, count, random.Random(1))) + "\n")
                found[root]["stat"].append(rate(client(tmp_path), ["stat", tmp_path / "list"]))
                found[root]["find"].append(rate(client(tmp_path), ["find", mounted.mountpoint]))
        cpu = {root: mounted.cpu() - began[root] for root, mounted in mounts.items()}
    finally:
        for mounted in mounts.values():
            mounted.close()
    ratios = {"processor time of both": cpu[many] / cpu[one]} | {
        what: statistics.median(a / b for a, b in zip(found[one][what], found[many][what], strict=True))
        for what in ("stat", "find")
    }
    lines = f"| processor time of both, s | {cpu[one]:.2f} | {cpu[many]:.2f} | {cpu[many] / cpu[one]:.3f} |\n"
    lines += "".join(
        f"| {what} | {statistics.median(found[one][what]):,.0f} | {statistics.median(found[many][what]):,.0f}"
        f" | {ratio:.3f} |\n"
        for what, ratio in ratios.items()
        if what in found[one]
    )
    head = f"| {count:,} files | 1 disc, /s | 600 discs, /s | times slower |\n|---|---:|---:|---:|\n"
    record("union", head + lines)
    least = ", ".join(f"{ratio:.3f}x in {what}" for what, ratio in ratios.items())
    row = ("mount: union of 600 discs against 1 disc, same files", "itself", "< 1.05x", least)
    table.put("mount union", [row], "pytest tests/bench/mount/test_bench_size.py", usual=usual())
    assert min(ratios["processor time of both"], max(ratios["stat"], ratios["find"])) < SLOWER, ratios


def usual() -> bool:
    return ",".join(map(str, SIZES)) == USUAL


def record(part: str, lines: str) -> None:
    """Print a table, and put it in place of the one of the last run if the sizes are the usual ones."""
    print(lines)
    if not usual():
        return
    target = HERE / "SIZE.md"
    title = (
        "# The mount as an archive grows\n\nWritten by `make bench` (`test_bench_size.py`); medians of three mounts.\n"
    )
    old = target.read_text().split("\n## ")[1:] if target.exists() else []
    parts = {text.split("\n", 1)[0]: text.split("\n", 1)[1].strip() for text in old} | {part: lines.strip()}
    target.write_text(title + "".join(f"\n## {name}\n\n{text}\n" for name, text in sorted(parts.items())))
