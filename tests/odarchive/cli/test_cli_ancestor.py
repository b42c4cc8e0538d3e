"""The commands of the program before this one, under their names; ``archive``; an ``init`` that was killed."""

import pytest


def test_the_whole_way_under_the_old_names(archive, source):
    assert archive("create_db", source) == 0
    assert archive("plan_iso", "10MB", "--dry-run") == 0
    assert archive.json("num_isos") == {"num_isos": 0, "planned": 0, "new": 0}
    assert archive.json("num-isos", "--media", "bluray")["num_isos"] == 1
    assert archive("create_iso") == 16
    assert archive("segment", "10MB") == 0
    assert archive("num_isos") == 0
    assert archive.out == "1\n"
    assert archive.json("write_iso", "--pretend")["images"] == []
    assert archive.json("create_iso")["images"][0]["id"] == 1
    assert archive("write-iso", "--pretend") == 0
    assert "would burn" in archive.out
    assert archive.json("get_info") == archive.json("info")
    for size in ("cd", "dvd", "bluray", "bd", "bd-dl", "bd-xl", "bd-xx", "25000000000", "25GB", "25GiB"):
        assert archive("plan_iso", size, "--pretend") == 0
    assert archive("plan_iso", "large") == 3


def test_archive_pretends_and_needs_a_librarian(archive, source):
    told = archive.json("archive", source, "--media", "10MB", "--pretend")
    assert (told["files"], told["new_bytes"], told["planned"], told["jobs"]) == (2, 70_000, 1, [])
    assert archive("archive", source, "--media", "10MB") == 21
    assert archive.json("num_isos")["num_isos"] == 0
    assert archive("archive", source) == 2


@pytest.mark.parametrize("used", [False, True])
def test_an_init_that_was_killed_is_done_again(archive, source, used):
    if used:
        assert archive("scan", source) == 0
    before = archive.json("info")["uuid"]
    (archive.root / "archive.toml").unlink()
    assert archive("init", "--label", "OTHER") == 0
    assert (archive.json("info")["uuid"] == before) is used
    assert archive.json("info")["files"] == (2 if used else 0)
    assert archive("init") == 3
    assert archive("check") == 0
