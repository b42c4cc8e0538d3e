"""The folder a restore writes into: attributes, hostile names, links in the way, interrupted runs."""

import os
import stat

import pytest

from odarchive.catalogue.wanted import Item, Wanted
from odarchive.digest import content_digest
from odarchive.errors import Locked
from odarchive.model import ContentId, Extent, Ino, SegmentId
from odarchive.restore.needs import needs
from odarchive.restore.target import HOLE, InTheWay, Manner, Target
from odarchive.restore.work import Work

BODY = b"some bytes " * 1000
SIZE = len(BODY)
PLAIN = Manner(owners=False)


def item(path, mode=0o100644, *, ino=7, content=1, size=SIZE, target=None, nlink=1):
    return Item(
        path, Ino(ino), mode, nlink, os.geteuid(), os.getegid(), size, 1_600_000_000_123_456_789, content, target
    )


def wanted(body=BODY, number=1, *, segment=1, sector=300):
    extents = (Extent(SegmentId(segment), 0, len(body), sector),)
    return Wanted(ContentId(number), content_digest(body), len(body), extents)


def bring(target, what, body=BODY):
    with target.landing(len(body)) as landing:
        landing.write(0, body)
        landing.check(content_digest(body))
        target.place(landing, what)


def test_a_file_gets_bytes_mode_and_nanoseconds(tmp_path):
    with Target(tmp_path / "to", PLAIN) as target:
        bring(target, item(b"photos/2020/a\xff.jpg", 0o100640))
    path = os.fsencode(tmp_path / "to") + b"/photos/2020/a\xff.jpg"
    with open(path, "rb") as file:
        assert file.read() == BODY
    found = os.stat(path)
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o640, 1_600_000_000_123_456_789)


@pytest.mark.parametrize("name", [b"../out", b"a/../../out", b"/out", b"a//b", b"..", b"a/./b", b"a\0b", b""])
def test_no_name_leads_out(tmp_path, name):
    with Target(tmp_path / "to", PLAIN) as target, pytest.raises(InTheWay):
        bring(target, item(name))
    assert os.listdir(tmp_path) == ["to"]
    assert os.listdir(tmp_path / "to") == []


def test_symlinks_in_the_way_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "photos").symlink_to(outside)
    (tmp_path / "to" / "file").symlink_to(outside / "made")
    with Target(tmp_path / "to", PLAIN) as target:
        for name in (b"photos/a", b"file"):
            with pytest.raises(InTheWay):
                bring(target, item(name))
        with pytest.raises(InTheWay):
            target.directory(item(b"photos/new", 0o40755))
    assert os.listdir(outside) == []


def test_what_somebody_else_put_there_stays(tmp_path):
    (tmp_path / "a").write_bytes(b"mine")
    with Target(tmp_path, PLAIN) as target, pytest.raises(InTheWay, match="already"):
        bring(target, item(b"a"))
    assert (tmp_path / "a").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a"]


def test_set_id_bits_come_back_only_when_asked_for(tmp_path):
    for number, (set_id, mode) in enumerate([(False, 0o755), (True, 0o6755)]):
        with Target(tmp_path / str(number), Manner(owners=False, set_id=set_id)) as target:
            bring(target, item(b"su", 0o106755))
        assert stat.S_IMODE((tmp_path / str(number) / "su").stat().st_mode) == mode


def test_zeros_become_holes(tmp_path):
    body = bytes(HOLE * 40) + b"end"
    with Target(tmp_path, PLAIN) as target:
        bring(target, item(b"sparse", size=len(body)), body)
    assert (tmp_path / "sparse").read_bytes() == body
    assert (tmp_path / "sparse").stat().st_blocks * 512 < HOLE * 4


def test_one_run_at_a_time_and_leftovers_go(tmp_path):
    (tmp_path / ".odarchive-restore-1-1").write_bytes(b"half")
    with Target(tmp_path, PLAIN):
        assert os.listdir(tmp_path) == []
        with pytest.raises(Locked):
            Target(tmp_path, PLAIN)


def test_hard_links_duplicates_symlinks_and_directory_times(tmp_path):
    everything = [
        item(b"s", 0o40755, ino=2, content=None, size=0),
        item(b"s/d", 0o40500, ino=3, content=None, size=0),
        item(b"s/d/one", ino=4, nlink=2),
        item(b"s/two", ino=4, nlink=2),
        item(b"s/copy", 0o100600, ino=5),
        item(b"s/d/empty", ino=6, content=None, size=0),
        item(b"s/link", 0o120777, ino=8, content=None, size=3, target=b"../../etc"),
    ]
    for _ in range(2):  # the second run finds everything done, in a folder without write permission
        with Target(tmp_path, PLAIN) as target:
            done = {one.path for one in everything if one.mode & 0o100000 and target.there(one)}
            work = Work(target, needs(everything, {ContentId(1): wanted()}, done))
            work.begin()
            for content in list(work.open.values()):
                with work.landing(content) as landing:
                    landing.write(0, BODY)
                    assert work.deliver(content, landing)
            assert work.end().problems == []
    assert (tmp_path / "s/d/one").stat().st_ino == (tmp_path / "s/two").stat().st_ino
    assert (tmp_path / "s/copy").stat().st_nlink == 1
    assert (tmp_path / "s/copy").read_bytes() == BODY
    assert os.readlink(tmp_path / "s/link") == "../../etc"
    for path in ("s", "s/d", "s/link"):
        assert os.lstat(tmp_path / path).st_mtime_ns == 1_600_000_000_123_456_789, path
    assert stat.S_IMODE((tmp_path / "s/d").stat().st_mode) == 0o500


def test_a_recheck_throws_out_what_is_not_right(tmp_path):
    with Target(tmp_path, PLAIN) as target:
        bring(target, item(b"a"))
    time = (tmp_path / "a").stat().st_mtime_ns
    (tmp_path / "a").write_bytes(b"x" * len(BODY))
    os.utime(tmp_path / "a", ns=(time, time))
    with Target(tmp_path, PLAIN) as target:
        assert target.right(item(b"a"), content_digest(BODY))
    with Target(tmp_path, Manner(owners=False, recheck=True)) as target:
        assert not target.right(item(b"a"), content_digest(BODY))
        bring(target, item(b"a"))


def test_wrong_bytes_stay_open_and_leave_nothing(tmp_path):
    with Target(tmp_path, PLAIN) as target:
        work = Work(target, needs([item(b"a")], {ContentId(1): wanted()}))
        with work.landing(wanted()) as landing:
            landing.write(0, b"y" * len(BODY))
            assert not work.deliver(wanted(), landing)
        assert work.end("no disc").problems == [(b"a", "no disc")]
    assert os.listdir(tmp_path) == []


def test_every_disc_is_one_stretch_in_sector_order():
    def extent(segment, sector, start=0, length=10):
        return Extent(SegmentId(segment), start, length, sector)

    def content(number, *extents):
        return Wanted(ContentId(number), b"", 10 * len(extents), extents)

    contents = {
        1: content(1, extent(2, 900)),
        2: content(2, extent(1, 800)),
        3: content(3, extent(2, 100)),
        4: content(4, extent(3, 5), extent(1, 9, start=10)),
        5: content(5, extent(1, 700)),
    }
    files = [item(b"%d" % n, ino=n, content=n, size=contents[n].size) for n in contents]
    found = needs(files, contents)
    assert [one.content for one in found.order] == [4, 5, 2, 3, 1]
    assert found.segments == [3, 1, 2]
    assert found.load(SegmentId(1)) == (3, 30)
