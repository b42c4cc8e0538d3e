"""Reading with other processes, and what belongs to a file beside its bytes."""

import os
import signal
from contextlib import closing

import pytest
from blake3 import blake3
from catalogue_kit import rows, sound
from trees import later, observed, recorded, scanned, write

from odarchive.catalogue.wanted import Item
from odarchive.digest import BLOCK
from odarchive.errors import ConfigError, OdarchiveError
from odarchive.reading import mounts, native, plain, pool, worker
from odarchive.reading import tree as tree_module
from odarchive.reading.rules import CACHE_SIGNATURE, Rules, compiled


@pytest.fixture
def tree(source):
    for number in range(12):
        folder = source / f"folder{number}" / "inner"
        folder.mkdir(parents=True)
        for name in range(7):
            write(folder / f"file{name}", b"%d %d" % (number, name % 5))
        (folder / "link").symlink_to("file0")
    write(source / "large", os.urandom(3_000_000))
    write(source / "empty", b"")
    write(os.fsencode(source) + b"/odd\xff\n", b"odd")
    (source / "hard").hardlink_to(source / "large")
    (source / "folder1" / "hard").hardlink_to(source / "folder2" / "inner" / "file1")
    return source


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("many", [worker.MANY, 2])
def test_processes_read_what_one_reads(catalogue, tree, monkeypatch, many):
    monkeypatch.setattr(worker, "MANY", many)
    os.mkfifo(tree / "folder3" / "pipe")
    result = scanned(catalogue, tree, workers=2)
    assert recorded(catalogue, b"source") == observed_without(tree, b"folder3/pipe")
    assert (result.files, result.problem_count) == (12 * 7 + 5, 1)
    assert result.new_files == result.files
    sound(catalogue)
    again = scanned(catalogue, tree, workers=2)
    assert (again.new_files, again.hashed_bytes, again.files, again.bytes) == (0, 0, result.files, result.bytes)
    (tree / "folder1").rename(tree / "moved")
    third = scanned(catalogue, tree, workers=2)
    assert third.new_bytes == 0
    assert recorded(catalogue, b"source") == observed_without(tree, b"folder3/pipe")
    sound(catalogue)


@pytest.mark.parametrize("pays", [1, 1_000_000])
@pytest.mark.parametrize("workers", [0, 1])
def test_equal_contents_are_one_in_whatever_batch_they_come(catalogue, tree, monkeypatch, pays, workers):
    """With the filter of digests and without, within a batch and across batches."""
    monkeypatch.setattr("odarchive.catalogue.contents.FILTER_PAYS", pays)
    first = scanned(catalogue, tree, workers=workers, batch=5)
    bytes_of = dict(rows(catalogue, "SELECT digest, size FROM content"))
    assert len(bytes_of) == 12 * 5 + 2
    assert first.new_bytes == sum(bytes_of.values())
    (tree / "more").mkdir()
    for number in range(12):
        write(tree / "more" / f"{number}", b"%d 0" % (number * 2))
    second = scanned(catalogue, tree, workers=workers, batch=5)
    assert (second.new_files, second.new_bytes) == (12, len("12 0") * 6)
    assert recorded(catalogue, b"source") == observed(tree)
    sound(catalogue)


@pytest.mark.usefixtures("both_ways")
def test_what_no_usual_file_is_goes_the_long_way(tmp_path):
    write(tmp_path / "usual", b"bytes")
    write(tmp_path / "sparse", b"")
    os.truncate(tmp_path / "sparse", 200_000)
    write(tmp_path / "two", b"names")
    (tmp_path / "names").hardlink_to(tmp_path / "two")
    (tmp_path / "link").symlink_to("usual")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    write(tmp_path / "large", bytes(BLOCK))
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        found = {name: plain.read_plain(folder, os.fsencode(name), later()) for name in sorted(os.listdir(tmp_path))}
        assert plain.read_plain(folder, b"gone", later()) is None
        assert plain.read_plain(folder, b"usual", 0)[8] == 0  # it could change again within this tick of the clock
    finally:
        os.close(folder)
    assert [name for name, row in found.items() if row is not None] == ["usual"]
    stat = os.stat(tmp_path / "usual")
    assert found["usual"][4:] == (
        5,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
        stat.st_dev,
        stat.st_ino,
        blake3(b"bytes").digest(),
    )


def observed_without(tree, path):
    found = observed(tree)
    found.pop(path, None)
    return found


