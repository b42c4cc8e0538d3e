"""Reading in C beside reading in Python: equal values from the same trees, also while the files change under both."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from odarchive import digest
from odarchive.reading import attributes, native, plain, sheet, tree

HERE = Path(__file__).parent
COMPILER = shutil.which("gcc") or shutil.which("cc")
compiled = pytest.mark.skipif(native.functions is None, reason="without the extension")
YEAR_NS = 365 * 86_400 * 10**9
NOW = 1_700_000_000_123_456_789


def test_the_extension_is_there_where_it_can_be():
    """Everything else here would be skipped in silence."""
    if os.environ.get(native.SWITCH) == "0":
        pytest.skip(f"{native.SWITCH}=0: reading in C is left alone, only Python's way is tested")
    assert native.functions is not None or COMPILER is None, "make install: reading/native_c is not built"


@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_the_compiler_has_nothing_to_say(tmp_path):
    sources = sorted((Path(native.__file__).parent / "native_c").glob("*.c"))
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{sysconfig.get_path('include')}"]
    subprocess.run([COMPILER, *flags, "-fPIC", "-shared", "-o", tmp_path / "native.so", *sources], check=True)


def in_python(monkeypatch, call, *arguments):
    with monkeypatch.context() as patch:
        patch.setattr(native, "functions", None)
        return call(*arguments)


def compared(monkeypatch, folder, read_ns):
    """What both ways give of a directory: names told apart, rows, names that go the long way."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listed = tree.told_apart(fd)
        theirs = in_python(monkeypatch, tree.told_apart, fd)
        assert (listed[0], sorted(listed[1])) == (theirs[0], sorted(theirs[1]))
        names = [*listed[0], *listed[1], b"gone", b""]
        found = plain.read_usual(fd, names, read_ns)
        theirs = in_python(monkeypatch, plain.read_usual, fd, names, read_ns)
        assert (found[0], sorted(found[1])) == (theirs[0], sorted(theirs[1]))  # what waits for the disk comes last
        rows = list(sheet.rows(found[0]))
        return listed, (rows, found[1])
    finally:
        os.close(fd)


def make(folder, name, kind, size, mtime):
    path = os.fsencode(folder) + b"/" + name
    text = Path(os.fsdecode(path))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        text.mkdir()
    elif kind == "link":
        text.symlink_to("elsewhere")
    else:
        with open(path, "wb") as file:
            file.write(name[:1] * (0 if kind == "sparse" else size))
            file.truncate(size)
        if kind == "attribute":
            os.setxattr(path, "user.x", b"1")
        if kind == "twice":
            os.link(path, path[:250] + b"\x01two")
        if kind == "mode":
            text.chmod(0o4711)
    if kind != "link":
        os.utime(path, ns=(0, mtime))


names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda name: not set(name) & set(b"/\0\1"))
    .filter(lambda name: name not in (b".", b"..", b"gone"))
)
kinds = st.sampled_from(["file"] * 6 + ["fifo", "folder", "link", "attribute", "twice", "sparse", "mode"])
sizes = st.sampled_from([0, 0, 1, 3000, 4095, 4096, 65_535, 65_536, 70_000, digest.BLOCK - 1, digest.BLOCK])
times = st.one_of(
    st.integers(-3 * YEAR_NS, 100 * YEAR_NS),
    st.integers(-100, 5_000).map(lambda second: second * 10**9),
    st.sampled_from([0, -1, NOW, NOW // 10**9 * 10**9, 8_000_000_000 * 10**9]),
)
clocks = st.one_of(st.just(0), st.integers(-50, 50).map(lambda tick: tick * 100_000_000))


@compiled
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, st.tuples(kinds, sizes, times), max_size=12), clocks)
@example({b"new\nline\xff": ("file", 10, NOW), b"x" * 255: ("file", 1, -5)}, 0)
def test_any_tree(tmp_path, monkeypatch, content, ahead):
    folder = tmp_path / "tree"
    folder.mkdir()
    try:
        for name, (kind, size, mtime) in content.items():
            make(folder, name, kind, size, mtime)
        listed, found = compared(monkeypatch, folder, time.time_ns() + ahead)
        assert len(found[0]) + len(found[1]) == len(listed[0]) + len(listed[1]) + 2
    finally:
        shutil.rmtree(folder)


