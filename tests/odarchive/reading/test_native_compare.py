"""Comparing a directory with the catalogue's rows in C, beside the same comparison name by name."""

import os
import random
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odarchive.catalogue.entries import Version
from odarchive.reading import native
from odarchive.scan.compare import as_it_was, facts, paired

pytestmark = pytest.mark.skipif(native.functions is None, reason="without the extension")

SNAPSHOT = 7
KINDS = ["file", "file", "file", "link", "folder", "fifo", "twice"]
CHANGES = [None] * 6 + ["absent", "gone", "pending", "both", "closed", "nlink", *range(8, 16)]
"""What the catalogue says otherwise than the disk: nothing of it, a column, ..."""

names = st.binary(min_size=1, max_size=4).filter(
    lambda name: not set(name) & set(b"/\0\1\2") and name not in (b".", b"..")
)


def by_name(fd, rows):
    """What ``walk`` would do without the extension."""
    files = size = 0
    folders, rest = [], []
    present = sorted(map(os.fsencode, os.listdir(fd)))
    for name, there, pair in paired(present, [Version._make(row) for row in rows], SNAPSHOT):
        base, pending = pair
        if there:
            stat = os.stat(name, dir_fd=fd, follow_symlinks=False)
            kind = stat.st_mode & 0o170000
            if kind in (0o100000, 0o120000) and as_it_was(pair, facts(stat, stat.st_size), stat.st_nlink):
                if kind == 0o100000:
                    files, size = files + 1, size + stat.st_size
                continue
            if kind == 0o040000 and as_it_was(
                (base._replace(nlink=base.nlink - 1) if base else None, pending), facts(stat, 0), 1
            ):
                folders.append((name, base.ino, stat.st_dev, stat.st_ino))
                continue
        rest.append((name, [tuple(row) for row in pair if row is not None]))
    return files, size, folders, rest


def row_of(fd, name, ino):
    stat = os.stat(name, dir_fd=fd, follow_symlinks=False)
    folder = stat.st_mode & 0o170000 == 0o040000
    nlink = 2 if folder else stat.st_nlink
    return (name, 1, None, ino, nlink, 5, None, None, *facts(stat, 0 if folder else stat.st_size))


def changed(row, change):
    """The rows that the catalogue has instead of the right one."""
    if change in ("absent", None):
        return [] if change else [row]
    if change == "closed":
        return [(*row[:2], SNAPSHOT, *row[3:])]
    if change in ("pending", "both"):
        pending = (row[0], SNAPSHOT, *row[2:])
        return [row, pending] if change == "both" else [pending]
    if change == "nlink":
        return [(*row[:4], 3, *row[5:])]
    if change == "gone":
        return [row, (row[0] + b"\x01", *row[1:])]
    return [(*row[:change], row[change] + 1, *row[change + 1 :])]


def make(folder, name, kind):
    path = os.fsencode(folder) + b"/" + name
    text = os.fsdecode(path)
    if kind == "folder":
        os.mkdir(path)  # noqa: PTH102
    elif kind == "link":
        os.symlink("elsewhere", text)  # noqa: PTH211
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with open(path, "wb") as file:
            file.write(name)
        if kind == "twice":
            os.link(path, path + b"\x02")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, st.tuples(st.sampled_from(KINDS), st.sampled_from(CHANGES)), max_size=15))
def test_any_directory_and_any_rows(tmp_path, content):
    folder = tmp_path / "tree"
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY)
    try:
        rows = {}
        for number, (name, (kind, change)) in enumerate(content.items()):
            make(folder, name, kind)
            for row in changed(row_of(fd, name, 100 + number), change):
                rows.setdefault((row[0], row[1]), row)
        given_rows = [rows[key] for key in sorted(rows)]
        expected = by_name(fd, given_rows)
        assert native.functions.compare(fd, iter(given_rows), SNAPSHOT, 1_000) == expected
        assert native.functions.compare(fd, given_rows, SNAPSHOT, len(expected[3])) == expected
        if expected[3]:
            assert native.functions.compare(fd, given_rows, SNAPSHOT, len(expected[3]) - 1) is None
    finally:
        os.close(fd)
        shutil.rmtree(folder)


def test_numbers_that_a_database_cannot_hold(tmp_path):
    """They go the long way, which brings them into range."""
    (tmp_path / "f").touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        row = row_of(fd, b"f", 9)
        for column, value in ((13, 1 << 70), (15, -(1 << 70)), (11, None), (12, "text"), (9, 0.0)):
            other = (*row[:column], value, *row[column + 1 :])
            assert native.functions.compare(fd, [other], SNAPSHOT, 10) == (0, 0, [], [(b"f", [other])])
        assert native.functions.compare(fd, [row], SNAPSHOT, 10) == (1, 0, [], [])
    finally:
        os.close(fd)


def test_many_names_and_many_gone(tmp_path):
    rng = random.Random(5)
    for number in range(3_000):
        (tmp_path / f"{number:0{rng.randrange(4, 200)}}").touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        rows = [row_of(fd, name, 1) for name in sorted(map(os.fsencode, os.listdir(fd)))]
        assert native.functions.compare(fd, rows, SNAPSHOT, 0) == (3_000, 0, [], [])
        files, _, _, rest = native.functions.compare(fd, rows[1_000:], SNAPSHOT, 1_000)
        assert (files, rest) == (2_000, [(row[0], []) for row in rows[:1_000]])
        gone = [(b"zz%04d" % number, *rows[0][1:]) for number in range(2_000)]
        assert native.functions.compare(fd, rows + gone, SNAPSHOT, 10_000)[3] == [(row[0], [row]) for row in gone]
    finally:
        os.close(fd)


def test_what_is_wrong_is_refused(tmp_path):
    compare = native.functions.compare
    fd = os.open(tmp_path, os.O_RDONLY)

    def broken():
        yield (b"a", 1, None, *[0] * 13)
        raise ZeroDivisionError

    try:
        for rows in ([()], [5], [("text", *[0] * 15)], [(b"a",)], [[b"a", *[0] * 15]], 5):
            with pytest.raises(TypeError):
                compare(fd, rows, SNAPSHOT, 10)
        with pytest.raises(ZeroDivisionError):
            compare(fd, broken(), SNAPSHOT, 10)
        with pytest.raises(TypeError):
            compare(fd, [], "x", 10)
    finally:
        os.close(fd)
    with pytest.raises(OSError, match="Bad file"):
        compare(-1, [], SNAPSHOT, 10)
