"""Scans that meet unreadable, changing and vanishing things, and scans that die."""

import os
import shutil
from contextlib import suppress

import pytest
from catalogue_kit import Crash, Faulty, new_catalogue, rows, run, sound
from trees import observed, patched, recorded, scanned, write

from odarchive.catalogue.archive import open_catalogue
from odarchive.errors import SourceMissing
from odarchive.reading import tree
from odarchive.scan import leaves, walk


def plant(top, version: int) -> None:
    """A tree of some of everything; two versions differ in many ways."""
    for number in range(12):
        folder = top / f"d{number % 4}"
        folder.mkdir(exist_ok=True)
        if number % 3 != version:
            write(folder / f"f{number}", b"%d of %d" % (number, version if number % 2 else 0))
    if version:
        shutil.rmtree(top / "d1")
        write(top / "d1", b"a file now")
        (top / "gone").unlink()
        os.link(top / "d0" / "f0", top / "d2" / "linked")
        (top / "pair2").unlink()
        shutil.rmtree(top / "tree")
        (top / "d3").chmod(0o700)
    else:
        (top / "tree" / "deep" / "deeper").mkdir(parents=True)
        write(top / "tree" / "deep" / "deeper" / "x", b"x")
        write(top / "gone", b"gone")
        write(top / "pair1", b"pair")
        os.link(top / "pair1", top / "pair2")
        (top / "symlink").symlink_to("gone")
        (top / "void").mkdir()


def test_unreadable_files_keep_what_was_recorded(catalogue, source, monkeypatch):
    write(source / "old", b"1")
    os.link(source / "old", source / "old link")
    (source / "locked").mkdir()
    write(source / "locked" / "inside", b"2")
    write(source / "shared", b"also in the locked folder")
    os.link(source / "shared", source / "locked" / "shared")
    scanned(catalogue, source)
    before = recorded(catalogue, b"source")
    write(source / "old", b"changed")
    write(source / "new", b"3")
    write(source / "locked" / "inside", b"changed too")

    def refusing(real):
        def open_(path, *args, **kwargs):
            if path in (b"old", b"old link", b"new", b"locked"):
                raise PermissionError(13, "Permission denied")
            return real(path, *args, **kwargs)

        return open_

    with monkeypatch.context() as patch:
        patched(patch, tree.os, "open", refusing)
        result = scanned(catalogue, source)
    reasons = {problem.path: problem.reason for problem in result.problems}
    assert reasons.keys() == {b"old", b"old link", b"new", b"locked"}
    assert reasons[b"old"] == "cannot be opened: Permission denied; what the last scan recorded of it stays"
    assert reasons[b"new"] == "cannot be opened: Permission denied"
    assert result.files == 5
    after = recorded(catalogue, b"source")
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in before if name)
    sound(catalogue)
    scanned(catalogue, source)
    assert recorded(catalogue, b"source") == observed(source)
    sound(catalogue)


def test_a_file_that_changes_while_it_is_read_is_read_again(catalogue, source, monkeypatch):
    write(source / "f", b"first")
    times = iter(range(1))

    def touching(real):
        def digest(data):
            for _ in times:
                write(source / "f", b"second, longer")
            return real(data)

        return digest

    patched(monkeypatch, tree, "content_digest", touching)
    assert scanned(catalogue, source).problem_count == 0
    assert recorded(catalogue, b"source") == observed(source)


def test_a_file_that_never_rests_is_reported(catalogue, source, monkeypatch):
    write(source / "log", b"")
    write(source / "other", b"x")
    grown = []

    def growing(real):
        def digest(data):
            if data != b"x":
                grown.append(len(data))
                with open(source / "log", "ab") as file:
                    file.write(b"more")
            return real(data)

        return digest

    write(source / "log", b"some")
    patched(monkeypatch, tree, "content_digest", growing)
    result = scanned(catalogue, source)
    assert len(grown) == tree.ATTEMPTS
    assert [problem.path for problem in result.problems] == [b"log"]
    assert "changed during each of 3 readings" in result.problems[0].reason
    assert recorded(catalogue, b"source").keys() == {b"", b"other"}
    sound(catalogue)


