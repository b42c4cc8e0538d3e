"""Random edits and scans against a dict: the present and every snapshot read back as they were."""

import os
import random
import shutil

import pytest
from catalogue_kit import new_catalogue, rows, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import observed, recorded, scanned, write

from odarchive.catalogue.entries import Version
from odarchive.scan.compare import paired

NAMES = [b"a", b"b", b"c", b"\xff", b"d'", b"e\n"]


def edit(top: bytes, rng: random.Random) -> None:
    """One change somewhere in the tree."""
    folders = [top]
    files = []
    for folder, inner, leaves in os.walk(top):
        folders += [folder + b"/" + name for name in inner if not os.path.islink(folder + b"/" + name)]
        files += [folder + b"/" + name for name in leaves]
    path = rng.choice(folders) + b"/" + rng.choice(NAMES)
    action = rng.choice(["file", "file", "folder", "link", "symlink", "move", "remove", "chmod", "touch", "copy"])
    if action == "chmod":
        os.chmod(rng.choice(folders), rng.choice([0o755, 0o700, 0o711]))
    elif action == "touch":
        os.utime(rng.choice(folders), ns=(0, rng.randrange(-(10**9), 10**18)))
    elif action == "move" and len(folders) > 1:
        moved = rng.choice(folders[1:])
        if not path.startswith(moved + b"/") and not os.path.lexists(path):
            os.rename(moved, path)
    elif action in ("link", "copy") and files:
        if not os.path.lexists(path):
            origin = rng.choice(files)
            if action == "link":
                os.link(origin, path, follow_symlinks=False)
            else:
                shutil.copy2(origin, path, follow_symlinks=False)
    else:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        if action == "folder":
            os.mkdir(path)
        elif action == "symlink":
            os.symlink(rng.choice(NAMES), path)
        elif action == "file":
            write(path, b"x" * rng.randrange(4))


@pytest.mark.parametrize("seed", range(12))
def test_random_histories(tmp_path, seed):
    rng = random.Random(seed)
    source = tmp_path / "source"
    source.mkdir()
    catalogue = new_catalogue(tmp_path / "archive")
    history = {}
    for _ in range(12):
        for _ in range(rng.randrange(12)):
            edit(os.fsencode(source), rng)
        if rng.random() < 0.3:  # a scan that dies half-way, with more edits after it
            _die_scanning(catalogue, source, rng)
            for _ in range(rng.randrange(4)):
                edit(os.fsencode(source), rng)
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
    return Version._make((name, since, None, *[0] * 12))


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
