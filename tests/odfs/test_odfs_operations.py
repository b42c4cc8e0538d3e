"""The handlers called directly; what the kernel makes of them is in tests/fuse."""

import errno
import itertools
import logging
import os
import stat
from collections.abc import Awaitable, Callable

import pyfuse3
import pytest
import trio
from memory_tree import MemoryAnnotations, MemoryContents, MemoryNamespace, pattern
from trio.testing import MockClock

from odfs.answering import listed
from odfs.errors import ContentDamaged, ContentUnavailable, RecallRefused, RecallTimedOut
from odfs.operations import Operations
from odfs.options import MountOptions
from odfs.ports import ROOT

OPTIONS = MountOptions(entry_timeout=11, attribute_timeout=12, negative_timeout=13, read_deadline=100)


class Bench:
    """A small tree with its handlers."""

    def __init__(self) -> None:
        self.namespace = MemoryNamespace()
        self.contents = MemoryContents()
        self.upper = self.namespace.add_directory(ROOT, b"upper")
        self.lower = self.namespace.add_directory(self.upper, b"lower")
        self.file = self.namespace.add_file(self.lower, b"file\xff", 1000, -1)
        self.link = self.namespace.add_link(ROOT, b"link", b"to\xff")
        self.operations = Operations(self.namespace, self.contents, OPTIONS, MemoryAnnotations())

    async def read(self, offset: int, size: int, flags: int = os.O_RDONLY) -> bytes:
        """Of a fresh handle of the file."""
        return bytes(await self.operations.read((await self.operations.open(self.file, flags)).fh, offset, size))


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def refusal(call: Awaitable[object]) -> int:
    with pytest.raises(pyfuse3.FUSEError) as caught:
        await call
    return int(caught.value.errno)


async def test_lookup_translates_every_field(bench: Bench) -> None:
    entry = await bench.operations.lookup(bench.lower, b"file\xff")
    assert (entry.st_ino, entry.st_size, entry.st_mode, entry.st_nlink) == (bench.file, 1000, stat.S_IFREG | 0o644, 1)
    assert (entry.st_mtime_ns, entry.st_ctime_ns, entry.st_atime_ns) == (-1, -1, -1)
    assert (entry.entry_timeout, entry.attr_timeout, entry.st_blksize, entry.st_blocks) == (11, 12, 4096, 2)
    bench.contents.waiting[bench.file] = trio.Event()
    assert (await bench.operations.getattr(bench.file)).st_blocks == 1


async def test_what_does_not_exist_is_remembered_as_such(bench: Bench) -> None:
    entry = await bench.operations.lookup(ROOT, b"nothing")
    assert (entry.st_ino, entry.entry_timeout) == (0, 13)


async def test_dots_are_looked_up_by_inode_alone(bench: Bench) -> None:
    assert (await bench.operations.lookup(bench.lower, b".")).st_ino == bench.lower
    assert (await bench.operations.lookup(bench.lower, b"..")).st_ino == bench.upper
    assert (await bench.operations.lookup(bench.file, b".")).st_ino == bench.file
    assert (await bench.operations.lookup(ROOT, b"..")).st_ino == ROOT
    assert await refusal(bench.operations.lookup(999, b".")) == errno.ENOENT
    assert await refusal(bench.operations.lookup(999, b"..")) == errno.ENOENT
    assert await refusal(bench.operations.getattr(999)) == errno.ENOENT


