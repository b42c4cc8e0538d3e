"""Scanning real trees with everything that file systems allow."""

import os
import socket
from pathlib import Path

import pytest
from catalogue_kit import rows, sound
from trees import observed, recorded, scanned, write

from odarchive.catalogue import lookup
from odarchive.errors import Locked, NotFound, OdarchiveError, SourceMissing
from odarchive.reading import tree as tree_module
from odarchive.scan import Options, ScanProgress, scan

HOSTILE = [
    b"plain",
    b"not \xff\xfe utf-8",
    b"new\nline",
    b"tab\tand\rreturn",
    b"'single' \"double\" `back`",
    b"back\\slash",
    b"trailing dots...",
    b"trailing space ",
    b" leading",
    b"-rf",
    b"\x1b[31mescape",
    b"Case",
    b"case",
    b"CASE",
    "emoji \U0001f4bf".encode(),
    "right\u202eleft".encode(),
    b"%s%n",
    b":colon;semicolon|pipe*star?",
    b"\x01",
    b"x" * 255,
    b"...",
]


def test_hostile_names_come_back_as_they_were(catalogue, source):
    base = os.fsencode(source)
    for number, name in enumerate(HOSTILE):
        write(base + b"/" + name, b"content %d" % (number % 5))
        Path(os.fsdecode(base + b"/d" + name[:254])).mkdir()
        Path(os.fsdecode(base + b"/l" + name[:254])).symlink_to(os.fsdecode(name))
        os.utime(base + b"/" + name, ns=(0, 1_600_000_000_123_456_789 + number))
    result = scanned(catalogue, source)
    assert recorded(catalogue, b"source") == observed(source)
    assert (result.files, result.problem_count, result.name) == (len(HOSTILE), 0, b"source")
    assert result.bytes == sum(len(b"content %d" % (number % 5)) for number in range(len(HOSTILE)))
    assert rows(catalogue, "SELECT count(*) FROM content") == [(5,)]
    sound(catalogue)


def test_attributes_links_and_empty_things(catalogue, source):
    (source / "empty").touch()
    (source / "folder").mkdir(mode=0o711)
    (source / "folder" / "inner").mkdir()
    write(source / "data", b"x" * 3_000_000)
    write(source / "old", b"before the epoch")
    os.utime(source / "old", ns=(0, -1_000_000_001))
    (source / "old").chmod(0o4711)
    (source / "dangling").symlink_to("nowhere")
    (source / "strange").symlink_to("\udcff" * 300)
    os.link(source / "old", source / "folder" / "other name")
    os.link(source / "empty", source / "folder" / "empty too")
    os.link(source / "dangling", source / "linked link", follow_symlinks=False)
    scanned(catalogue, source)
    assert recorded(catalogue, b"source") == observed(source)
    assert rows(catalogue, "SELECT DISTINCT nlink FROM entry WHERE name IN (X'6F6C64', X'656D707479')") == [(2,)]
    sound(catalogue)


def test_names_outside_the_source_do_not_count_as_links(catalogue, source, tmp_path):
    write(source / "a", b"linked from outside")
    os.link(source / "a", tmp_path / "outside")
    scanned(catalogue, source)
    assert rows(catalogue, "SELECT nlink FROM entry WHERE name = X'61'") == [(1,)]
    before = rows(catalogue, "SELECT * FROM entry ORDER BY parent, name, since")
    result = scanned(catalogue, source)
    assert rows(catalogue, "SELECT * FROM entry ORDER BY parent, name, since") == before
    assert result.hashed_bytes == 0
    sound(catalogue)


def test_what_is_no_file_is_reported_and_left_out(catalogue, source):
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(os.path.relpath(source / "socket"))
        write(source / "file", b"1")
        result = scanned(catalogue, source)
    assert {problem.path for problem in result.problems} == {b"fifo", b"socket"}
    assert result.files == 1
    assert recorded(catalogue, b"source").keys() == {b"", b"file"}
    with catalogue.read() as connection:
        assert len(lookup.problems(connection, result.snapshot)) == 2
    sound(catalogue)


