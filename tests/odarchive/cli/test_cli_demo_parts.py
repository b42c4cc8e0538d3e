"""The comparison finds every difference; the selection stops when it has enough; the folder is no one else's."""

import os
import shutil

import pytest

from odarchive.cli.demo import compare, folder, selection
from odarchive.errors import Locked, OdarchiveError


@pytest.fixture
def trees(tmp_path):
    here = os.fsencode(tmp_path / "here")
    os.makedirs(here + b"/deep/er")
    for name in (b"one", b"deep/two\xff\n", b"deep/er/three", b"empty"):
        with open(here + b"/" + name, "wb") as file:
            file.write(name * 1000 if name != b"empty" else b"")
    os.symlink(b"nowhere\xff", here + b"/link")  # noqa: PTH211  names are bytes
    there = os.fsencode(tmp_path / "there")
    shutil.copytree(here, there, symlinks=True)
    return here, there


def _compared(trees):
    tally = compare.Tally()
    compare.names_and_attributes(*trees, tally)
    compare.contents(tally, lambda _done: None)
    return tally


def test_equal_trees(trees):
    tally = _compared(trees)
    assert (tally.differences, tally.files, tally.left_out) == ([], 4, 0)
    assert tally.size == sum(len(name) * 1000 for name in (b"one", b"deep/two\xff\n", b"deep/er/three"))
    assert tally.names == 8


def _change_bytes(there):
    stat = os.stat(there + b"/one")
    with open(there + b"/one", "r+b") as file:
        file.write(b"X")
    os.utime(there + b"/one", ns=(0, stat.st_mtime_ns))


def _shorten(there):
    stat = os.stat(there + b"/one")
    os.truncate(there + b"/one", 5)
    os.utime(there + b"/one", ns=(0, stat.st_mtime_ns))


def _retarget(there):
    stat = os.lstat(there + b"/link")
    os.unlink(there + b"/link")
    os.symlink(b"nowhere!", there + b"/link")  # noqa: PTH211  names are bytes
    os.utime(there + b"/link", ns=(0, stat.st_mtime_ns), follow_symlinks=False)


def _add(there):
    stat = os.stat(there)
    open(there + b"/more", "wb").close()
    os.utime(there, ns=(0, stat.st_mtime_ns))


def _lose(there):
    stat = os.stat(there + b"/deep/er")
    os.unlink(there + b"/deep/er/three")
    os.utime(there + b"/deep/er", ns=(0, stat.st_mtime_ns))


def _late(there):
    stat = os.stat(there + b"/deep")
    os.utime(there + b"/deep", ns=(0, stat.st_mtime_ns + 1))


CHANGES = {
    "one: other bytes": _change_bytes,
    "one: size 5 instead of 3000": _shorten,
    "link: other target": _retarget,
    "more: is not in the source": _add,
    "three: is not in the mount": _lose,
    "empty: mode 100755 instead of": lambda there: os.chmod(there + b"/empty", 0o755),  # noqa: PTH101  names are bytes
    "deep: mtime": _late,
}


@pytest.mark.parametrize("says", CHANGES)
def test_every_difference_is_found(trees, says):
    CHANGES[says](trees[1])
    differences = _compared(trees).differences
    assert any(says in line for line in differences), differences
    assert all(line.isprintable() for line in differences)


def test_pipes_are_left_out(trees):
    stat = os.stat(trees[0])
    os.mkfifo(trees[0] + b"/pipe")
    os.utime(trees[0], ns=(0, stat.st_mtime_ns))
    tally = _compared(trees)
    assert (tally.differences, tally.left_out) == ([], 1)


def test_selection_takes_whole_folders_until_there_is_enough(tmp_path, monkeypatch):
    sizes = {b"a": (6000, 100_000_000), b"huge": (1, 10**12), b"b": (0, 0), b"c": (5000, 210_000_000), b"d": (1, 1)}
    monkeypatch.setattr(selection, "measure", sizes.__getitem__)
    assert list(selection.select(sizes)) == [b"a", b"c"]


def test_given_source_has_a_name():
    assert selection.given(b"/some/dir/") == selection.Source(b"/some/dir", b"dir")
    assert selection.given(b"/").name == b"root"


def test_folder_is_made_anew_and_is_nobody_elses(tmp_path):
    root = tmp_path / "demo"
    with folder.fresh(root) as places:
        (places.archive / "deep").mkdir(parents=True)
        with pytest.raises(Locked), folder.fresh(root):
            pass
    with folder.fresh(root) as places:
        assert sorted(path.name for path in root.iterdir()) == ["mnt", "odarchive-demo.lock"]
        assert not places.archive.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    with pytest.raises(OdarchiveError, match="--dir"), folder.fresh(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine" / "letter").exists()
