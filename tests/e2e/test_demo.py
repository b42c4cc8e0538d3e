"""The demonstration as a person runs it: hostile names come back, and nothing is left behind however it ends."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from odfs.mountpoint import parse_table

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="needs /dev/fuse"),
]
NAMES = [
    b"non\xff\xfeutf8",
    b"new\nline",
    b"quo\"te'",
    b"back\\slash",
    b"a" * 255,
    "\u00e9\U0001f600".encode(),
    b"trailing..",
    b"trailing  ",
    b"Case",
    b"case",
    b"-dash",
    b"\x01\x1b[31m",
    b"con.txt",
]


def _hostile(root):
    os.makedirs(root + b"/empty/folders")
    for number, name in enumerate(NAMES):
        with open(root + b"/" + name, "wb") as file:
            file.write(bytes([number]) * (number * 1000))
    deep = root
    while len(deep) < 930:
        deep += b"/" + b"d" * 60
    os.makedirs(deep)
    with open(deep + b"/" + b"f" * (999 - len(deep)), "wb") as file:
        file.write(b"deep")
    os.link(root + b"/Case", root + b"/hard link")
    for number, target in enumerate([b"nowhere", b"Case", b"\xff\n", b"../.."]):
        os.symlink(target, root + b"/link %d" % number)  # noqa: PTH211  names are bytes
    os.utime(root + b"/case", ns=(1, -5))
    os.utime(root + b"/Case", ns=(1, 1_234_567_890_123_456_789))
    os.chmod(root + b"/case", 0o6751)  # noqa: PTH101  names are bytes
    os.mkfifo(root + b"/fifo")


def _demo(folder, source, *words):
    argv = [sys.executable, "-m", "odarchive", "demo", "--dir", str(folder), "--source", str(source), *words]
    return subprocess.Popen([*argv, "--media", "20MB"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _nothing_left(folder):
    mounts = parse_table(Path("/proc/self/mountinfo").read_bytes())
    assert not [mount for mount in mounts if mount.path.startswith(os.fsencode(folder))]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert os.fsencode(folder) not in process.read_bytes(), process
        except (FileNotFoundError, ProcessLookupError):
            continue


def test_hostile_names_come_back(tmp_path):
    source, folder = tmp_path / "my files", tmp_path / "demo"
    source.mkdir()
    _hostile(os.fsencode(source))
    with _demo(folder, source, "--check") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert re.fullmatch(r"demo: 15 files, \d+ bytes, 1 discs, \d+ disc loads, 0 differences\n", out), out
    assert not folder.exists()
    _nothing_left(folder)


@pytest.mark.parametrize(
    ("moment", "number"),
    [  # each signal at one moment, and each moment twice: all three have one handler, whatever the moment
        ("demo: burning", signal.SIGINT),
        ("demo: burning", signal.SIGHUP),
        ("Ctrl-C here", signal.SIGINT),
        ("Ctrl-C here", signal.SIGTERM),
    ],
)
def test_a_signal_takes_everything_down(tmp_path, moment, number):
    source, folder = tmp_path / "files", tmp_path / "demo"
    source.mkdir()
    (source / "file").write_bytes(b"x" * 100_000)
    with _demo(folder, source) as process:
        for line in process.stderr:
            if line.startswith(moment):
                break
        if "Ctrl-C" in moment:
            assert (folder / "mnt/files/file").read_bytes() == b"x" * 100_000
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == (0 if "Ctrl-C" in moment else 130)
    _nothing_left(folder)


def test_a_failing_step_leaves_nothing_running(tmp_path):
    source, folder = tmp_path / "files", tmp_path / "demo"
    source.mkdir()
    (source / "file").write_bytes(b"x")
    argv = [
        sys.executable,
        "-m",
        "odarchive",
        "demo",
        "--dir",
        str(folder),
        "--source",
        str(source),
        "--media",
        "70000",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode not in (0, 1)
    assert "larger" in done.stderr
    _nothing_left(folder)
