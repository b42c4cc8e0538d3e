"""What system calls answer on a read-only file system: a table like pjdfstest's, and random lives beside a dict.

Root in a user namespace of its own could not tell more: permissions are the kernel's (``default_permissions``).
"""
# ruff: noqa: PTH101, PTH104, PTH211 - system calls are what is tested

import ctypes
import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from memory_tree import pattern

from tests.fuse.server import Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]
Call = Callable[[str], object]
CHANGES: dict[str, Call] = {
    "chmod": lambda path: os.chmod(path, 0o600),
    "chown": lambda path: os.chown(path, 1, 1),
    "truncate": lambda path: os.truncate(path, 0),
    "utime": lambda path: os.utime(path, (1, 1)),
    "setxattr": lambda path: os.setxattr(path, "user.x", b"x"),
    "open to write": lambda path: os.open(path, os.O_WRONLY),
    "open to read and write": lambda path: os.open(path, os.O_RDWR),
    "open to truncate": lambda path: os.open(path, os.O_RDONLY | os.O_TRUNC),
}
MAKERS: dict[str, Call] = {
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "symlink": lambda path: os.symlink("anywhere", path),
    "create": lambda path: os.open(path, os.O_CREAT | os.O_WRONLY),
}
WRONG_PATHS = {
    "absent": errno.ENOENT,
    "absent/below": errno.ENOENT,
    "plain/below": errno.ENOTDIR,
    "n" * 256: errno.ENAMETOOLONG,
    "loop": errno.ELOOP,
    "loop/below": errno.ELOOP,
}


