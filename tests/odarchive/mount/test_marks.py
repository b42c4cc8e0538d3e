"""What the mount's extended attributes say in each situation of a disc."""

import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from odarchive.catalogue import archive
from odarchive.catalogue.database import Catalogue, driver
from odarchive.catalogue.standing import Standings
from odarchive.catalogue.views import Views
from odarchive.mount.marks import NAMES, PREFIX, Marks
from odarchive.mount.views import BASE
from odfs.ports import ROOT, Inode

FILE, EMPTY = Inode(7), Inode(8)
ENTRY = (
    "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino,"
    " content, carrier, shown) VALUES (1, ?, 0, ?, 33188, 1, 0, 0, ?, 0, 0, 0, 0, ?, 0, 1)"
)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    """One file whose two halves lie on segments 1 and 2."""
    made = archive.create(tmp_path / "catalogue.db", archive.Facts(uuid="u", label_prefix="X", created_ns=0))
    with made.write() as connection:
        raw = driver(connection)
        raw.execute("INSERT INTO content (id, digest, size) VALUES (3, ?, 10)", (b"\xab" * 32,))
        raw.execute(ENTRY, (b"file", FILE, 10, 3))
        raw.execute(ENTRY, (b"empty", EMPTY, 0, None))
        for segment in (1, 2):
            raw.execute(
                "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns)"
                " VALUES (?, ?, 'archived', 'cd', 1, 1, 5, 0)",
                (segment, f"X-{segment}"),
            )
            raw.execute("INSERT INTO piece VALUES (3, ?, ?, 5, 100, NULL)", (segment, (segment - 1) * 5))
    yield made
    made.close()


def disc(catalogue: Catalogue, number: int, segment: int, *, state: str = "verified", slot: int | None = None) -> None:
    with catalogue.write() as connection:
        raw = driver(connection)
        raw.execute(
            "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns)"
            " VALUES (?, ?, ?, ?, ?, 65536, zeroblob(32), 0)",
            (number, f"u{number}", segment, f"X-{segment}.{number}", state),
        )
        if slot is not None:
            raw.execute("INSERT INTO slot (number, state, disc, seen_ns) VALUES (?, 'disc', ?, 0)", (slot, number))


def load(catalogue: Catalogue, slot: int) -> None:
    with catalogue.write() as connection:
        statement = "INSERT INTO station (element, state, home, seen_ns) VALUES (?, 'full', ?, 0)"
        driver(connection).execute(statement, (f"drive {slot}", slot))


@contextmanager
def shown(catalogue: Catalogue, held: int = 0) -> Iterator[Marks]:
    """Marks of a mount whose cache has so many bytes of every content."""
    with closing(Standings(catalogue.path)) as standings, closing(Views(catalogue.path)) as views:
        yield Marks(standings, views, lambda _digest, size: min(size, held))


def marks(catalogue: Catalogue, held: int = 0, ino: Inode = FILE) -> dict[str, str]:
    with shown(catalogue, held) as found:
        assert list(found.names(ino)) == []  # rsync -X must not carry them into copies
        values = {name.removeprefix(PREFIX).decode(): found.value(ino, name) for name in NAMES}
    return {name: value.decode() for name, value in values.items() if value is not None}


def test_a_file_in_the_robot(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, slot=12)
    disc(catalogue, 2, 2, slot=30)
    assert marks(catalogue) == {
        "cached": "0",
        "copies": "1",
        "digest": f"blake3:{'ab' * 32}",
        "disc": "X-1.1,X-2.2",
        "slot": "12,30",
        "state": "robot",
        "wait": "150",  # two discs to change
    }
    cached = marks(catalogue, held=10)
    assert (cached["state"], cached["wait"], cached["cached"]) == ("cached", "0", "10")


def test_a_file_that_is_here_in_part_says_so_and_where_the_rest_is(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, slot=12)
    disc(catalogue, 2, 2)
    found = marks(catalogue, held=4)
    assert (found["state"], found["cached"], found["slot"], found["wait"]) == ("partial", "4", "12,-", "person")
    disc(catalogue, 3, 2, slot=30)
    assert (marks(catalogue, held=4)["state"], marks(catalogue, held=4)["wait"]) == ("partial", "150")


