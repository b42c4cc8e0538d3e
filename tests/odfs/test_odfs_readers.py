"""Who may have a disc loaded: judged by what /proc tells, which here is a folder."""

import os
from pathlib import Path

import pytest
import trio

from odfs.answering import OpenFile, read_slowly
from odfs.errors import RecallRefused
from odfs.options import MountOptions
from odfs.ports import Attributes, Inode, Recall
from odfs.readers import CRAWLERS, Readers, names

ORDINARY = ["cat", "rsync", "nautilus", "smbd", "vlc", "python3", "bash", "cp", "ffmpeg", "gvfs", "thunar", "grep"]


def process(proc: Path, pid: int, comm: str, command: list[str], leader: int | None = None) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{comm[:15]}\n")
    (folder / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in command))
    (folder / "status").write_text(f"Name:\t{comm}\nTgid:\t{leader or pid}\nPid:\t{pid}\n")


def judged(proc: Path, pid: int, flags: int = os.O_RDONLY, recall: Recall = Recall.WAIT) -> Recall:
    return Readers(MountOptions(recall=recall, refused_readers=CRAWLERS), proc).judge(pid, flags)


@pytest.mark.parametrize(
    "program",
    [
        "/usr/bin/updatedb.plocate",
        "/usr/libexec/tracker-miner-fs-3",
        "/usr/libexec/tracker-extract-3",
        "/usr/libexec/localsearch-3",
        "/usr/bin/baloo_file",
        "/usr/bin/baloo_file_extractor",
        "/usr/libexec/gvfsd-recent",
        "/usr/lib/x86_64-linux-gnu/tumbler-1/tumblerd",
        "/usr/bin/ffmpegthumbnailer",
        "/usr/bin/gdk-pixbuf-thumbnailer",
        "/usr/bin/totem-video-thumbnailer",
        "/usr/bin/evince-thumbnailer",
    ],
)
def test_crawlers_move_no_disc(tmp_path: Path, program: str) -> None:
    process(tmp_path, 7, Path(program).name, [program, "--daemon"])
    assert judged(tmp_path, 7) is Recall.NEVER


@pytest.mark.parametrize("program", ORDINARY)
def test_programs_of_people_do(tmp_path: Path, program: str) -> None:
    process(tmp_path, 7, program, [f"/usr/bin/{program}", "/home/me/-v", "/mnt/thumbnails/tracker-1.jpg"])
    assert judged(tmp_path, 7) is Recall.WAIT


def test_a_script_is_known_by_its_own_name(tmp_path: Path) -> None:
    process(tmp_path, 7, "python3", ["/usr/bin/python3", "/opt/bin/pdf-thumbnailer", "in.pdf"])
    process(tmp_path, 8, "kioworker", ["/usr/lib/kf6/kioworker", "/usr/lib/qt6/plugins/kf6/kio/thumbnail.so"])
    assert judged(tmp_path, 7) is judged(tmp_path, 8) is Recall.NEVER


def test_a_thread_is_known_by_its_process_too(tmp_path: Path) -> None:
    process(tmp_path, 7, "tracker-extract-3", ["/usr/libexec/tracker-extract-3"])
    process(tmp_path, 9, "pool-worker", ["tracker"], leader=7)
    assert judged(tmp_path, 9) is Recall.NEVER


def test_who_does_not_want_to_wait_starts_a_recall_only(tmp_path: Path) -> None:
    process(tmp_path, 7, "cat", ["cat"])
    process(tmp_path, 8, "updatedb", ["updatedb"])
    assert judged(tmp_path, 7, os.O_NONBLOCK) is Recall.START
    assert judged(tmp_path, 8, os.O_NONBLOCK) is Recall.NEVER


def test_a_mount_that_never_recalls_refuses_everybody(tmp_path: Path) -> None:
    process(tmp_path, 7, "cat", ["cat"])
    assert judged(tmp_path, 7, recall=Recall.NEVER) is Recall.NEVER
    assert judged(tmp_path, 0, recall=Recall.NEVER) is Recall.NEVER


@pytest.mark.parametrize("pid", [0, 12345])
def test_who_is_not_known_any_more_is_nobody_in_particular(tmp_path: Path, pid: int) -> None:
    assert judged(tmp_path, pid) is Recall.WAIT