@pytest.mark.parametrize("becomes", ["symlink", "fifo", "nothing", "folder"])
def test_a_file_swapped_after_it_was_looked_at_leads_nowhere(catalogue, source, tmp_path, monkeypatch, becomes):
    write(tmp_path / "secret", b"secret")
    write(source / "bait", b"public")

    def swapping(real):
        def digest_of(folder, name, stat, progress):
            (source / "bait").unlink()
            if becomes == "symlink":
                (source / "bait").symlink_to(tmp_path / "secret")
            elif becomes == "fifo":
                os.mkfifo(source / "bait")
            elif becomes == "folder":
                (source / "bait").mkdir()
            return real(folder, name, stat, progress)

        return digest_of

    patched(monkeypatch, leaves, "digest_of", swapping)
    result = scanned(catalogue, source)
    assert result.problem_count == (becomes != "nothing")
    assert rows(catalogue, "SELECT count(*) FROM content") == [(0,)]
    sound(catalogue)


def test_a_folder_swapped_for_a_symlink_leads_nowhere(catalogue, source, tmp_path, monkeypatch):
    (tmp_path / "outside").mkdir()
    write(tmp_path / "outside" / "secret", b"secret")
    (source / "folder").mkdir()

    def swapping(real):
        def enter(self, path):
            if path == b"folder" and not (source / "folder").is_symlink():
                (source / "folder").rmdir()
                (source / "folder").symlink_to(tmp_path / "outside")
            return real(self, path)

        return enter

    patched(monkeypatch, tree.Tree, "enter", swapping)
    assert [problem.path for problem in scanned(catalogue, source).problems] == [b"folder"]
    assert rows(catalogue, "SELECT count(*) FROM content") == [(0,)]


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_source_that_vanishes_changes_nothing(catalogue, source, tmp_path, monkeypatch, how):
    plant(source, 0)
    scanned(catalogue, source)
    run(catalogue, "UPDATE entry SET shown = 1")
    before = recorded(catalogue, b"source")
    shown = rows(catalogue, "SELECT parent, name FROM entry WHERE shown = 1 ORDER BY parent, name")

    def vanishing(real):
        def enter(self, path):
            if path == b"d2":
                source.rename(tmp_path / "away")
                if how == "replaced":
                    source.mkdir()
            return real(self, path)

        return enter

    with monkeypatch.context() as patch:
        patched(patch, tree.Tree, "enter", vanishing)
        with pytest.raises(SourceMissing, match="went away during the scan; nothing was recorded as deleted"):
            scanned(catalogue, source)
    assert rows(catalogue, "SELECT state FROM snapshot ORDER BY id") == [("complete",), ("aborted",)]
    assert recorded(catalogue, b"source") == before
    assert rows(catalogue, "SELECT parent, name FROM entry WHERE shown = 1 ORDER BY parent, name") == shown
    if how == "replaced":
        source.rmdir()
    (tmp_path / "away").rename(source)
    scanned(catalogue, source)
    assert rows(catalogue, "SELECT state FROM snapshot ORDER BY id") == [("complete",), ("complete",)]
    assert recorded(catalogue, b"source") == before


def test_an_empty_source_on_another_device_is_not_believed(catalogue, source):
    write(source / "f", b"1")
    scanned(catalogue, source)
    (source / "f").unlink()
    run(catalogue, "UPDATE entry SET src_dev = src_dev + 1 WHERE parent = 1")
    with pytest.raises(SourceMissing, match="mount the drive"):
        scanned(catalogue, source)
    assert scanned(catalogue, source, allow_empty=True).files == 0
    assert recorded(catalogue, b"source").keys() == {b""}
    sound(catalogue)


