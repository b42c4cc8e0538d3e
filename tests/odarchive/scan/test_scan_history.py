"""Random edits and scans against a dict: the present and every snapshot read back as they were."""

import os
import random
import shutil
from pathlib import Path

import pytest
from catalogue_kit import new_catalogue, rows, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import observed, recorded, scanned, write

from odarchive.catalogue.entries import Version
from odarchive.scan.compare import paired

NAMES = [os.fsdecode(name) for name in (b"a", b"b", b"c", b"\xff", b"d'", b"e\n")]


class Edits:
    """Random changes of a tree; a change that is not possible at the chosen place is none."""

    def __init__(self, top: Path, rng: random.Random) -> None:
        self.top, self.rng = top, rng

    def one(self) -> None:
        inside = [path for path in sorted(self.top.rglob("*")) if not path.is_symlink()]
        self.folders = [self.top, *(path for path in inside if path.is_dir())]
        self.leaves = [path for path in inside if not path.is_dir()]
        path = self.rng.choice(self.folders) / self.rng.choice(NAMES)
        actions = [self.file, self.file, self.folder, self.link, self.symlink, self.move, self.remove, self.chmod]
        self.rng.choice([*actions, self.touch, self.copy])(path)

    def chmod(self, _: Path) -> None:
        self.rng.choice(self.folders).chmod(self.rng.choice([0o755, 0o700, 0o711]))

    def touch(self, _: Path) -> None:
        os.utime(self.rng.choice(self.folders), ns=(0, self.rng.randrange(-(10**9), 10**18)))

    def move(self, path: Path) -> None:
        moved = self.rng.choice(self.folders)
        if moved not in (self.top, *path.parents) and not os.path.lexists(path):
            moved.rename(path)

    def link(self, path: Path) -> None:
        if self.leaves and not os.path.lexists(path):
            path.hardlink_to(self.rng.choice(self.leaves))

    def copy(self, path: Path) -> None:
        if self.leaves and not os.path.lexists(path):
            shutil.copy2(self.rng.choice(self.leaves), path)

    def remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def folder(self, path: Path) -> None:
        self.remove(path)
        path.mkdir()

    def symlink(self, path: Path) -> None:
        self.remove(path)
        path.symlink_to(self.rng.choice(NAMES))
        twin = path.with_name("twin")
        if not os.path.lexists(twin):
            os.link(path, twin, follow_symlinks=False)

    def file(self, path: Path) -> None:
        self.remove(path)
        write(path, b"x" * self.rng.randrange(4))


@pytest.mark.parametrize("seed", range(12))
def test_random_histories(tmp_path, seed):
    rng = random.Random(seed)
    source = tmp_path / "source"
    source.mkdir()
    catalogue = new_catalogue(tmp_path / "archive")
    history = {}
    edits = Edits(source, rng)
    for _ in range(12):
        for _ in range(rng.randrange(12)):
            edits.one()
        if rng.random() < 0.3:  # a scan that dies half-way, with more edits after it
            _die_scanning(catalogue, source, rng)
            for _ in range(rng.randrange(4)):
                edits.one()
        result = scanned(catalogue, source, batch=rng.choice([1, 3, 1000]))
        history[result.snapshot] = observed(source)
        assert recorded(catalogue, b"source") == history[result.snapshot], f"seed {seed}"
        sound(catalogue)
    for snapshot, tree in history.items():
        assert recorded(catalogue, b"source", snapshot) == tree
    complete = {row[0] for row in rows(catalogue, "SELECT id FROM snapshot WHERE state = 'complete'")}
    assert complete >= history.keys()
    assert rows(catalogue, "SELECT count(*) FROM snapshot") == [(len(complete),)]
    catalogue.close()


def _die_scanning(catalogue, source, rng: random.Random) -> None:
    from catalogue_kit import Crash, Faulty

    faulty = Faulty(catalogue.path, rng.randrange(1, 12), after=rng.random() < 0.5)
    try:
        scanned(faulty, source, batch=2)
    except Crash:
        return
    finally:
        faulty.close()


def version(name: bytes, since: int) -> Version:
    return Version._make((name, since, None, *[0] * 13))


names = st.sets(st.binary(min_size=1, max_size=3), max_size=8)


@given(names, names, names)
@settings(derandomize=True, max_examples=200)
def test_pairing_names_with_rows(disk, base, pending):
    rows = [version(name, 1) for name in base] + [version(name, 5) for name in pending]
    rows.sort(key=lambda row: (row.name, row.since))
    expected = [
        (
            name,
            name in disk,
            (version(name, 1) if name in base else None, version(name, 5) if name in pending else None),
        )
        for name in sorted(disk | base | pending)
    ]
    assert list(paired(sorted(disk), rows, 5)) == expected
