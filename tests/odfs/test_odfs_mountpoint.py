import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odfs import kernel, mountpoint
from odfs.errors import AlreadyMounted, FuseUnavailable, MountpointUnusable, NotMounted
from odfs.kernel import KernelFiles
from odfs.mount import fuse_options
from odfs.mountpoint import Mounted, canonical, check_directory, check_fuse, parse_table, prepare, unmount
from odfs.options import MountOptions

# Lines of a real table; the second has an optional field, the third a path with a space and a newline.
TABLE = rb"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
36 22 0:32 / /mnt/a rw,nosuid shared:7 master:2 - fuse.odfs odfs ro,user_id=0
37 22 0:33 / /mnt/b\040c\012d rw - tmpfs no\134thing rw
38 36 0:34 / /mnt/a rw - fuse.sshfs host: rw
"""


def test_the_table_is_read_with_its_escapes_and_optional_fields() -> None:
    assert parse_table(TABLE) == [
        Mounted(b"/", os.makedev(8, 1), b"ext4", b"/dev/sda1"),
        Mounted(b"/mnt/a", os.makedev(0, 32), b"fuse.odfs", b"odfs"),
        Mounted(b"/mnt/b c\nd", os.makedev(0, 33), b"tmpfs", b"no\\thing"),
        Mounted(b"/mnt/a", os.makedev(0, 34), b"fuse.sshfs", b"host:"),
    ]


@given(path=st.binary(min_size=1).filter(lambda path: b"\0" not in path))
def test_any_path_survives_the_kernels_escaping(path: bytes) -> None:
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte]) for byte in path)
    line = b"1 2 0:3 / " + escaped + b" rw - fuse.odfs " + escaped + b" rw\n"
    assert parse_table(line) == [Mounted(path, os.makedev(0, 3), b"fuse.odfs", path)]


def test_of_several_mounts_on_one_path_the_last_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_bytes(TABLE)
    monkeypatch.setattr(mountpoint, "_TABLE", tmp_path / "mountinfo")
    there = mountpoint.mounted_at(Path("/mnt/a"))
    assert there is not None
    assert there.fstype == b"fuse.sshfs"
    assert mountpoint.mounted_at(Path("/mnt")) is None


def test_a_directory_to_mount_on_exists_is_one_and_is_empty(tmp_path: Path) -> None:
    check_directory(tmp_path)
    with pytest.raises(MountpointUnusable, match="absent does not exist: make the directory first"):
        check_directory(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(MountpointUnusable, match="file is not a directory"):
        check_directory(tmp_path / "file")
    with pytest.raises(MountpointUnusable, match="is not empty"):
        check_directory(tmp_path)


def test_a_missing_or_forbidden_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(FuseUnavailable, match="fuse is missing: load the kernel module"):
        check_fuse(allow_other=False, device=tmp_path / "fuse")
    with socket.socket(socket.AF_UNIX) as closed:  # open(2) refuses a socket for everybody, root included
        closed.bind(os.fspath(tmp_path / "socket"))
        with pytest.raises(FuseUnavailable, match="socket cannot be opened"):
            check_fuse(allow_other=False, device=tmp_path / "socket")


def test_a_user_needs_the_helper_and_leave_for_allow_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, config = tmp_path / "fuse", tmp_path / "fuse.conf"
    device.touch()
    config.write_text("#user_allow_other\n")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(mountpoint.shutil, "which", lambda _program: "found")
    check_fuse(allow_other=False, device=device, config=config)
    with pytest.raises(FuseUnavailable, match="put the line user_allow_other into"):
        check_fuse(allow_other=True, device=device, config=config)
    config.write_text("user_allow_other\n")
    check_fuse(allow_other=True, device=device, config=config)
    monkeypatch.setattr(mountpoint.shutil, "which", lambda _program: None)
    with pytest.raises(FuseUnavailable, match="install the package fuse3"):
        check_fuse(allow_other=False, device=device, config=config)


def test_a_mount_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = canonical(tmp_path)
    (tmp_path / "table").write_bytes(b"1 2 0:3 / " + os.fsencode(directory) + b" rw - fuse.sshfs host: rw\n")
    monkeypatch.setattr(mountpoint, "_TABLE", tmp_path / "table")
    monkeypatch.setattr(mountpoint, "check_fuse", lambda **_options: None)
    with pytest.raises(AlreadyMounted, match=r"something else mounted on it \(fuse.sshfs of host:\)"):
        prepare(directory, allow_other=False)
    with pytest.raises(NotMounted, match="left alone"):
        unmount(directory)


def test_what_is_not_mounted_is_not_unmounted(tmp_path: Path) -> None:
    with pytest.raises(NotMounted, match="is not mounted"):
        unmount(tmp_path)


def test_symlinks_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert canonical(tmp_path / "link") == canonical(tmp_path / "real")


@pytest.mark.parametrize(
    ("default", "maximum", "limit"),
    [("0", "0", None), ("60", "0", 60.0), ("0", "30", 30.0), ("60", "30", 30.0), (None, None, None), ("x", "5", 5.0)],
)
def test_the_kernels_own_limit_is_the_smaller_one_set(
    tmp_path: Path, default: str | None, maximum: str | None, limit: float | None
) -> None:
    for name, value in (("default_request_timeout", default), ("max_request_timeout", maximum)):
        if value is not None:
            (tmp_path / name).write_text(value + "\n")
    assert kernel.request_timeout(KernelFiles(sysctl=tmp_path)) == limit


def test_reads_end_before_the_kernel_ends_the_mount() -> None:
    assert kernel.read_deadline(900, None) == 900
    assert kernel.read_deadline(900, 60) == 45
    assert kernel.read_deadline(10, 60) == 10


def test_the_knobs_are_turned(tmp_path: Path) -> None:
    files = KernelFiles(tmp_path / "bdi", tmp_path / "connections")
    (files.bdi / "0:51").mkdir(parents=True)
    (files.connections / "51").mkdir(parents=True)
    kernel.tune(os.makedev(0, 51), MountOptions(read_ahead_kib=256, max_background=100), files)
    assert (files.bdi / "0:51/read_ahead_kb").read_text() == "256\n"
    assert (files.connections / "51/max_background").read_text() == "100\n"
    assert (files.connections / "51/congestion_threshold").read_text() == "75\n"


def test_knobs_out_of_reach_are_told_with_their_cost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kernel.tune(os.makedev(0, 51), MountOptions(), KernelFiles(tmp_path / "bdi", tmp_path / "connections"))
    (line,) = caplog.messages
    assert "max_background" in line
    assert "can hold up all others" in line


def test_mount_words_are_safe_for_libfuse() -> None:
    words = fuse_options(MountOptions(source="/arch\u00efv,allow_root\\"))
    assert "fsname=/arch?v_allow_root_" in words
    assert {"subtype=odfs", "ro", "default_permissions"} <= words
    assert "allow_other" not in words
    assert not any(word.startswith(("max_read", "auto_unmount")) for word in words)
    assert "allow_other" in fuse_options(MountOptions(allow_other=True))