def test_ctrl_c_keeps_the_hashes(catalogue, source, monkeypatch):
    for number in range(20):
        write(source / f"f{number:02}", b"%d" % number)
    seen = []

    def stopping(real):
        def digest(data):
            seen.append(data)
            if len(seen) == 15:
                raise KeyboardInterrupt
            return real(data)

        return digest

    with monkeypatch.context() as patch:
        patched(patch, tree, "content_digest", stopping)
        with pytest.raises(KeyboardInterrupt):
            scanned(catalogue, source, batch=3)
    assert rows(catalogue, "SELECT state FROM snapshot") == [("aborted",)]
    sound(catalogue)
    result = scanned(catalogue, source)
    assert result.hashed_bytes == sum(len(b"%d" % number) for number in range(14, 20))
    assert (result.files, result.new_files) == (20, 20)
    assert recorded(catalogue, b"source") == observed(source)
    assert rows(catalogue, "SELECT count(*), min(new_bytes) FROM snapshot") == [(1, 30)]


@pytest.mark.parametrize("after", [False, True], ids=["before commit", "after commit"])
def test_a_scan_may_die_at_every_transaction(tmp_path, source, after):
    """Die at the Nth transaction of a first and of a second scan, for every N; change more meanwhile; scan again."""
    plant(source, 0)
    first = observed(source)
    new_catalogue(tmp_path / "template").close()
    died = 0
    for at in range(1, 200):
        work = tmp_path / f"at{at}"
        shutil.copytree(tmp_path / "template", work)
        faulty = Faulty(work / "catalogue.db", at, after=after)
        try:
            scanned(faulty, source, batch=3)
        except Crash:
            died += 1
        faulty.close()
        catalogue = open_catalogue(work / "catalogue.db")
        sound(catalogue)
        scanned(catalogue, source, batch=4)
        assert recorded(catalogue, b"source") == first
        sound(catalogue)
        catalogue.close()
        if not faulty.hit:
            break
    assert died == at - 1 > 10


@pytest.mark.parametrize("after", [False, True], ids=["before commit", "after commit"])
def test_a_second_scan_may_die_at_every_transaction(tmp_path, after):
    died = 0
    for at in range(1, 200):
        work = tmp_path / f"at{at}"
        source = work / "source"
        source.mkdir(parents=True)
        plant(source, 0)
        new_catalogue(work).close()
        faulty = Faulty(work / "catalogue.db", 10**9, after=after)
        scanned(faulty, source)
        first = observed(source)
        plant(source, 1)
        second = observed(source)
        faulty.left = at
        try:
            scanned(faulty, source, batch=2)
        except Crash:
            died += 1
        faulty.close()
        catalogue = open_catalogue(work / "catalogue.db")
        sound(catalogue)
        complete = rows(catalogue, "SELECT count(*) FROM snapshot WHERE state = 'complete'")[0][0]
        assert recorded(catalogue, b"source") == (first if complete == 1 else second)
        # What the broken scan saw may be gone, what it missed may be back.
        if at % 2:
            shutil.rmtree(source / "d2")
            (source / "d1").unlink()
            (source / "d1").mkdir()
            write(source / "gone", b"gone")
        scanned(catalogue, source, batch=3)
        assert recorded(catalogue, b"source") == observed(source)
        assert recorded(catalogue, b"source", 1) == first
        sound(catalogue)
        catalogue.close()
        if not faulty.hit:
            break
    assert died == at - 1 > 10


def test_progress_tells_and_may_stop(catalogue, source, monkeypatch):
    monkeypatch.setattr(walk, "PROGRESS_SECONDS", 0.0)
    from odarchive.scan import scan

    for number in range(5):
        (source / f"d{number}").mkdir()
        write(source / f"d{number}" / "f", b"12345")
    told = []
    scan(catalogue, source, None, told.append)
    assert told[-1].path == b"d4"
    assert [one.files for one in told] == sorted(one.files for one in told)
    assert told[-1].hashed_bytes == 25


