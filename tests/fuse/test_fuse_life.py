"""Waiting readers, crashes, ends and beginnings of real mounts."""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from memory_mount import SLOW
from memory_tree import pattern

from odfs.errors import MountBusy, NotMounted
from odfs.mountpoint import FSTYPE, canonical, mounted_at, unmount
from tests.fuse.server import LIMIT, Server, Start

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")


def outcome(path: Path) -> bytes | int | None:
    """The bytes of a file, or the errno."""
    try:
        return path.read_bytes()
    except OSError as error:
        return error.errno


@contextmanager
def blocked_readers(server: Server, count: int) -> Iterator[list[Future[bytes | int | None]]]:
    """Threads in reads that wait for a disc. Whatever fails, the server's death ends them."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(outcome, server.directory / "slow" / f"{number:02}") for number in range(count)]
        try:
            while int(str(server.order("reads"))) < count:
                pass  # each order is a round trip through the server
            yield futures
        finally:
            if not all(future.done() for future in futures):
                server.kill()


def mounted(start: Start, *manner: str) -> Server:
    server = start(*manner)
    server.event("mounted")
    return server


def is_dead(directory: Path) -> bool:
    try:
        os.listdir(directory)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def ends_cleanly(server: Server) -> bool:
    server.event("ended")
    return server.process.wait(LIMIT) == 0 and mounted_at(canonical(server.directory)) is None


def test_readers_that_wait_hold_up_nobody_else(start: Start) -> None:
    server = mounted(start)
    root = server.directory
    with blocked_readers(server, SLOW) as futures:
        assert len(os.listdir(root / "many")) > 0
        assert os.stat(root / "slow/00").st_size == 65536
        for name in ("plain", "big", "hostile/Case"):
            path = root / name
            assert path.read_bytes() == pattern(path.stat().st_ino, 0, path.stat().st_size)
        with (root / "slow/01").open("rb"):
            pass  # opening waits for nothing
        assert not any(future.done() for future in futures)
        server.order("release")
        inodes = [(root / "slow" / f"{number:02}").stat().st_ino for number in range(SLOW)]
        assert [future.result(LIMIT) for future in futures] == [pattern(ino, 0, 65536) for ino in inodes]
    server.process.send_signal(signal.SIGTERM)
    assert ends_cleanly(server)


def test_a_reader_that_waits_can_be_killed(start: Start) -> None:
    server = mounted(start)
    for end in (signal.SIGINT, signal.SIGKILL):
        before = int(str(server.order("reads")))
        # A shell that runs the tests in its background has them, and so their children, ignore SIGINT.
        reader = subprocess.Popen(
            ["env", "--default-signal=INT", "cat", server.directory / "slow" / f"{end:02}"], stdout=subprocess.DEVNULL
        )
        while int(str(server.order("reads"))) == before:
            pass
        reader.send_signal(end)
        assert reader.wait(LIMIT) == -end


@pytest.mark.parametrize(("end", "manner"), [(signal.SIGTERM, ""), (signal.SIGINT, ""), (signal.SIGTERM, "library")])
def test_a_signal_unmounts_although_readers_wait(start: Start, end: signal.Signals, manner: str) -> None:
    server = mounted(start, manner)
    with blocked_readers(server, 3) as futures:
        server.process.send_signal(end)
        assert ends_cleanly(server)
        assert all(isinstance(future.result(LIMIT), int) for future in futures)
    assert os.listdir(server.directory) == []


@pytest.mark.parametrize("manner", ["", "library"])
def test_a_killed_process_leaves_a_dead_mount_which_the_next_takes_over(start: Start, manner: str) -> None:
    first = mounted(start, manner)
    with blocked_readers(first, 2) as futures:
        first.kill()
        assert all(isinstance(future.result(LIMIT), int) for future in futures)
    assert is_dead(first.directory)  # never an empty directory
    second = mounted(start)
    assert "taking over the mount that a dead process left behind" in second.log.read_text()
    assert len(outcome(second.directory / "plain")) == 100  # type: ignore[arg-type]  # bytes, or the test fails
    second.process.terminate()
    assert ends_cleanly(second)  # nothing is stacked below


def test_a_dead_mount_can_be_unmounted(start: Start) -> None:
    server = mounted(start)
    server.kill()
    unmount(server.directory)
    assert os.listdir(server.directory) == []


def test_a_live_mount_is_not_mounted_over(start: Start) -> None:
    first = mounted(start)
    second = start()
    kind, text = second.event("failed")  # type: ignore[misc]  # a pair, or the test fails
    assert (kind, second.process.wait(LIMIT)) == ("AlreadyMounted", 3)
    assert "is already mounted" in text
    assert len(os.listdir(first.directory)) > 0


def test_a_directory_with_files_is_not_mounted_over(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mount point" / "file").touch()
    server = start()
    kind, text = server.event("failed")  # type: ignore[misc]  # a pair, or the test fails
    assert kind == "MountpointUnusable"
    assert "is not empty" in text


@needs_root
def test_another_file_system_is_not_mounted_over(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / "mount point"
    subprocess.run(["mount", "-t", "tmpfs", "none", directory], check=True, timeout=LIMIT)
    try:
        kind, text = start().event("failed")  # type: ignore[misc]  # a pair, or the test fails
        assert kind == "AlreadyMounted"
        assert "tmpfs of none" in text
        with pytest.raises(NotMounted, match="left alone"):
            unmount(directory)
    finally:
        subprocess.run(["umount", directory], check=True, timeout=LIMIT)


def test_unmounting_from_outside_ends_the_process(start: Start) -> None:
    server = mounted(start)
    unmount(server.directory)
    assert ends_cleanly(server)
    with pytest.raises(NotMounted):
        unmount(server.directory)


def test_a_mount_in_use_stays_unless_lazily_unmounted(start: Start) -> None:
    server = mounted(start)
    with (server.directory / "plain").open("rb") as file:
        with pytest.raises(MountBusy, match="fuser -vm"):
            unmount(server.directory)
        assert file.read(1) != b""
        unmount(server.directory, lazy=True)
        assert os.listdir(server.directory) == []
        file.seek(90)
        assert len(file.read()) == 10
    assert ends_cleanly(server)


@needs_root
def test_a_connection_cut_by_the_kernel_is_reported_and_left_dead(start: Start) -> None:
    server = mounted(start)
    there = mounted_at(canonical(server.directory))
    assert there is not None
    assert there.fstype == FSTYPE
    Path(f"/sys/fs/fuse/connections/{os.minor(there.device)}/abort").write_text("1")
    kind, text = server.event("failed")  # type: ignore[misc]  # a pair, or the test fails
    assert kind == "MountAborted"
    assert "mount again to take it over" in text
    assert is_dead(server.directory)
    second = mounted(start)
    assert len(os.listdir(second.directory)) > 0


@needs_root
def test_the_kernels_knobs_are_turned(start: Start) -> None:
    server = mounted(start)
    device = os.stat(server.directory).st_dev
    connection = Path(f"/sys/fs/fuse/connections/{os.minor(device)}")
    assert (connection / "max_background").read_text() == "1024\n"
    assert (connection / "congestion_threshold").read_text() == "768\n"
    assert Path(f"/sys/class/bdi/0:{os.minor(device)}/read_ahead_kb").read_text() == "1024\n"
    assert "cannot set" not in server.log.read_text()


@pytest.mark.parametrize("manner", ["", "library"])
def test_an_invalidated_name_is_seen_at_once(start: Start, manner: str) -> None:
    server = mounted(start, manner)
    new = server.directory / "new"
    assert not new.exists()
    server.order("add new")
    assert new.exists()
    old = new.stat().st_ino
    server.order("add new")  # the same name now means another inode
    assert new.stat().st_ino == old + 1
    assert len(new.read_bytes()) == 100


def test_a_mountpoint_behind_a_symlink(start: Start, tmp_path: Path) -> None:
    server = mounted(start)
    (tmp_path / "link").symlink_to("mount point")
    unmount(tmp_path / "link")
    assert ends_cleanly(server)


def test_a_mount_that_cannot_answer_is_taken_away_again(start: Start) -> None:
    server = start("broken")
    kind, text = server.event("failed")  # type: ignore[misc]  # a pair, or the test fails
    assert kind == "MountFailed"
    assert "the new mount answers with" in text
    assert mounted_at(canonical(server.directory)) is None


def test_a_mount_that_hangs_is_not_taken_over_but_can_be_detached(start: Start) -> None:
    hung = mounted(start)
    hung.process.send_signal(signal.SIGSTOP)
    kind, text = start("hasty").event("failed")  # type: ignore[misc]  # a pair, or the test fails
    assert kind == "AlreadyMounted"
    assert "does not answer: unmount it lazily first" in text
    unmount(hung.directory, lazy=True)
    assert os.listdir(hung.directory) == []
