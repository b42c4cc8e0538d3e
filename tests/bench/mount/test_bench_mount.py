"""The mount against other file systems over the same tree, in one run; writes ``RESULTS.md`` beside itself.

``make bench``, or ``pytest tests/bench/mount/test_bench_mount.py``. Wants root (cold names, packages), /dev/fuse, a C
compiler, 8 GB of disk, 16 GB of memory and eight minutes of a quiet machine. ``ODARCHIVE_BENCH_DIR`` keeps tree and
images for the next run; ``ODARCHIVE_BENCH_SCALE=0.05`` takes a smaller tree, whose figures are printed and not kept.

All are mounted at once and take turns, figure by figure, in several rounds; what is told is the median. Before each,
the kernel's dentries and inodes are dropped, all servers have come to rest, and what lies behind the mount is in the
page cache: measured is the file system, not the disk. The table is written anew after each turn of all. Asserted is
that our figures exist, that all mounts show the same bytes, and that waiting readers do not halve ours; the ratios are
for people.
"""

import hashlib
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [os.fspath(HERE), os.fspath(HERE.parent)]

import hoard  # noqa: E402
import peers  # noqa: E402
import table  # noqa: E402

ROUNDS = 3
LIMIT = 30.0
"""Seconds for one figure; a file system that takes longer, or fails, gets none."""
BOUND = 2.0
"""Seconds given to the others for names; a slow one is told by what it has done until then. Ours does all."""
REST = 5.0
"""Seconds at most that servers are waited for to come to rest."""
OURS = "odarchive"
SEQUENTIAL, RANDOM, STAT, OPEN, FIND, FLAT = COLUMNS = (
    "sequential read of a cached file, MB/s",
    "random 4 KiB reads/s",
    "cold stat, random paths/s",
    "open+read+close, small files/s",
    "find with stat, entries/s",
    "large folder with stat, entries/s",
)
SLOW = ("ratarmount, tar", "ratarmount, ISO", "rclone mount, vfs full")
"""In Python or Go."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="wants root and /dev/fuse"),
]


@dataclass
class Turn:
    """One of those that take turns, mounted."""

    peer: peers.Peer
    mount: Path
    seconds: float
    process: subprocess.Popen
    figures: dict[str, list[float]] = field(default_factory=lambda: {what: [] for what in COLUMNS})
    failed: set[str] = field(default_factory=set)

    def median(self, what: str) -> float | None:
        return statistics.median(self.figures[what]) if self.figures[what] and what not in self.failed else None

    def cpu(self) -> float:
        """Seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mib(self) -> int:
        """Resident now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20


@dataclass
class Bench:
    """Where everything lies, who takes turns, and what has been found."""

    root: Path
    turns: list[Turn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    @property
    def ours(self) -> Turn:
        return self.turns[0]

    def words(self, what: str, turn: Turn) -> list[str | Path]:
        """The client's, for one figure; the paths to ask for are the same in each round."""
        chance, mount = random.Random(1), turn.mount
        listed = self.root / "asked.list"
        if what == STAT:
            places = [
                (chance.randrange(hoard.TOP), chance.randrange(hoard.MIDDLE), chance.randrange(hoard.FILES))
                for _ in range(hoard.FLAT)
            ]
            paths = [f"{mount}/deep/project {top:03}/part {part:02}/picture {n:06}.jpg" for top, part, n in places]
        elif what == OPEN:
            numbers = chance.sample(range(hoard.SMALL), hoard.SMALL)
            paths = [f"{mount}/small/{number // 1000:03}/document {number:05}.txt" for number in numbers]
        else:
            return {
                SEQUENTIAL: ["seq", mount / "big/one"],
                RANDOM: ["random", mount / "big/one", "400"],
                FIND: ["find", mount / "deep"],
                FLAT: ["find", mount / "flat"],
            }[what]
        listed.write_text("\n".join(paths) + "\n")
        return ["stat" if what == STAT else "open", listed]

    def figure(self, what: str, turn: Turn) -> float | None:
        words = self.words(what, turn)
        if what in (SEQUENTIAL, RANDOM):
            with turn.peer.warm.open("rb") as file:
                while file.read(1 << 22):
                    pass
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("2\n")
        self.rest()
        bound = LIMIT if turn is self.ours else BOUND
        argv = [self.root / "client", "limit", str(bound), str(turn.peer.most), *words]
        try:
            return float(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=LIMIT).stdout)
        except subprocess.SubprocessError:
            return None

    def rest(self) -> None:
        """Until no server does anything: dropped inodes are told to all of them."""
        end, before = time.monotonic() + REST, -1.0
        while time.monotonic() < end:
            now = sum(turn.cpu() for turn in self.turns)
            if now == before:
                return
            before = now
            time.sleep(0.05)

    def round(self) -> None:
        for what in COLUMNS:
            for turn in self.turns:
                if what in turn.failed:
                    continue
                found = self.figure(what, turn)
                if found is None:
                    turn.failed.add(what)
                else:
                    turn.figures[what].append(found)
            self.write()

    def write(self) -> None:
        """What there is so far."""
        table.tell(HERE, report(self), usual=usual())


