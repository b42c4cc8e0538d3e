"""What programs see in a real mount."""

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from memory_mount import BIG, HOSTILE, MANY
from memory_tree import pattern

from tests.fuse.server import LIMIT, Server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]


def refusal(call: Callable[..., object], *args: object) -> int | None:
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        call(*args)
    return caught.value.errno


def content(path: Path | bytes, offset: int, length: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.pread(handle, length, offset)
    finally:
        os.close(handle)


def test_walking_finds_everything_once(mounted: Path) -> None:
    found = [
        os.path.join(directory, name)
        for directory, directories, files in os.walk(os.fsencode(mounted))
        for name in directories + files
    ]
    assert len(found) == len(set(found)) == 9 + 6 + len(HOSTILE) + 10 + MANY + 6 + 40


def test_stat_has_every_field_with_times_to_the_nanosecond(mounted: Path) -> None:
    plain, old, owned = (os.stat(mounted / name) for name in ("plain", "old", "owned"))
    assert (plain.st_size, plain.st_mtime_ns) == (100, 1_500_000_000_123_456_789)
    assert (old.st_mtime_ns, old.st_mode) == (-86_400_000_000_000 - 876_543_211, stat.S_IFREG | 0o400)
    assert (owned.st_uid, owned.st_gid, owned.st_nlink, owned.st_mode) == (1234, 65534, 3, stat.S_IFREG | 0o4755)
    assert owned.st_ctime_ns == 7
    assert os.stat(mounted / "huge").st_size == 5 << 40
    assert (plain.st_blksize, plain.st_blocks) == (4096, 1)
    assert os.stat(mounted / "big").st_blocks == -(-BIG // 512)
    assert os.stat(mounted / "slow/00").st_blocks == 1
    assert os.stat(mounted / "empty").st_blocks == 0
    assert os.stat(mounted).st_ino == 1


def test_links_are_followed_and_dangle(mounted: Path) -> None:
    assert os.fsencode((mounted / "link").readlink()) == b"some/\xff/where"
    assert os.stat(mounted / "to plain").st_ino == os.stat(mounted / "plain").st_ino
    assert refusal(os.stat, mounted / "link") == errno.ENOENT
    assert refusal(os.readlink, mounted / "plain") == errno.EINVAL


def test_hostile_names_are_listed_and_opened(mounted: Path) -> None:
    directory = os.fsencode(mounted / "hostile")
    assert sorted(os.listdir(directory)) == sorted(HOSTILE)
    for name in HOSTILE:
        path = os.path.join(directory, name)
        assert content(path, 0, 100) == pattern(os.stat(path).st_ino, 0, 50)


def test_a_path_of_a_thousand_bytes(mounted: Path) -> None:
    (found,) = [
        os.path.join(directory, name)
        for directory, _, files in os.walk(os.fsencode(mounted / "deep"))
        for name in files
    ]
    assert len(os.path.relpath(found, os.fsencode(mounted))) == 1000
    assert os.stat(found).st_size == 50
    assert len(content(found, 0, 100)) == 50


def test_a_listing_of_many_entries_is_complete_also_after_a_rewind(mounted: Path) -> None:
    wanted = {f"{number:05}" for number in range(MANY)}
    listed = os.listdir(mounted / "many")
    assert len(listed) == MANY
    assert set(listed) == wanted
    handle = os.open(mounted / "many", os.O_RDONLY)
    try:
        assert os.listdir(handle) == listed  # the C library rewinds the descriptor each time
        assert os.listdir(handle) == listed
    finally:
        os.close(handle)


def test_dots_are_listed(mounted: Path) -> None:
    done = subprocess.run(["ls", "-aiU", mounted / "hostile"], capture_output=True, check=True, timeout=LIMIT)
    inode = b"%d" % os.stat(mounted / "hostile").st_ino
    assert done.stdout.split()[:4] == [inode, b".", b"1", b".."]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1), (0, BIG), (1, 4096), (131_071, 3), (BIG - 1, 10), (BIG, 10), (1 << 21, 1 << 20)]
)
def test_bytes_at_offsets(mounted: Path, offset: int, length: int) -> None:
    path = mounted / "big"
    wanted = pattern(os.stat(path).st_ino, offset, max(0, min(length, BIG - offset)))
    assert content(path, offset, length) == wanted


def test_far_offsets_of_huge_files(mounted: Path) -> None:
    path = mounted / "huge"
    assert content(path, (5 << 40) - 10, 100) == pattern(os.stat(path).st_ino, (5 << 40) - 10, 10)