def number(call: Call, path: Path | str) -> int:
    """The errno of a call; 0 if it did what it should not."""
    try:
        found = call(os.fspath(path))
    except OSError as error:
        return error.errno or 0
    if isinstance(found, int):
        os.close(found)
    return 0


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_that_exists_is_changed(mounted: Path, change: str) -> None:
    before = os.stat(mounted / "plain")
    expected = {errno.EROFS}
    assert number(CHANGES[change], mounted / "plain") in expected
    assert number(CHANGES[change], mounted / "to plain") in expected
    folder = {errno.EROFS, errno.EISDIR}
    assert number(CHANGES[change], mounted / "hostile") in folder
    after = os.stat(mounted / "plain")
    assert (after.st_mode, after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (
        (before.st_mode, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
    )


@pytest.mark.parametrize("maker", MAKERS)
def test_nothing_is_made(mounted: Path, maker: str) -> None:
    assert number(MAKERS[maker], mounted / "fresh") == errno.EROFS
    assert number(MAKERS[maker], mounted / "hostile/fresh") == errno.EROFS
    assert number(MAKERS[maker], mounted / "plain") in (errno.EEXIST, errno.EROFS)
    assert number(MAKERS[maker], mounted / "plain/fresh") == errno.ENOTDIR
    assert not (mounted / "fresh").exists()


def test_nothing_goes_away_or_elsewhere(mounted: Path, tmp_path: Path) -> None:
    plain, folder = os.fspath(mounted / "plain"), os.fspath(mounted / "hostile")
    assert number(os.unlink, plain) == errno.EROFS
    assert number(os.rmdir, folder) == errno.EROFS
    assert number(lambda path: os.rename(path, f"{path}2"), plain) == errno.EROFS
    assert number(lambda path: os.link(path, f"{path}2"), plain) == errno.EROFS
    assert number(lambda path: os.rename(path, tmp_path / "out"), plain) == errno.EXDEV
    assert number(lambda path: os.link(path, tmp_path / "out"), plain) == errno.EXDEV
    assert number(lambda path: os.removexattr(path, "user.odarchive.inode"), plain) == errno.EROFS


@pytest.mark.parametrize("wrong", WRONG_PATHS)
@pytest.mark.parametrize("call", ["stat", "open", "listdir", "readlink below", "getxattr"])
def test_wrong_paths_have_their_errno(mounted: Path, call: str, wrong: str) -> None:
    calls: dict[str, Call] = {
        "stat": os.stat,
        "open": lambda path: os.open(path, os.O_RDONLY),
        "listdir": os.listdir,
        "readlink below": lambda path: os.readlink(f"{path}/link"),
        "getxattr": lambda path: os.getxattr(path, "user.any"),
    }
    expected = WRONG_PATHS[wrong]
    assert number(calls[call], mounted / wrong) == expected


def test_flags_of_open(mounted: Path) -> None:
    assert number(lambda path: os.open(path, os.O_DIRECTORY), mounted / "plain") == errno.ENOTDIR
    assert number(lambda path: os.open(path, os.O_NOFOLLOW), mounted / "to plain") == errno.ELOOP
    assert number(lambda path: os.open(path, os.O_CREAT | os.O_EXCL), mounted / "plain") == errno.EEXIST
    assert number(lambda path: os.open(path, os.O_TMPFILE | os.O_RDWR), mounted) in (errno.EROFS, errno.EOPNOTSUPP)
    descriptor = os.open(mounted / "plain", os.O_RDONLY | os.O_CREAT, 0o644)  # exists: nothing to create
    assert os.read(descriptor, 10) == pattern(os.fstat(descriptor).st_ino, 0, 10)
    os.close(descriptor)


def test_a_descriptor_reads_and_does_no_more(mounted: Path) -> None:
    with (mounted / "big").open("rb", buffering=0) as file:
        descriptor, size = file.fileno(), os.fstat(file.fileno()).st_size
        ino = os.fstat(descriptor).st_ino
        assert os.pread(descriptor, 10, size) == os.pread(descriptor, 10, size + 5) == b""
        assert os.pread(descriptor, 100, size - 3) == pattern(ino, size - 3, 3)
        assert (os.lseek(descriptor, -4, os.SEEK_END), os.read(descriptor, 9)) == (size - 4, pattern(ino, size - 4, 4))
        assert os.lseek(descriptor, 5, os.SEEK_DATA) == 5
        assert os.lseek(descriptor, 5, os.SEEK_HOLE) == size
        for call in (lambda: os.write(descriptor, b"x"), lambda: os.ftruncate(descriptor, 1)):
            with pytest.raises(OSError, match=r"Bad file descriptor|Invalid argument"):
                call()
        os.fsync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped:
            assert mapped[size - 5 :] == pattern(ino, size - 5, 5)
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def test_access_says_read_only(mounted: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for name in ("plain", "hostile", "."):
        assert libc.access(os.fsencode(mounted / name), os.W_OK) == -1
        assert ctypes.get_errno() == errno.EROFS
        assert os.access(mounted / name, os.R_OK)


def test_directories_refuse_to_be_read_as_files(mounted: Path) -> None:
    descriptor = os.open(mounted / "hostile", os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        os.read(descriptor, 1)
    os.close(descriptor)
    assert number(os.readlink, mounted / "plain") == errno.EINVAL


class Beside(RuleBasedStateMachine):
    """A folder of the mount, and a dict of what is in it: name to inode number."""

    server: Server
    folders = 0
    names = st.sampled_from(["a", "b", "c", "é", "x" * 255])

    def __init__(self) -> None:
        super().__init__()
        Beside.folders += 1
        self.name = f"beside{Beside.folders}"
        self.server.order(f"folder {self.name}")
        self.folder = self.server.directory / self.name
        self.model: dict[str, int] = {}

    @rule(name=names)
    def put(self, name: str) -> None:
        self.model[name] = int(str(self.server.order(f"put {self.name} {name}")))

    @rule(name=names)
    def take(self, name: str) -> None:
        if name in self.model:
            del self.model[name]
            self.server.order(f"take {self.name} {name}")

    @rule(name=names, offset=st.integers(0, 40_000), length=st.integers(0, 50_000))
    def read(self, name: str, offset: int, length: int) -> None:
        if name not in self.model:
            assert number(os.stat, self.folder / name) == errno.ENOENT
            return
        descriptor = os.open(self.folder / name, os.O_RDONLY)
        try:
            assert os.fstat(descriptor).st_ino == self.model[name]
            whole = pattern(self.model[name], 0, 30_000)
            assert os.pread(descriptor, length, offset) == whole[offset : offset + length]
        finally:
            os.close(descriptor)

    @rule(name=names)
    def look(self, name: str) -> None:
        assert (self.folder / name).exists() == (name in self.model)

    @invariant()
    def is_listed(self) -> None:
        with os.scandir(self.folder) as lines:
            found = {line.name: line.inode() for line in lines}
        assert found == self.model
        assert stat.S_ISDIR(self.folder.stat().st_mode)


def test_random_lives_are_those_of_a_dict(shared_server: Server) -> None:
    machine = type("OnThisMount", (Beside,), {"server": shared_server})
    limits = settings(
        max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine, settings=limits)
