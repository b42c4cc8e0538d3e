"""A tree for the mount benchmarks, and an archive that shows it: as after scan, burn and recall, without the discs.

The rows are written straight into a real catalogue, and what shall be cached lies in a real cache folder; the mount
that is measured is the program's own.
"""

import os
import random
from pathlib import Path

from blake3 import blake3

from odarchive.catalogue import archive, runs
from odarchive.catalogue.database import Catalogue, driver

SCALE = float(os.environ.get("ODARCHIVE_BENCH_SCALE", "1"))
"""Of the tree; only figures of a whole one are kept."""
BIG = int((1 << 30) * SCALE)
SMALL = int(20_000 * SCALE)
SMALL_BYTES = 4096
FLAT = int(100_000 * SCALE)
TOP, MIDDLE, FILES = max(10, int(240 * SCALE)), 25, 40


def make_tree(root: Path) -> None:
    """``big/one`` of 1 GiB, 20,000 files of 4 KiB in ``small``, 100,000 names in ``flat``, 246,240 in ``deep``."""
    chance = random.Random(6)
    (root / "big").mkdir(parents=True)
    with (root / "big/one").open("wb") as file:
        for _ in range(BIG >> 20):
            file.write(chance.randbytes(1 << 20))
    for number in range(SMALL):
        folder = root / "small" / f"{number // 1000:03}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"document {number:05}.txt").write_bytes(chance.randbytes(SMALL_BYTES))
    _names(root / "flat", FLAT)
    for top in range(TOP):
        for middle in range(MIDDLE):
            _names(root / "deep" / f"project {top:03}" / f"part {middle:02}", FILES)


def _names(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY)
    for number in range(count):
        file = os.open(f"picture {number:06}.jpg", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=descriptor)
        os.write(file, b"%d" % number)
        os.close(file)
    os.close(descriptor)


def make_archive(root: Path, tree: Path, uuid: str = "00000000-0000-4000-8000-000000000006") -> None:
    """An archive in ``root`` whose mount shows ``tree``; what is in ``big`` and ``small`` is in its cache."""
    root.mkdir()
    (root / "archive.toml").write_text("")
    catalogue = archive.create(root / "catalogue.db", archive.Facts(uuid=uuid, label_prefix="BENCH", created_ns=0))
    writer = _Writer(catalogue, root / "cache")
    with catalogue.write() as connection:
        writer.folder(driver(connection), tree, 1)
        runs.arrange(driver(connection))
    catalogue.close()


class _Writer:
    """Rows of ``entry`` and ``content``, and files of the cache."""

    def __init__(self, catalogue: Catalogue, cache: Path) -> None:
        self._catalogue = catalogue
        self._cache = cache
        self._ino = 1
        self._contents: dict[bytes, int] = {}

    def folder(self, raw, path: Path, ino: int) -> None:
        """All below a directory; numbers are handed out directory by directory."""
        rows, folders = [], []
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                self._ino += 1
                stat = entry.stat(follow_symlinks=False)
                content = None if entry.is_dir() else self._content(raw, Path(entry.path), stat.st_size)
                size = 0 if entry.is_dir() else stat.st_size
                times = (stat.st_mtime_ns, stat.st_ctime_ns)
                rows.append((ino, os.fsencode(entry.name), self._ino, stat.st_mode, size, *times, content))
                if entry.is_dir():
                    folders.append((Path(entry.path), self._ino))
        raw.executemany(
            "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
            " src_ino, content, carrier, shown) VALUES (?, ?, 0, ?, ?, 1, 0, 0, ?, ?, ?, 0, 0, ?, 0, 1)",
            rows,
        )
        for below, number in folders:
            self.folder(raw, below, number)

    def _content(self, raw, path: Path, size: int) -> int:
        body = path.read_bytes()
        digest = blake3(body).digest()
        number = self._contents.get(digest)
        if number is None:
            number = self._contents[digest] = len(self._contents) + 1
            raw.execute("INSERT INTO content (id, digest, size) VALUES (?, ?, ?)", (number, digest, size))
            if size >= SMALL_BYTES:
                name = digest.hex()
                place = self._cache / name[:2] / name[2:]
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, place)
        return number