@compiled
def test_whether_a_file_is_too_fresh(tmp_path, monkeypatch):
    """Both clocks' steps to the nanosecond, around the times of one file."""
    (tmp_path / "f").write_bytes(b"f")
    for mtime in (NOW, NOW // 10**9 * 10**9):
        os.utime(tmp_path / "f", ns=(0, mtime))
        ctime = os.stat(tmp_path / "f").st_ctime_ns
        kept = set()
        for step in (0, plain.TICK_NS, plain.COARSE_NS):
            for off in (-1, 0, 1):
                _, (rows, _) = compared(monkeypatch, tmp_path, ctime + step + off)
                kept.add(rows[0][8] != 0)
        assert kept == {False, True}


@compiled
@pytest.mark.parametrize("clock", [-(1 << 63), 1 << 63])
def test_no_time_of_any_clock(tmp_path, clock):
    with pytest.raises((ValueError, OverflowError)):
        native.functions.read_usual(0, [b"f"], clock, digest.blake3)


@compiled
def test_many_names(tmp_path, monkeypatch):
    """More than one block of a listing."""
    for number in range(3_000):
        (tmp_path / f"{number:060}").touch()
    listed, found = compared(monkeypatch, tmp_path, NOW)
    assert (len(listed[0]), len(found[0])) == (3_000, 3_000)


@compiled
def test_wrong_arguments_are_refused(tmp_path):
    functions = native.functions
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        functions.told_apart(-1)
    assert caught.value.errno == errno.EBADF
    with open(tmp_path / "f", "w") as file, pytest.raises(NotADirectoryError):
        functions.told_apart(file.fileno())
    for wrong in (("x", [], 0, None), (0, 5, 0, None), (0, [], "x", None)):
        with pytest.raises(TypeError):
            functions.read_usual(*wrong)
    with pytest.raises(TypeError):
        functions.told_apart("x")
    assert functions.read_usual(-1, [b"f", b"na\0me", "text", 5], NOW, None)[1] == [b"f", b"na\0me", "text", 5]


@compiled
def test_what_the_hasher_raises_goes_through(tmp_path):
    (tmp_path / "f").write_bytes(b"f")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(ZeroDivisionError):
            native.functions.read_usual(fd, [b"f"], NOW, lambda data: 1 / (len(data) - 1))
        with pytest.raises(AttributeError):
            native.functions.read_usual(fd, [b"f"], NOW, lambda data: data)
        for wrong in (b"short", "x" * 32, None):
            with pytest.raises(TypeError, match="no digest of 32 bytes"):
                native.functions.read_usual(
                    fd, [b"f"], NOW, lambda _, wrong=wrong: SimpleNamespace(digest=lambda: wrong)
                )
    finally:
        os.close(fd)


@compiled
def test_a_socket(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        _, (rows, rest) = compared(monkeypatch, tmp_path, NOW)
    assert (rows, rest[0]) == ([], b"socket")


REPORT = """
import json, os, sys
from odarchive.reading import plain, sheet, tree
fd = os.open(sys.argv[1], os.O_RDONLY)
files, others = tree.told_apart(fd)
rows, rest = plain.read_usual(fd, sorted(files), 0)
rest.sort()
told = [[name.decode() for name in names] for names in (sorted(files), others, rest)]
print(json.dumps([*told, [[row[0].decode(), *row[1:5], row[9] and row[9].hex()] for row in sheet.rows(rows)]]))
"""
"""Rows without times and inode numbers, which are others in another copy of the tree."""
GOES_WRONG = ["fails", "grows", "mode", "refused", "short", "shrinks", "touched", "touched-after"]


@compiled
@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_files_that_change_while_they_are_read(tmp_path):
    """Injected between the calls to the kernel, in both ways of reading."""
    shim = tmp_path / "races.so"
    subprocess.run([COMPILER, "-Wall", "-Werror", "-fPIC", "-shared", "-o", shim, HERE / "races.c", "-ldl"], check=True)
    told = []
    for switch, where in (("1", "in memory"), ("1", "on disk"), ("1", "old"), ("0", "")):
        folder = tmp_path / f"{switch} {where}"
        folder.mkdir()
        (folder / "folder").mkdir()
        (folder / "link").symlink_to("usual")
        for name in ("usual", "listed-1", "listed-2", "race-unsupported", *(f"race-{what}" for what in GOES_WRONG)):
            (folder / name).write_bytes(name.encode() * 50)
        env = {**os.environ, native.SWITCH: switch, "RACES": where}
        env["LD_PRELOAD"] = f"{os.environ.get('LD_PRELOAD', '')} {shim}"
        done = subprocess.run(
            [sys.executable, "-c", REPORT, folder], env=env, check=True, capture_output=True, text=True
        )
        told.append(json.loads(done.stdout))
    assert told[:3] == [told[3]] * 3
    files, others, rest, rows = told[0]
    assert (len(files), sorted(others)) == (11, ["folder", "link"])
    assert rest == [f"race-{what}" for what in GOES_WRONG]
    assert [row[0] for row in rows] == ["listed-1", "race-unsupported", "usual"]


@compiled
def test_signals_are_heard(tmp_path):
    """Ctrl-C ends a reading of many files in the middle."""
    for number in range(200):
        (tmp_path / f"{number}").write_bytes(b"f")
    read = []

    def hasher(data):
        read.append(data)
        if len(read) == 3:
            signal.raise_signal(signal.SIGINT)
        return digest.blake3(data)

    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(KeyboardInterrupt):
            native.functions.read_usual(fd, [b"%d" % number for number in range(200)], NOW, hasher)
    finally:
        os.close(fd)
    assert 3 <= len(read) <= 64


@compiled
def test_what_both_hold_for_large_and_sparse(tmp_path, monkeypatch):
    assert (digest.BLOCK, attributes.SPARSE) == (1 << 20, 1 << 16)  # as in usual.c
    for size in (digest.BLOCK - 1, digest.BLOCK):
        (tmp_path / f"large{size}").write_bytes(os.urandom(size))
    for size in (attributes.SPARSE - 1, attributes.SPARSE):
        with open(tmp_path / f"sparse{size}", "wb") as file:
            file.truncate(size)
    _, (rows, _) = compared(monkeypatch, tmp_path, NOW)
    assert sorted(row[0] for row in rows) == [b"large1048575", b"sparse65535"]