@pytest.mark.usefixtures("both_ways")
def test_a_process_that_dies_costs_nothing(catalogue, tree, monkeypatch):
    real = pool.Pool._hear
    heard = []

    def hear(self, process):
        heard.append(process)
        if len(heard) % 4 == 1:
            os.kill(process.child.pid, signal.SIGKILL)
        real(self, process)

    monkeypatch.setattr(pool.Pool, "_hear", hear)
    result = scanned(catalogue, tree, workers=2)
    assert result.problem_count == 0
    assert recorded(catalogue, b"source") == observed(tree)
    sound(catalogue)


@pytest.mark.parametrize("batch", [500, 10_000])
def test_a_process_that_dies_after_dividing_a_folder_costs_nothing(catalogue, source, monkeypatch, batch):
    """Its parts are asked for already; were the whole folder read as well, every name would be there twice."""
    (source / "folder").mkdir()
    for number in range(worker.MANY + 50):
        write(source / "folder" / f"{number}", b"x%d" % number)
    real = pool.Pool._hear
    died = []

    def hear(self, process):
        before = len(self._backlog)
        real(self, process)
        if len(self._backlog) > before and not died:
            died.append(process)
            os.kill(process.child.pid, signal.SIGKILL)
            process.child.wait()
            self._bury(process)

    monkeypatch.setattr(pool.Pool, "_hear", hear)
    result = scanned(catalogue, source, workers=2, batch=batch)
    assert died
    assert (result.files, result.new_files, result.problem_count) == (worker.MANY + 50, worker.MANY + 50, 0)
    assert recorded(catalogue, b"source") == observed(source)
    sound(catalogue)


def test_a_process_that_dies_unheard_leaves_nobody_waiting_for_one_that_owes_nothing(tree):
    told = []
    with tree_module.Tree(os.fsencode(tree)) as opened, pool.Pool(opened, Rules(), 2, lambda _: None) as readers:
        for tag in range(2):
            readers.submit(tag, b"folder%d/inner" % tag, later())
        for _ in range(2):
            told.append(readers.take().tag)
        first, second = readers._processes
        os.kill(first.child.pid, signal.SIGKILL)
        first.child.wait()
        readers.submit(2, b"folder2/inner", later())
        while readers.busy:
            told.append(readers.take().tag)
        assert readers._processes == [second]
    assert sorted(set(told)) == [0, 1, 2]


def test_a_name_that_a_file_system_lists_twice_is_one_name(tmp_path, monkeypatch):
    write(tmp_path / "file", b"")
    (tmp_path / "folder").mkdir()
    listed, scandir = os.listdir, os.scandir
    monkeypatch.setattr(native, "functions", None)  # the extension: tests/odarchive/reading
    monkeypatch.setattr(os, "listdir", lambda folder: listed(folder) * 2)
    monkeypatch.setattr(os, "scandir", lambda path: closing(Twice(scandir(path))))
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert tree_module.told_apart(folder) == ([b"file"], [b"folder"])
        assert tree_module.names(folder) == [b"file", b"folder"]
    finally:
        os.close(folder)


class Twice(list):
    """What a damaged file system lists: all of it again."""

    def __init__(self, entries):
        with entries:
            super().__init__([*entries] * 2)

    def close(self):
        """As the iterator has it."""


def test_no_process_can_be_had(catalogue, tree, monkeypatch):
    monkeypatch.setattr(pool, "DEATHS", 0)
    scanned(catalogue, tree, workers=2)
    assert recorded(catalogue, b"source") == observed(tree)


