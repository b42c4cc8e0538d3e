"""Questions of the mount and of people."""

import pytest
from catalogue_kit import run, sound
from trees import scanned, write

from odarchive.catalogue import discs, lookup, summary
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.catalogue.publish import publish
from odarchive.digest import content_digest
from odarchive.errors import NoArchive, NotFound
from odarchive.model import DiscState, SegmentState, SlotState
from odfs.ports import ROOT


@pytest.fixture
def tree(populated, tmp_path):
    """source/{d/h, f, g} archived; source/{link, new} not yet."""
    source = tmp_path / "source"
    write(source / "new", b"not burned")
    (source / "link").symlink_to("f")
    scanned(populated, source)
    run(populated, "INSERT INTO slot (number, state, disc, seen_ns, evidence) VALUES (7, 'disc', 1, 1, 'label read')")
    return populated


def names(catalogue, path, snapshot=None):
    with catalogue.read() as connection:
        return [entry.name for entry in lookup.ls(connection, path, snapshot)]


def test_listing_now_and_then(tree):
    assert names(tree, b"/") == [b"source"]
    assert names(tree, b"source") == names(tree, b"/source//") == [b"d", b"f", b"g", b"link", b"new"]
    assert names(tree, b"source", 1) == [b"d", b"f", b"g"]
    assert names(tree, b"source/f") == [b"f"]
    with tree.read() as connection:
        archived = {entry.name: (entry.archived, entry.kind) for entry in lookup.ls(connection, b"source")}
        assert archived == {
            b"d": (True, "directory"),
            b"f": (True, "file"),
            b"g": (True, "file"),
            b"link": (False, "symlink"),
            b"new": (False, "file"),
        }
        for path in (b"nothing", b"source/f/x", b"source/\x1b"):
            with pytest.raises(NotFound, match="is not in the archive"):
                lookup.resolve(connection, path)
        with pytest.raises(NotFound, match=r"/source/\\x1b is"):
            lookup.resolve(connection, b"source/\x1b")


def test_whereabouts(tree, tmp_path):
    (tmp_path / "source" / "g").unlink()
    scanned(tree, tmp_path / "source")
    with tree.read() as connection:
        found = lookup.whereis(connection, b"source/f")
        assert (found.present, found.digest, found.copies) == (True, content_digest(b"one"), 1)
        (place,) = found.places
        assert (place.segment, place.label, place.state, place.start, place.length) == (1, "S1", "imaged", 0, 3)
        (disc,) = place.discs
        assert (disc.uuid, disc.state, disc.slot, disc.slot_state) == ("u1", DiscState.VERIFIED, 7, SlotState.DISC)
        assert lookup.whereis(connection, b"source/new").places == ()
        assert lookup.whereis(connection, b"source/new").copies == 0
        deleted = lookup.whereis(connection, b"source/g")
        assert (deleted.present, deleted.copies) == (False, 1)
        assert lookup.whereis(connection, b"source/d").copies == 1
        with pytest.raises(NotFound):
            lookup.whereis(connection, b"source/never")


def test_the_bins_and_drives_of_the_robot_are_one_place(tree):
    places = ["the robot's output-bin 1", "the robot's drive 0", "the robot's reject-bin 1"]
    with tree.write() as connection:
        for place in places:
            discs.put_outside(connection, 1, place, now_ns=1)
            (line,) = summary.segments(connection)
            assert (line.copies, line.places) == (1, 1)
    insert = "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns) VALUES"
    for number in (2, 3):
        run(tree, f"{insert} ({number}, 'u{number}', 1, 'S1_{number}', 'verified', 65536, zeroblob(32), 1)")
    for place, count in (*((one, 1) for one in places), ("shelf", 2)):
        with tree.write() as connection:
            discs.put_outside(connection, 2, place, now_ns=1)
            (line,) = summary.segments(connection)
            assert (line.copies, line.places) == (3, count), place


def test_copies_are_those_of_the_worst_byte():
    def place(start, length, *states):
        discs = tuple(lookup.DiscPlace("u", "l", DiscState(state), None, None) for state in states)
        return lookup.Place(1, "l", SegmentState.ARCHIVED, start, length, 0, discs)

    assert lookup.copies_of(10, [place(0, 10, "verified", "verified")]) == 2
    assert lookup.copies_of(10, [place(0, 10, "verified", "suspect")]) == 1
    assert lookup.copies_of(10, [place(0, 4, "verified", "verified"), place(4, 6, "verified")]) == 1
    assert lookup.copies_of(10, [place(0, 4, "verified")]) == 0
    assert lookup.copies_of(10, []) == 0


def test_totals(tree):
    with tree.read() as connection:
        info = lookup.info(connection)
        assert (info.sources, info.snapshots, info.files, info.bytes) == (1, 3, 4, 22)
        assert (info.archived_files, info.archived_bytes) == (3, 12)
        assert (info.contents, info.content_bytes, info.unplanned_contents, info.unplanned_bytes) == (4, 22, 1, 10)
        assert info.segments == {SegmentState.IMAGED: 1}
        assert info.discs == {DiscState.VERIFIED: 1}
        assert info.slots == {SlotState.DISC: 1}
        assert [(one.id, one.source, one.files) for one in lookup.snapshots(connection)] == [
            (1, b"source", 3),
            (2, b"source", 3),
            (3, b"source", 4),
        ]


def test_the_namespace_is_what_is_shown(tree):
    with CatalogueNamespace(tree.path) as space:
        top = space.lookup(ROOT, b"source")
        listed = space.children(top.ino, b"", 100)
        assert [name for name, _ in listed] == [b"d", b"f", b"g"]
        assert space.children(top.ino, b"d", 1) == [listed[1]]
        assert space.children(top.ino, b"g", 1) == []
        file = space.lookup(top.ino, b"f")
        assert file == listed[1][1] == space.attributes(file.ino)
        assert (file.size, file.nlink) == (3, 1)
        assert space.lookup(top.ino, b"new") is None
        assert space.lookup(file.ino, b"x") is None
        assert space.attributes(10**9) is space.parent(10**9) is space.readlink(10**9) is None
        assert space.parent(ROOT) == ROOT
        assert space.parent(top.ino) == ROOT
        folder = space.lookup(top.ino, b"d")
        inner = space.lookup(folder.ino, b"h")
        assert space.path(inner.ino) == b"source/d/h"
        assert space.path(ROOT) == b""
        assert space.path(10**9) == b"?"
        assert space.content_of(file.ino).digest == content_digest(b"one")
        assert space.content_of(folder.ino) is space.content_of(10**9) is None


def test_the_namespace_notices_what_is_published(tree):
    now = [0.0]
    with CatalogueNamespace(tree.path, clock=lambda: now[0]) as space:
        top = space.lookup(ROOT, b"source").ino
        before = space.totals()
        assert (before.files, before.size) == (6, 12)
        assert not space.changed()
        with tree.write() as connection:
            connection.exec_driver_sql("UPDATE entry SET carrier = 0 WHERE target IS NOT NULL")
            assert publish(connection) == 1
        assert space.changed()
        assert not space.changed()
        link = space.lookup(top, b"link")
        assert space.readlink(link.ino) == b"f"
        assert space.totals() == before
        now[0] = 6.0
        assert space.totals().files == 7
    sound(tree)


def test_no_catalogue_no_namespace(tmp_path):
    with pytest.raises(NoArchive, match="does not exist"):
        CatalogueNamespace(tmp_path / "none.db")