@pytest.mark.parametrize(
    ("fault", "number", "level"),
    [
        (ContentUnavailable("disc 7 is missing"), errno.EIO, logging.WARNING),
        (ContentDamaged("disc 7"), errno.EIO, logging.WARNING),
        (RecallTimedOut("disc 7"), errno.ETIMEDOUT, logging.WARNING),
        (RecallRefused("crawler"), errno.EAGAIN, logging.INFO),
        (trio.TooSlowError(), errno.ETIMEDOUT, logging.WARNING),
        (ZeroDivisionError("a bug"), errno.EIO, logging.ERROR),
        (ExceptionGroup("bugs", [KeyError("a")]), errno.EIO, logging.ERROR),
    ],
)
async def test_each_error_has_its_errno_and_a_line_with_the_path(
    bench: Bench, caplog: pytest.LogCaptureFixture, fault: Exception, number: int, level: int
) -> None:
    caplog.set_level(logging.INFO)
    bench.contents.faults[bench.file] = fault
    assert await refusal(bench.read(0, 10)) == number
    (record,) = caplog.records
    assert record.levelno == level
    assert r"read b'/upper/lower/file\xff'" in record.getMessage()


REQUESTS: dict[str, Callable[[Bench], Awaitable[object]]] = {
    "lookup": lambda bench: bench.operations.lookup(ROOT, b"upper"),
    "attributes": lambda bench: bench.operations.getattr(ROOT),
    "readlink": lambda bench: bench.operations.readlink(bench.link),
    "totals": lambda bench: bench.operations.statfs(),
}


@pytest.mark.parametrize("method", REQUESTS)
async def test_a_bug_in_the_namespace_and_even_in_path_is_an_error_not_an_end(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.namespace, method, broken)
    monkeypatch.setattr(bench.namespace, "path", broken)
    assert await refusal(REQUESTS[method](bench)) == errno.EIO
    assert "unexpected error, answered EIO" in caplog.records[-1].getMessage()


async def test_values_that_do_not_fit_are_an_error_not_an_end(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    huge = bench.namespace.add_file(ROOT, b"huge", 2**70)
    assert await refusal(bench.operations.getattr(huge)) == errno.EIO
    assert "getattr b'/huge'" in caplog.text


async def test_cancellation_passes_through(bench: Bench) -> None:
    bench.contents.waiting[bench.file] = trio.Event()
    with trio.move_on_after(0) as scope:
        await bench.read(0, 10)
    assert scope.cancelled_caught


async def test_no_read_waits_beyond_the_deadline(bench: Bench, autojump_clock: MockClock) -> None:
    bench.contents.waiting[bench.file] = trio.Event()
    start = trio.current_time()
    assert await refusal(bench.read(0, 10)) == errno.ETIMEDOUT
    assert trio.current_time() - start == pytest.approx(OPTIONS.read_deadline)


async def test_the_kernels_second_try_does_not_wait_again(bench: Bench, autojump_clock: MockClock) -> None:
    bench.contents.waiting[bench.file] = trio.Event()
    handle = (await bench.operations.open(bench.file, os.O_RDONLY)).fh
    assert await refusal(bench.operations.read(handle, 0, 10)) == errno.ETIMEDOUT
    before = trio.current_time()
    assert await refusal(bench.operations.read(handle, 0, 10)) == errno.ETIMEDOUT
    assert trio.current_time() == before
    bench.contents.waiting[bench.file].set()
    await trio.sleep(2)
    assert await bench.operations.read(handle, 0, 10) == pattern(bench.file, 0, 10)


async def test_a_resident_read_does_not_wait(bench: Bench) -> None:
    assert await bench.read(990, 4096) == pattern(bench.file, 990, 10)
    assert await bench.read(1000, 4096) == b""
    assert bench.contents.started == 0


async def test_a_short_read_is_an_error_because_the_kernel_would_shorten_the_file(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.contents.cut[bench.file] = 99
    assert await refusal(bench.read(0, 100)) == errno.EIO
    assert "99 bytes at 0 where the file has 100" in caplog.text
    assert await bench.read(0, 99) == pattern(bench.file, 0, 99)


async def test_contents_hear_of_the_last_release_only(bench: Bench) -> None:
    handles = [(await bench.operations.open(bench.file, os.O_RDONLY)).fh for _ in range(3)]
    for handle in handles[:2]:
        await bench.operations.release(handle)
    assert bench.contents.forgotten == []
    await bench.operations.release(handles[2])
    assert bench.contents.forgotten == [bench.file]


async def test_open_keeps_cached_pages_and_fetches_nothing(bench: Bench) -> None:
    bench.contents.waiting[bench.file] = trio.Event()
    info = await bench.operations.open(bench.file, os.O_RDONLY | os.O_NONBLOCK)
    assert (info.keep_cache, info.direct_io) == (True, False)
    assert bench.contents.started == 0


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC])
async def test_opening_to_write_is_refused(bench: Bench, flags: int) -> None:
    assert await refusal(bench.operations.open(bench.file, flags)) == errno.EROFS