@pytest.mark.usefixtures("both_ways")
def test_rules(catalogue, source):
    for name in ("a.tmp", "keep.tmp", "b.txt", "d/a.tmp", "cache/x", "d/deep/b.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        write(source / name, name.encode())
    write(source / "cache" / "CACHEDIR.TAG", CACHE_SIGNATURE)
    write(source / "big", b"b" * 5000)
    rules = Rules(("*.tmp", "!keep.tmp", "/d/deep/"), caches=True, largest=4000)
    for workers in (0, 1):
        name = b"s%d" % workers
        source = source.rename(source.with_name(name.decode()))
        scanned(catalogue, source, name, rules=rules, workers=workers)
        assert set(recorded(catalogue, name)) == {b"", b"b.txt", b"keep.tmp", b"d", b"cache", b"cache/CACHEDIR.TAG"}
    scanned(catalogue, source, b"s1", rules=Rules(modified_before=5))
    assert set(recorded(catalogue, b"s1")) == {b"", b"d", b"d/deep", b"cache"}
    sound(catalogue)


def test_a_bad_pattern_is_named():
    with pytest.raises(ConfigError, match=r"my\.rules, line 2: '!' is no gitignore pattern"):
        compiled(["*.tmp", "!"], "my.rules")


def test_check_reads_again_and_tells_of_damage(catalogue, source):
    write(source / "f", b"good")
    times = os.stat(source / "f")
    scanned(catalogue, source)
    assert scanned(catalogue, source).hashed_bytes == 0
    assert scanned(catalogue, source, check=True).hashed_bytes == 4
    before = recorded(catalogue, b"source")
    with open(source / "f", "r+b") as file:
        file.write(b"evil")
    os.utime(source / "f", ns=(times.st_atime_ns, times.st_mtime_ns))
    # The clock of this file system cannot be turned back, so the catalogue is told the ctime that a bad drive keeps.
    with catalogue.write() as connection:
        connection.exec_driver_sql(
            "UPDATE entry SET ctime_ns = ? WHERE name = X'66'", (os.stat(source / "f").st_ctime_ns,)
        )
    assert scanned(catalogue, source).problem_count == 0
    result = scanned(catalogue, source, check=True)
    assert "may be damaged" in result.problems[0].reason
    assert recorded(catalogue, b"source") == before
    sound(catalogue)


def attributes(catalogue, name):
    found = rows(catalogue, "SELECT data FROM entry JOIN xattrs ON key = xattrs WHERE name = :name", name=name)
    return [dict(Item(b"", 0, 0, 0, 0, 0, 0, 0, None, None, row[0]).attributes()) for row in found]


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("workers", [0, 1])
def test_extended_attributes_and_holes(catalogue, source, workers):
    write(source / "f", b"bytes")
    write(source / "empty", b"")
    (source / "d").mkdir()
    try:
        os.setxattr(source / "f", "user.color", b"\xff\x00")
    except OSError:
        pytest.skip("no extended attributes here")
    os.setxattr(source / "empty", "user.e", b"")
    os.setxattr(source / "d", "user.d", b"folder")
    with open(source / "sparse", "wb") as file:
        file.write(b"a")
        file.seek(1 << 20)
        file.write(b"z")
    scanned(catalogue, source, workers=workers)
    assert attributes(catalogue, b"f") == [{b"user.color": b"\xff\x00"}]
    assert attributes(catalogue, b"empty") == [{b"user.e": b""}]
    assert attributes(catalogue, b"d") == [{b"user.d": b"folder"}]
    ((data,),) = rows(catalogue, "SELECT data FROM holes")
    start, length = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big")
    assert 0 < start <= start + length <= 1 << 20
    os.setxattr(source / "f", "user.color", b"blue")
    scanned(catalogue, source, workers=workers)
    assert attributes(catalogue, b"f") == [{b"user.color": b"\xff\x00"}, {b"user.color": b"blue"}]
    assert rows(catalogue, "SELECT count(*) FROM content") == [(2,)]
    sound(catalogue)


def test_sources_below_one_another(catalogue, tmp_path):
    for name in ("outer", "inner", "other"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "f", name.encode())
    scanned(catalogue, tmp_path / "inner", b"disks/outer/x/inner")
    scanned(catalogue, tmp_path / "other", b"/disks/other/")
    scanned(catalogue, tmp_path / "outer", b"disks/outer")
    (tmp_path / "outer" / "x").mkdir()
    result = scanned(catalogue, tmp_path / "outer", b"disks/outer")
    assert [(one.path, one.reason) for one in result.problems] == [(b"x", "is hidden by another source of that name")]
    assert set(recorded(catalogue, b"disks")) == {
        *(b"", b"other", b"other/f", b"outer", b"outer/f", b"outer/x", b"outer/x/inner", b"outer/x/inner/f")
    }
    scanned(catalogue, tmp_path / "inner", b"disks/outer/x/inner")
    sound(catalogue)
    with pytest.raises(OdarchiveError, match="in the archive already"):
        scanned(catalogue, tmp_path, b"disks/other/f")
    with pytest.raises(OdarchiveError, match="in the archive already"):
        scanned(catalogue, tmp_path, b"disks/other/f/g")
    sound(catalogue)


def test_archives_and_kernel_file_systems_are_known_by_the_mount_table(tmp_path):
    table = tmp_path / "mountinfo"
    table.write_bytes(
        b"36 35 0:51 / /mnt/disks rw,nosuid - fuse odarchive:photos ro\n"
        b"37 35 0:52 / /proc rw - proc proc rw\n"
        b"38 35 8:1 / / rw - ext4 /dev/sda1 rw\n"
        b"39 35 0:53 / /mnt/else rw - fuse.sshfs host: rw\nodd\n"
    )
    assert mounts.avoided(table) == {os.makedev(0, 51): mounts.OWN_REASON, os.makedev(0, 52): mounts.KERNEL_REASON}
    assert mounts.avoided(tmp_path / "none") == {}