def test_names_are_read_whatever_bytes_they_hold(tmp_path: Path) -> None:
    process(tmp_path, 7, "x", ["/bin/\udcff\n"])
    (tmp_path / "7/comm").write_bytes(b"\xff)(\n")
    assert names(7, tmp_path)


def test_this_process_is_found_in_the_real_proc() -> None:
    found = names(os.getpid())
    assert Path("/proc/self/comm").read_text().strip() in found


def of(proc: Path, **more: object) -> Readers:
    return Readers(MountOptions(refused_readers=CRAWLERS, **more), proc)  # type: ignore[arg-type]


def test_a_trusted_program_may_although_it_is_known_as_a_crawler(tmp_path: Path) -> None:
    process(tmp_path, 7, "clamscan", ["/usr/bin/clamscan", "-r", "/mnt"])
    assert of(tmp_path).judge(7, os.O_RDONLY) is Recall.NEVER
    assert of(tmp_path, trusted_readers=("clam*",)).judge(7, os.O_RDONLY) is Recall.WAIT


def test_only_the_users_named_may(tmp_path: Path) -> None:
    process(tmp_path, 7, "cat", ["cat"])
    some = of(tmp_path, recall_users=frozenset({1000}))
    assert some.judge(7, os.O_RDONLY, 1000) is Recall.WAIT
    assert some.judge(7, os.O_RDONLY, 1001) is some.judge(7, os.O_RDONLY, 0) is Recall.NEVER


def test_a_process_has_so_many_files_brought_in_a_minute_all_its_threads_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("odfs.readers.time.monotonic", lambda: now)
    process(tmp_path, 7, "cp", ["cp"])
    process(tmp_path, 8, "cp", ["cp"], leader=7)
    process(tmp_path, 9, "cat", ["cat"])
    some = of(tmp_path, recall_rate=2)
    assert [some.judge(pid, os.O_RDONLY) for pid in (7, 8, 7, 8)] == [Recall.WAIT] * 2 + [Recall.NEVER] * 2
    assert some.judge(9, os.O_RDONLY) is Recall.WAIT
    now += 61
    assert some.judge(7, os.O_RDONLY) is Recall.WAIT


def test_who_does_not_want_to_wait_is_not_asked_about(tmp_path: Path) -> None:
    process(tmp_path, 7, "cat", ["cat"])
    assert of(tmp_path, recall=Recall.ASK).judge(7, os.O_RDONLY) is Recall.ASK
    assert of(tmp_path, recall=Recall.ASK).judge(7, os.O_NONBLOCK) is Recall.NEVER


class Cached:
    """Contents of which some are in the cache but not in memory; the others come when they may."""

    def __init__(self, *inodes: int) -> None:
        self.here = set(inodes)

    def read_now(self, _file: Attributes, _offset: int, _length: int) -> None:
        return None

    def resident(self, content: int | None) -> bool:
        return content in self.here

    def forget(self, _file: Attributes) -> None:
        pass

    async def read(self, file: Attributes, _offset: int, length: int, recall: Recall) -> bytes:
        await trio.lowlevel.checkpoint()
        if file.ino not in self.here and recall is Recall.NEVER:
            raise RecallRefused("on a disc")
        return bytes(length)


async def test_files_of_the_cache_are_everybodys_and_not_counted(tmp_path: Path) -> None:
    process(tmp_path, 7, "cp", ["cp"])
    process(tmp_path, 8, "updatedb", ["updatedb"])
    readers, contents = of(tmp_path, recall_rate=2), Cached(*range(1, 6))

    def opened(ino: int, pid: int) -> OpenFile:
        return OpenFile(Attributes(Inode(ino), 0o100444, 1, 0, 0, 10, 0, 0, content=ino), os.O_RDONLY, pid)

    async def read(file: OpenFile) -> None:
        await read_slowly(file, 0, 10, contents, readers, 60.0)

    for ino in contents.here:  # more than the rate
        await read(opened(ino, 7))
        await read(opened(ino, 8))
    one = opened(100, 7)
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(read, one)
    await read(opened(101, 7))
    for ino, pid in ((102, 7), (103, 8)):
        with pytest.raises(RecallRefused):
            await read(opened(ino, pid))
    await read(opened(1, 7))