CHANGES: dict[str, Callable[[Path], object]] = {
    "write": lambda root: os.open(root / "plain", os.O_WRONLY),
    "truncate": lambda root: os.truncate(root / "plain", 0),
    "create": lambda root: os.open(root / "new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda root: (root / "new").mkdir(),
    "unlink": lambda root: (root / "plain").unlink(),
    "rmdir": lambda root: (root / "many").rmdir(),
    "rename": lambda root: (root / "plain").rename(root / "new"),
    "link": lambda root: os.link(root / "plain", root / "new"),
    "symlink": lambda root: (root / "new").symlink_to("plain"),
    "chmod": lambda root: (root / "plain").chmod(0o600),
    "chown": lambda root: os.chown(root / "plain", 1, 1),
    "utime": lambda root: os.utime(root / "plain"),
    "setxattr": lambda root: os.setxattr(root / "plain", "user.new", b""),
    "removexattr": lambda root: os.removexattr(root / "plain", "user.odarchive.inode"),
    "mknod": lambda root: os.mknod(root / "new"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_can_be_changed(mounted: Path, change: str) -> None:
    assert refusal(CHANGES[change], mounted) == errno.EROFS


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("unavailable", errno.EIO),
        ("damaged", errno.EIO),
        ("timed out", errno.ETIMEDOUT),
        ("refused", errno.EAGAIN),
        ("bug", errno.EIO),
        ("short", errno.EIO),
    ],
)
def test_errors_reach_the_reader_and_the_mount_lives(
    mounted: Path, shared_server: Server, name: str, number: int
) -> None:
    assert refusal(content, mounted / "faults" / name, 0, 10_000) == number
    assert os.stat(mounted / "faults" / name).st_size >= 100
    assert f"/faults/{name}'" in shared_server.log.read_text()


def test_a_bug_in_the_namespace_is_eio_and_the_mount_lives(mounted: Path, shared_server: Server) -> None:
    assert refusal(os.stat, mounted / "broken name") == errno.EIO
    assert len(content(mounted / "plain", 0, 100)) == 100
    log = shared_server.log.read_text()
    assert "lookup b'/broken name': unexpected error, answered EIO" in log
    assert "LookupError: a planned bug" in log


def test_extended_attributes(mounted: Path) -> None:
    path = mounted / "plain"
    superuser = ["trusted.hidden"] if os.geteuid() == 0 else []
    assert os.listxattr(path) == ["user.odarchive.inode", *superuser]
    assert os.getxattr(path, "user.odarchive.inode") == b"%d" % os.stat(path).st_ino
    assert refusal(os.getxattr, path, "user.unknown") == errno.ENODATA
    assert refusal(os.getxattr, path, "trusted.hidden") == errno.EOPNOTSUPP


def test_a_plain_file_behind_is_read_by_the_kernel_itself(mounted: Path, shared_server: Server) -> None:
    path = mounted / "backed"
    whole = pattern(path.stat().st_ino, 0, BIG)
    with path.open("rb") as first, path.open("rb") as second:
        assert first.read() == whole
        second.seek(BIG - 7)
        assert second.read() == whole[-7:]
        assert path.read_bytes() == whole
    assert path.read_bytes() == whole  # opened anew after the last one was closed
    if os.geteuid() == 0 and kernel_can_pass_through() and "library" not in shared_server.manner:
        assert shared_server.order("asked") == 0


def kernel_can_pass_through() -> bool:
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 9)


def test_statvfs_shows_a_full_read_only_file_system(mounted: Path) -> None:
    totals = os.statvfs(mounted)
    assert totals.f_flag & os.ST_RDONLY
    assert totals.f_flag & os.ST_NOSUID
    assert totals.f_flag & os.ST_NODEV
    assert totals.f_bavail == totals.f_ffree == 0
    assert totals.f_blocks * totals.f_frsize > 5 << 40
    assert totals.f_namemax == 255


def test_sparse_tar_keeps_the_bytes(mounted: Path, tmp_path: Path) -> None:
    archive = tmp_path / "all.tar"
    subprocess.run(["tar", "-S", "-cf", archive, "-C", mounted, "big", "hostile"], check=True, timeout=LIMIT)
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True, timeout=LIMIT)
    assert (tmp_path / "big").read_bytes() == pattern(os.stat(mounted / "big").st_ino, 0, BIG)


def test_closing_the_last_handle_reaches_contents(mounted: Path, shared_server: Server) -> None:
    handle = os.open(mounted / "plain", os.O_RDONLY)
    before = shared_server.order("forgotten")
    os.close(handle)
    for _ in range(1000):  # the kernel sends RELEASE after close returns; each order is a round trip through the server
        if shared_server.order("forgotten") != before:
            return
    pytest.fail("no release arrived")