def usual() -> bool:
    return hoard.SCALE == 1


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    kept = os.environ.get("ODARCHIVE_BENCH_DIR")
    root = Path(kept) if kept else tmp_path_factory.mktemp("bench")
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-o", root / "client", HERE / "client.c"], check=True, timeout=60)
    if not (root / "tree").exists():
        hoard.make_tree(root / "tree")
    if not (root / "archive").exists():
        hoard.make_archive(root / "archive", root / "tree")
    made = Bench(root)
    with ExitStack() as mounts:
        mount_all(made, mounts)
        yield made


def mount_all(bench: Bench, mounts: ExitStack) -> None:
    """Ours first; who cannot mount is told and takes no part."""
    root = bench.root
    ratarmount = peers.install(root)
    peers.make_images(root, bench.tree)
    program = [sys.executable, "-m", "odarchive", "-a", root / "archive", "mount", "--foreground", peers.MOUNTPOINT]
    ours = peers.Peer(OURS, program, bench.tree / "big/one")
    truth = sample(bench.tree)
    for number, peer in enumerate([ours, *peers.peers(root, bench.tree, ratarmount)]):
        mount = root / f"mnt{number}"
        try:
            seconds, process = mounts.enter_context(peers.mounted(peer, mount, root / f"log{number}"))
            assert sample(mount) == truth
        except (RuntimeError, subprocess.SubprocessError, OSError) as error:
            if peer is ours:
                raise
            bench.notes.append(f"{peer.name} did not run: {str(error)[:200]!r}")
            continue
        bench.turns.append(Turn(peer, mount, seconds, process))
        print(f"{peer.name}: mounted in {seconds:.2f} s")