def test_deep_trees_need_few_descriptors(catalogue, source, tmp_path, monkeypatch):
    monkeypatch.setattr(tree_module, "HELD", 5)
    here = os.open(source, os.O_RDONLY)
    for level in range(60):
        os.mkdir(b"d" * 100, dir_fd=here)
        os.mkdir(b"e%d" % level, dir_fd=here)
        below = os.open(b"d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    write(f"/proc/self/fd/{here}/bottom".encode(), b"deep down")
    os.close(here)
    (tmp_path / "void").mkdir()
    scanned(catalogue, tmp_path / "void")  # the pool's connections are open from here on
    before = len(os.listdir("/proc/self/fd"))
    result = scanned(catalogue, source)
    assert (result.files, result.problem_count) == (1, 0)
    assert rows(catalogue, "SELECT count(*) FROM entry WHERE substr(name, 1, 1) = X'65'") == [(60,)]
    assert len(os.listdir("/proc/self/fd")) <= before
    scanned(catalogue, source)
    sound(catalogue)


def test_an_unchanged_tree_is_neither_read_nor_written(catalogue, source):
    for number in range(50):
        (source / f"d{number % 7}").mkdir(exist_ok=True)
        write(source / f"d{number % 7}" / f"f{number}", b"%d" % number)
    os.link(source / "d0" / "f0", source / "d1" / "link")
    first = scanned(catalogue, source)
    entries = rows(catalogue, "SELECT * FROM entry ORDER BY parent, name, since")
    second = scanned(catalogue, source)
    assert rows(catalogue, "SELECT * FROM entry ORDER BY parent, name, since") == entries
    assert (first.new_files, first.hashed_bytes > 0) == (51, True)
    assert (second.files, second.bytes) == (first.files, first.bytes)
    assert (second.new_files, second.new_bytes, second.hashed_bytes) == (0, 0, 0)


def test_a_new_content_gets_a_new_number_and_changed_attributes_keep_it(catalogue, source):
    def number(name: bytes) -> int:
        with catalogue.read() as connection:
            return lookup.resolve(connection, b"source/" + name).ino

    write(source / "content", b"one")
    write(source / "mode", b"two")
    (source / "folder").mkdir()
    (source / "kind").mkdir()
    scanned(catalogue, source)
    before = {name: number(name) for name in (b"content", b"mode", b"folder", b"kind")}
    write(source / "content", b"uno")
    (source / "mode").chmod(0o600)
    (source / "folder" / "inside").touch()
    (source / "kind").rmdir()
    (source / "kind").touch()
    result = scanned(catalogue, source)
    after = {name: number(name) for name in before}
    assert {name for name in before if before[name] != after[name]} == {b"content", b"kind"}
    assert (result.new_files, result.new_bytes) == (3, 3)
    assert recorded(catalogue, b"source") == observed(source)
    sound(catalogue)


def test_moved_files_cost_no_bytes(catalogue, source):
    (source / "a").mkdir()
    write(source / "a" / "big", b"z" * 100_000)
    scanned(catalogue, source)
    (source / "a").rename(source / "b")
    assert scanned(catalogue, source).new_bytes == 0
    assert recorded(catalogue, b"source") == observed(source)


def test_hard_links_part_and_meet(catalogue, source):
    def step(*edits):
        for edit in edits:
            edit()
        scanned(catalogue, source)
        assert recorded(catalogue, b"source") == observed(source)
        sound(catalogue)

    a, b, c = source / "a", source / "b", source / "c"
    step(lambda: write(a, b"same"), lambda: os.link(a, b))
    step(b.unlink, lambda: write(b, b"same"))
    step(b.unlink, lambda: os.link(a, b), lambda: os.link(a, c))
    step(c.unlink)
    step(lambda: a.chmod(0o640))
    step(lambda: write(a, b"other"))
    step(a.unlink)
    step(lambda: os.link(b, a), b.unlink)
    step(lambda: write(b, b"other"), lambda: os.link(b, c))


def test_sources_side_by_side_and_names(catalogue, source, tmp_path):
    other = tmp_path / "elsewhere" / "source"
    other.mkdir(parents=True)
    write(other / "f", b"1")
    write(source / "g", b"2")
    assert scanned(catalogue, source).name == b"source"
    with pytest.raises(OdarchiveError, match=r"name source belongs to .*--as NAME"):
        scanned(catalogue, other)
    assert scanned(catalogue, other, b"photos").name == b"photos"
    assert scanned(catalogue, other).name == b"photos"  # its path is known now
    assert recorded(catalogue, b"photos") == observed(other)
    assert recorded(catalogue, b"source") == observed(source)
    for bad in (b"", b".", b"..", b"a//b", b"a/../b", b"a\0b", b"x" * 256):
        with pytest.raises(OdarchiveError, match="cannot name a source"):
            scanned(catalogue, source, bad)
    sound(catalogue)


def test_wrong_paths_leave_nothing_behind(catalogue, source, tmp_path):
    write(tmp_path / "file", b"")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(SourceMissing, match="cannot be scanned"):
            scanned(catalogue, path)
    with pytest.raises(OdarchiveError, match="is the archive itself"):
        scanned(catalogue, tmp_path / "archive")
    assert rows(catalogue, "SELECT * FROM source") == rows(catalogue, "SELECT * FROM snapshot") == []


def test_the_archive_inside_its_source_is_left_out(catalogue, source, tmp_path):
    (source / "staging").mkdir()
    write(source / "staging" / "x.iso", b"image")
    result = scanned(catalogue, tmp_path, b"all", avoid=(os.fsencode(source / "staging"),))
    assert {problem.path for problem in result.problems} == {b"archive", b"source/staging"}
    with catalogue.read() as connection:
        assert lookup.ls(connection, b"all/archive") == lookup.ls(connection, b"all/source/staging") == []
        with pytest.raises(NotFound, match=r"/all/archive/catalogue\.db is not in the archive"):
            lookup.resolve(connection, b"all/archive/catalogue.db")


def test_one_scan_of_a_source_at_a_time(catalogue, source):
    write(source / "f", b"1")
    refused = []

    def again(_: ScanProgress) -> None:
        with pytest.raises(Locked, match="is being scanned by another process") as caught:
            scanned(catalogue, source)
        refused.append(caught.value)

    from odarchive.scan import walk

    before, walk.PROGRESS_SECONDS = walk.PROGRESS_SECONDS, 0.0
    try:
        scan(catalogue, source, progress=again)
    finally:
        walk.PROGRESS_SECONDS = before
    assert refused
    scanned(catalogue, source)
    assert not list(catalogue.path.parent.glob("*.lock"))


def test_other_file_systems_only_if_wanted(catalogue, source, monkeypatch):
    (source / "mounted").mkdir()
    write(source / "mounted" / "f", b"1")
    real = os.fstat

    class Elsewhere:
        def __init__(self, stat):
            self.stat = stat
            self.st_dev = stat.st_dev + 1

        def __getattr__(self, name):
            return getattr(self.stat, name)

    scanned(catalogue, source)
    assert b"mounted/f" in recorded(catalogue, b"source")
    monkeypatch.setattr("odarchive.scan.walk.os.fstat", lambda fd: Elsewhere(real(fd)) if _is(fd, source) else real(fd))
    scanned(catalogue, source, one_file_system=True)
    assert recorded(catalogue, b"source").keys() == {b"", b"mounted"}
    sound(catalogue)


def _is(fd: int, source) -> bool:
    return os.path.samestat(os.stat(fd), os.stat(source / "mounted"))


def test_numbers_too_large_for_a_database_are_brought_in():
    from odarchive.scan.compare import facts

    class Stat:
        st_mode, st_uid, st_gid = 0o100644, 2**32 - 1, 0
        st_mtime_ns, st_ctime_ns = 2**64, -(2**64)
        st_dev, st_ino = 5, 2**64 - 2

    assert facts(Stat(), 7) == (0o100644, 2**32 - 1, 0, 7, 2**63 - 1, 1 - 2**63, 5, -2)


def test_files_read_too_soon_after_a_change_are_read_again(catalogue, source):
    write(source / "f", b"1")
    now = os.stat(source / "f").st_mtime_ns
    assert scanned(catalogue, source, clock=lambda: now).hashed_bytes == 1
    assert scanned(catalogue, source).hashed_bytes == 1
    assert scanned(catalogue, source).hashed_bytes == 0
    assert rows(catalogue, "SELECT count(*) FROM entry WHERE name = X'66'") == [(1,)]


def test_options_have_defaults(catalogue, source):
    assert scan(catalogue, source, options=Options()).files == 0