def test_a_wait_is_for_the_bytes_that_are_not_here(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, slot=12)
    disc(catalogue, 2, 2, slot=30)
    with catalogue.write() as connection:
        driver(connection).execute("UPDATE content SET size = 1800000000")
    assert [marks(catalogue, held=held)["wait"] for held in (0, 900_000_000)] == ["250", "200"]


def test_a_file_in_a_view_has_the_marks_and_attributes_of_its_version(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, slot=12)
    disc(catalogue, 2, 2, slot=30)
    key, of_old = b"k" * 32, b"user.colour"
    with catalogue.write() as connection:
        raw = driver(connection)
        raw.execute("INSERT INTO source (id, name, path, created_ns) VALUES (1, 's', '/s', 0)")
        for number in (1, 2):
            raw.execute("INSERT INTO snapshot (id, source, state, started_ns) VALUES (?, 1, 'complete', 0)", (number,))
        packed = struct.pack(">HI", len(of_old), 4) + of_old + b"blue"
        raw.execute("INSERT INTO xattrs VALUES (?, ?)", (key, packed))
        raw.execute("UPDATE entry SET since = 1, until = 2, shown = 0, xattrs = ? WHERE ino = ?", (key, FILE))
    in_snapshot = Inode(BASE | 1 << 60 | 1 << 40 | FILE)
    in_later = Inode(BASE | 1 << 60 | 2 << 40 | FILE)
    on_disc = Inode(BASE | 2 << 60 | 1 << 40 | FILE)
    with shown(catalogue, held=4) as found:
        assert found.value(FILE, PREFIX + b"state") is None  # the present has it no more
        assert found.value(in_snapshot, PREFIX + b"state") == b"partial"
        assert found.value(in_snapshot, PREFIX + b"slot") == b"12,30"
        assert (list(found.names(in_snapshot)), found.value(in_snapshot, of_old)) == ([of_old], b"blue")
        for other in (in_later, on_disc, Inode(BASE), Inode(BASE + 1)):
            assert list(found.names(other)) == []
            assert found.value(other, PREFIX + b"state") is found.value(other, of_old) is None
    with catalogue.write() as connection:
        driver(connection).execute("UPDATE entry SET until = NULL, shown = 1 WHERE ino = ?", (FILE,))
    with shown(catalogue) as found:
        assert found.value(on_disc, PREFIX + b"state") == found.value(FILE, PREFIX + b"state") == b"robot"
        assert found.value(on_disc, of_old) == found.value(in_later, of_old) == b"blue"


def test_the_least_handy_piece_decides_each_by_its_handiest_disc(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, slot=12)
    assert marks(catalogue)["state"] == "robot"
    disc(catalogue, 2, 2)
    assert (marks(catalogue)["state"], marks(catalogue)["slot"]) == ("shelf", "12,-")
    assert marks(catalogue)["wait"] == "person"
    disc(catalogue, 3, 2, slot=4)
    assert marks(catalogue)["state"] == "robot"
    load(catalogue, 4)
    assert marks(catalogue)["state"] == "robot"
    load(catalogue, 12)
    assert marks(catalogue)["state"] == "loaded"
    assert (marks(catalogue)["copies"], marks(catalogue)["wait"]) == ("1", "0")


def test_discs_that_failed_are_no_copies(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, state="missing")
    disc(catalogue, 2, 2, slot=1)
    assert (marks(catalogue)["state"], marks(catalogue)["copies"]) == ("lost", "0")


def test_what_holds_no_bytes_has_no_marks(catalogue: Catalogue) -> None:
    with shown(catalogue, held=10) as found:
        for ino in (EMPTY, ROOT, Inode(999)):
            assert found.value(ino, PREFIX + b"state") is None
        assert found.value(FILE, PREFIX + b"other") is found.value(FILE, b"user.state") is None