def sample(mount: Path) -> str:
    """A digest of some bytes and names, equal on equal trees."""
    found = hashlib.sha256()
    with (mount / "big/one").open("rb") as file:
        file.seek(hoard.BIG // 9)
        found.update(file.read(100_000))
    for name in sorted(os.listdir(mount / "small/000")):
        found.update(os.fsencode(name) + (mount / "small/000" / name).read_bytes())
    return found.hexdigest()


def test_the_mount_against_its_peers(bench: Bench) -> None:
    for number in range(ROUNDS):
        print(f"round {number + 1} of {ROUNDS}")
        bench.round()
    bench.notes += [f"idle: {idle(bench.ours):.1f} % of one CPU while nothing happens"]
    free, busy = blocked(bench)
    bench.notes.append(f"blocked: {free:,.0f} small files/s alone, {busy:,.0f} beside 40 readers that wait")
    bench.notes += [
        f"{turn.peer.name}: mounted in {turn.seconds:.2f} s, {turn.mib()} MiB resident after it all"
        for turn in bench.turns
    ]
    bench.write()
    table.put("mount", goals(bench, free / busy), "pytest tests/bench/mount/test_bench_mount.py", usual=usual())
    assert not bench.ours.failed
    assert busy > free / 2


def idle(ours: Turn) -> float:
    before = ours.cpu()
    time.sleep(5)
    return (ours.cpu() - before) * 20


def blocked(bench: Bench) -> tuple[float, float]:
    """Small files/s with nobody waiting, and with 40 readers that wait for discs; medians of turns."""
    ours = bench.ours
    found: dict[bool, list[float]] = {False: [], True: []}
    nowhere = subprocess.DEVNULL
    paths = [ours.mount / f"flat/picture {number:06}.jpg" for number in range(40)]
    for waiting in [False, True] * ROUNDS:
        with ThreadPoolExecutor(40) as pool:
            readers = [subprocess.Popen(["cat", path], stdout=nowhere, stderr=nowhere) for path in paths if waiting]
            waits = [pool.submit(reader.wait) for reader in readers]
            time.sleep(1)
            figure = bench.figure(OPEN, ours)
            assert figure is not None
            found[waiting].append(figure)
            assert not any(wait.done() for wait in waits)
            for reader in readers:
                reader.kill()
    return statistics.median(found[False]), statistics.median(found[True])


def goals(bench: Bench, blocked_ratio: float) -> list[table.Row]:
    """The rows of the common table."""

    def least(what: str, *names: str) -> str:
        """The least of our ratios to some, or all, of the others."""
        ratios = [
            (ours / theirs, turn.peer.name)
            for turn in bench.turns[1:]
            if (not names or turn.peer.name in names) and (theirs := turn.median(what))
            if (ours := bench.ours.median(what))
        ]
        return "{:.2f}x ({})".format(*min(ratios)) if ratios else "-"

    find, flat = (bench.ours.median(what) or 0 for what in (FIND, FLAT))
    tar = SLOW[0]
    return [
        (
            "mount: sequential read of a cached 1 GiB file",
            "bindfs, squashfuse_ll, rclone, ratarmount on tar and ISO, fuseiso, passthrough_ll",
            "faster than all of them",
            least(SEQUENTIAL),
        ),
        ("mount: random 4 KiB reads of a cached file", tar, "2x", least(RANDOM, tar)),
        ("mount: cold stat of 100,000 random paths", tar, "2x", least(STAT, tar)),
        ("mount: open+read+close of 20,000 small cached files", tar, "2x", least(OPEN, tar)),
        (
            "mount: find -size over 346,000 entries, 100,000 of them in one directory",
            "all in Python and Go",
            "faster; 80,000 entries/s",
            f"{least(FIND, *SLOW)}, {least(FLAT, *SLOW)}; {find:,.0f} and {flat:,.0f} entries/s",
        ),
        ("mount: 40 readers blocked on discs, one reader of cached files", "itself", "< 2x", f"{blocked_ratio:.2f}x"),
    ]


def number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def report(bench: Bench) -> str:
    """The table, our ratios to each, and the notes."""
    head = "| file system | " + " | ".join(COLUMNS) + " |\n|---|" + "---:|" * len(COLUMNS) + "\n"
    rows, ratios = "", ""
    for turn in bench.turns:
        medians = {what: turn.median(what) for what in COLUMNS}
        rows += f"| {turn.peer.name} | {' | '.join(number(medians[what], ',.0f') for what in COLUMNS)} |\n"
        if turn is not bench.ours:
            shares = [
                ours / theirs if (ours := bench.ours.median(what)) and (theirs := medians[what]) else None
                for what in COLUMNS
            ]
            ratios += f"| {OURS} / {turn.peer.name} | {' | '.join(number(share, '.2f') for share in shares)} |\n"
    machine = f"{os.cpu_count()} CPUs, Linux {os.uname().release}, Python {sys.version.split()[0]}"
    notes = "".join(f"- {note}\n" for note in bench.notes)
    rounds = len(bench.ours.figures[FLAT])
    return (
        "# The mount, measured\n\n"
        f"Made by `pytest tests/bench/mount/test_bench_mount.py` on {time.strftime('%Y-%m-%d')}; {machine}, load"
        f" {os.getloadavg()[0]:.1f}.\nAll mounted at once, taking turns; medians of {rounds} rounds. Names cold, bytes"
        " behind the mount in the page cache; one client thread.\n"
        f"What each column is: `client.c`; the tree: `hoard.py`, with a file of {hoard.BIG >> 20:,} MiB,"
        f" {hoard.SMALL:,} small files, a folder of {hoard.FLAT:,} and"
        f" {hoard.TOP * hoard.MIDDLE * (hoard.FILES + 1) + hoard.TOP:,} entries in a tree.\n"
        f"All are asked for the same in the same order; of the others, who has not done it in {BOUND:.0f} s is told by"
        " what he has done (passthrough_ll, with\none descriptor per inode, is asked for as many as it may have);"
        f" - is what failed or took over {LIMIT:.0f} s. Ours, as root: the kernel reads cached files itself"
        " (passthrough).\n\n"
        f"{head}{rows}\n## Ratios (above 1: we are faster)\n\n{head}{ratios}\n## Beside\n\n{notes}"
    )