CHANGES = [
    "setattr",
    "mknod",
    "mkdir",
    "unlink",
    "rmdir",
    "symlink",
    "rename",
    "link",
    "create",
    "write",
    "setxattr",
    "removexattr",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_every_change_is_refused(bench: Bench, change: str) -> None:
    assert await refusal(getattr(bench.operations, change)(1, b"name", object())) == errno.EROFS


async def test_what_the_kernel_should_stop_asking_answers_enosys(bench: Bench) -> None:
    assert await refusal(bench.operations.flush(1)) == errno.ENOSYS
    assert await refusal(bench.operations.access(ROOT, 4, object())) == errno.ENOSYS


async def test_attributes_outside_user_are_not_supported_and_unknown_ones_are_no_data(bench: Bench) -> None:
    getxattr = bench.operations.getxattr
    for name in (b"security.selinux", b"system.posix_acl_access", b"trusted.hidden"):
        assert await refusal(getxattr(bench.file, name)) == errno.EOPNOTSUPP
    assert await refusal(getxattr(bench.file, b"user.unknown")) == errno.ENODATA
    assert await getxattr(bench.file, b"user.odarchive.inode") == b"%d" % bench.file
    assert await bench.operations.listxattr(bench.file) == [b"user.odarchive.inode", b"trusted.hidden"]
    assert listed([b"trusted.hidden", b"user.shown"], 1000) == [b"user.shown"]


async def test_without_annotations_there_are_no_attributes(bench: Bench) -> None:
    plain = Operations(bench.namespace, bench.contents, OPTIONS)
    assert await plain.listxattr(bench.file) == []
    assert await refusal(plain.getxattr(bench.file, b"user.odarchive.inode")) == errno.ENODATA


async def test_readlink_gives_bytes_and_refuses_what_is_no_link(bench: Bench) -> None:
    assert await bench.operations.readlink(bench.link) == b"to\xff"
    assert await refusal(bench.operations.readlink(bench.file)) == errno.EINVAL


async def test_readdir_stops_when_the_buffer_is_full_and_resumes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[bytes, int]] = []
    room = itertools.cycle([True, True, False])

    def reply(_token: object, name: bytes, _entry: object, cookie: int) -> bool:
        fits = next(room)
        if fits:
            taken.append((name, cookie))
        return fits

    monkeypatch.setattr(pyfuse3, "readdir_reply", reply)
    handle = await bench.operations.opendir(ROOT)
    token = pyfuse3.ReaddirToken()
    await bench.operations.readdir(handle, 0, token)
    assert [name for name, _ in taken] == [b".", b".."]
    await bench.operations.readdir(handle, taken[-1][1], token)
    assert [name for name, _ in taken] == [b".", b"..", b"link", b"upper"]
    assert await refusal(bench.operations.readdir(handle, 2, token)) == errno.EINVAL
    await bench.operations.releasedir(handle)
    assert await refusal(bench.operations.readdir(handle, 0, token)) == errno.EIO


async def test_statfs_is_full_and_of_the_size_of_the_archive(bench: Bench) -> None:
    data = await bench.operations.statfs()
    assert (data.f_blocks, data.f_bsize, data.f_bfree, data.f_bavail) == (1, 4096, 0, 0)
    assert (data.f_files, data.f_ffree, data.f_namemax) == (5, 0, 255)
