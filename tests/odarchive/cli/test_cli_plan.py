"""The preview of a plan, its options, and what it refuses."""

import pytest
from sqlalchemy import update

from odarchive.catalogue import schema
from odarchive.catalogue.database import Catalogue

TB = 10**12


@pytest.fixture
def scanned(archive, source):
    assert archive("scan", source) == 0
    return archive


def grown(archive, size):
    """As if the files of the source had this many bytes each."""
    catalogue = Catalogue(archive.root / "catalogue.db")
    with catalogue.write() as connection:
        connection.execute(update(schema.content).values(size=size))
        connection.execute(update(schema.entry).where(schema.entry.c.content.is_not(None)).values(size=size))
    catalogue.close()


def priced(archive, text):
    config = archive.root / "archive.toml"
    config.write_text(config.read_text().replace("# bd = 0.80", text))


def test_the_preview_tells_discs_fill_cost_and_hours(scanned):
    priced(scanned, "bd = 0.80")
    grown(scanned, 30_000_000_000)
    assert scanned("plan", "--media", "bd", "--copies", "2", "--dry-run") == 0
    assert "3 discs for 60.0 GB that are new, " in scanned.out
    assert "2 copies: 6 bd, 4.80 EUR, about " in scanned.out
    assert " hours of burning and verifying with 1 drive(s)" in scanned.out
    told = scanned.json("plan", "--media", "bd", "--copies", "2", "--dry-run")
    assert (len(told["segments"]), told["cost"], told["copies"]) == (3, 4.8, 2)
    assert 2.5 < told["hours"] < 3.5
    assert {one["media"] for one in told["segments"]} == {"bd"}


def test_a_blu_ray_has_two_capacities(scanned):
    grown(scanned, 12_050_000_000)
    assert len(scanned.json("plan", "--media", "bd", "-n")["segments"]) == 1
    told = scanned.json("plan", "--media", "bd-managed", "-n")
    assert [one["capacity"] for one in told["segments"]] == [24_220_008_448] * len(told["segments"])
    grown(scanned, 12_400_000_000)
    assert len(scanned.json("plan", "--media", "bd", "-n")["segments"]) == 1
    assert len(scanned.json("plan", "--media", "bd-managed", "-n")["segments"]) == 2
    config = scanned.root / "archive.toml"
    config.write_text(config.read_text().replace("[burn]\n", "[burn]\ndefects = true\n"))
    assert [one["capacity"] for one in scanned.json("plan", "--media", "bd", "-n")["segments"]] == [24_220_008_448] * 2
    assert scanned("num_isos", "--media", "bd") == 0
    assert scanned.out == "2\n"
    assert scanned("plan", "--media", "dvd-managed") == 3
    assert "dvd has no spare area; write dvd" in scanned.err


def test_three_terabytes_on_compact_discs_are_asked_about(scanned):
    grown(scanned, 3 * TB // 2)
    assert scanned("plan", "--media", "cd") == 2
    assert "take 4077 discs (cd, of which each holds 737 MB); say --yes if that is meant" in scanned.err
    assert scanned.json("info")["segments"] == []
    assert scanned("plan", "--media", "cd", "-n") == 0
    assert "4037 more" in scanned.out
    assert "4077 discs for 3.0 TB that are new, " in scanned.out
    assert scanned("num_isos", "--media", "cd") == 0
    assert scanned.out == "4077\n"
    assert scanned("archive", scanned.root, "--media", "bogus", "--pretend") == 3


def test_copies_and_parity_discs_are_discs_too(scanned):
    grown(scanned, 27 * 737_000_000)
    assert scanned("plan", "--media", "cd", "-n") == 0
    count = len(scanned.json("plan", "--media", "cd", "-n")["segments"])
    assert 50 < count <= 100
    assert scanned("plan", "--media", "cd", "--copies", "2") == 2
    assert f"take {2 * count} discs (2 copies of {count}; cd, " in scanned.err
    shape = ("--media", "cd", "--parity", "2+2")
    told = scanned.json("plan", *shape, "-n")
    assert scanned("plan", *shape) == 2
    assert f"discs ({told['parity_discs']} of them for parity; cd, " in scanned.err
    assert scanned.json("info")["segments"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--media", "10QB"), "neither a medium"),
        (("--media", "-5"), "neither a medium"),
        (("--media", "1kB"), "less than one block of a disc"),
        (("--media", "bd", "--media", "x"), "'x' is neither a medium"),
        (("--media", "bd", "--min-last-fill", "most"), "'most' is no share of a disc"),
        (("--media", "bd", "--min-last-fill", "101"), "'101' is no share of a disc"),
        (("--media", "bd", "--copies", "0"), "0 is not in the range"),
        (("--media", "bd", "--places", "2"), "2 places need as many copies; say --copies 2"),
        ((), "Missing option '--media'"),
    ],
)
def test_what_is_no_plan_is_refused(scanned, words, message):
    assert scanned("plan", *words) != 0
    assert message in scanned.err
    assert scanned.json("info")["segments"] == []


def test_after_a_rename_there_is_nothing_to_burn(scanned, source):
    assert scanned("plan", "--media", "10MB") == 0
    (source / "sub").mkdir()
    (source / "one.jpg").rename(source / "sub" / "one.jpg")
    assert scanned("scan", source) == 0
    (source / "sub").rename(source / "other")
    assert scanned("scan", source) == 0
    told = scanned.json("plan", "--media", "10MB", "--dry-run")
    assert (told["new_bytes"], told["segments"]) == (0, [])
    assert scanned("plan", "--media", "10MB", "--dry-run") == 0
    assert "0 discs for 0 B that are new" in scanned.out


def test_a_plan_is_topped_up_and_says_so(scanned, source):
    assert scanned("plan", "--media", "10MB") == 0
    (source / "three.jpg").write_bytes(b"3" * 50_000)
    assert scanned("scan", source) == 0
    assert scanned("plan", "--media", "10MB", "--first", "nix/") == 0
    assert "planned anew with it, not being burned yet: segment 1" in scanned.out
    assert "--first nix/: nothing new is called so" in scanned.err
    assert [one["payload_bytes"] for one in scanned.json("info")["segments"]] == [120_000]


def test_copies_in_several_places(scanned):
    assert scanned("plan", "--media", "10MB", "--copies", "2", "--places", "2") == 0
    told = scanned.json("copies")["segments"]
    assert [(one["wanted"], one["copies"], one["places_wanted"], one["places"]) for one in told] == [(2, 0, 2, 0)]
    catalogue = Catalogue(scanned.root / "catalogue.db")
    with catalogue.write() as connection:
        for number in (1, 2):
            connection.exec_driver_sql(
                "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns)"
                " VALUES (?, ?, 1, ?, 'verified', 1, x'', 0)",
                (number, f"u{number}", f"D{number}"),
            )
    assert scanned("copies") == 0
    assert "2 of 2 copies, in 1 of 2 places" in scanned.out
    with catalogue.write() as connection:
        connection.exec_driver_sql("INSERT INTO whereabouts (disc, place, since_ns) VALUES (2, 'the bank', 0)")
    catalogue.close()
    assert scanned.json("copies")["segments"] == []
    assert [one["places"] for one in scanned.json("copies", "--places", "3")["segments"]] == [2]