def every_death(tmp_path, prepare, change, further):
    """A scan of what ``change`` made dies at every transaction in turn; then come ``further`` steps, each scanned.

    Yields the catalogue after the last step. The scan of a step between dies too, after two thirds as many of them.
    """
    for at in range(1, 100):
        work = tmp_path / f"at{at}"
        source = work / "source"
        source.mkdir(parents=True)
        new_catalogue(work).close()
        prepare(source)
        faulty = Faulty(work / "catalogue.db", 10**9, after=True)
        scanned(faulty, source)
        faulty.close()
        alive = False
        for number, step in enumerate((change, *further[:-1])):
            step(source)
            faulty = Faulty(work / "catalogue.db", at * (3 - number) // 3, after=True)
            try:
                scanned(faulty, source, batch=1)
                alive = number == 0
            except Crash:
                pass
            faulty.close()
        further[-1](source)
        catalogue = open_catalogue(work / "catalogue.db")
        sound(catalogue)
        scanned(catalogue, source)
        assert recorded(catalogue, b"source") == observed(source)
        sound(catalogue)
        yield catalogue
        catalogue.close()
        if alive:
            assert at > 4
            return


def test_what_comes_back_after_a_broken_scan_was_never_gone(tmp_path):
    def hide(source):
        for name in ("d0", "gone", "pair2", "tree"):
            (source / name).rename(source.parent / name)

    def restore(source):
        for name in ("d0", "gone", "pair2", "tree"):
            (source.parent / name).rename(source / name)

    for catalogue in every_death(tmp_path, lambda source: plant(source, 0), hide, [restore]):
        if rows(catalogue, "SELECT count(*) FROM snapshot WHERE state = 'complete'") == [(2,)]:
            changed = rows(catalogue, "SELECT name FROM entry WHERE since = 2 OR until = 2")
            assert {name for (name,) in changed} <= {b"source"}  # renaming changed the folder's mtime


def test_pending_folders_that_vanish_leave_nothing(tmp_path):
    def grow(source):
        (source / "new" / "inner" / "most").mkdir(parents=True)
        for name in ("1", "inner/2", "inner/most/3", "inner/most/4"):
            write(source / "new" / name, name.encode())

    def shrink(source):
        shutil.rmtree(source / "new")

    for catalogue in every_death(tmp_path, lambda _: None, grow, [shrink, lambda _: None]):
        assert rows(catalogue, "SELECT count(*) FROM entry WHERE until IS NULL") == [(2,)]


def test_links_that_parted_after_a_broken_scan_get_their_own_numbers(tmp_path):
    def link(source):
        os.link(source / "a", source / "b")

    def part(source):
        (source / "b").unlink()
        write(source / "b", b"same")

    for catalogue in every_death(tmp_path, lambda source: write(source / "a", b"same"), link, [part]):
        assert rows(catalogue, "SELECT count(DISTINCT ino) FROM entry WHERE content IS NOT NULL AND until IS NULL") == [
            (2,)
        ]


def test_an_unreadable_folder_is_put_back_after_a_broken_scan_emptied_it(tmp_path, monkeypatch):
    def empty(source):
        (source / "folder" / "f").rename(source / "f")
        (source / "folder" / "inner").rename(source / "inner")

    def lock(source):
        real = tree.Tree.enter

        def enter(self, path):
            if path == b"folder":
                raise PermissionError(13, "Permission denied")
            return real(self, path)

        monkeypatch.setattr(tree.Tree, "enter", enter)

    def prepare(source):
        monkeypatch.undo()
        (source / "folder" / "inner").mkdir(parents=True)
        write(source / "folder" / "f", b"1")
        write(source / "folder" / "inner" / "g", b"22")

    kept = {b"folder", b"folder/f", b"folder/inner", b"folder/inner/g"}
    for at in range(3, 30):
        source = tmp_path / str(at) / "source"
        source.mkdir(parents=True)
        prepare(source)
        scanned_once = new_catalogue(source.parent)
        scanned(scanned_once, source)
        before = recorded(scanned_once, b"source")
        empty(source)
        faulty = Faulty(scanned_once.path, at, after=True)
        with suppress(Crash):
            scanned(faulty, source, batch=1)
        faulty.close()
        complete = rows(scanned_once, "SELECT count(*) FROM snapshot WHERE state = 'complete'")[0][0]
        lock(source)
        scanned(scanned_once, source)
        sound(scanned_once)
        after = recorded(scanned_once, b"source")
        if complete == 1:
            assert {name: after[name] for name in kept - {b"folder"}} == {
                name: before[name] for name in kept - {b"folder"}
            }
        scanned_once.close()
        if complete == 2:
            break
    assert at > 8
