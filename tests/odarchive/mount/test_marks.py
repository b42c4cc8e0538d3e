"""What the mount's extended attributes say in each situation of a disc."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from odarchive.catalogue import archive
from odarchive.catalogue.database import Catalogue, driver
from odarchive.catalogue.standing import Standings
from odarchive.mount.marks import NAMES, PREFIX, Marks
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


def marks(catalogue: Catalogue, cached: frozenset[bytes] = frozenset()) -> dict[str, str]:
    standings = Standings(catalogue.path)
    shown = Marks(standings, cached.__contains__)
    assert list(shown.names(FILE)) == []  # rsync -X must not carry them into copies
    values = {name.removeprefix(PREFIX).decode(): shown.value(FILE, name) for name in NAMES}
    standings.close()
    return {name: value.decode() for name, value in values.items() if value is not None}


def test_a_file_in_the_robot(catalogue: Catalogue) -> None:
    disc(catalogue, 1, 1, slot=12)
    disc(catalogue, 2, 2, slot=30)
    assert marks(catalogue) == {
        "copies": "1",
        "digest": f"blake3:{'ab' * 32}",
        "disc": "X-1.1,X-2.2",
        "slot": "12,30",
        "state": "robot",
        "wait": "150",  # two discs to change
    }
    cached = marks(catalogue, frozenset([b"\xab" * 32]))
    assert (cached["state"], cached["wait"]) == ("cached", "0")


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
    standings = Standings(catalogue.path)
    shown = Marks(standings, lambda _: True)
    for ino in (EMPTY, ROOT, Inode(999)):
        assert shown.value(ino, PREFIX + b"state") is None
    assert shown.value(FILE, PREFIX + b"other") is shown.value(FILE, b"user.state") is None
    standings.close()
