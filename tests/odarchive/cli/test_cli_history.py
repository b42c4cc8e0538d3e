"""Commands that look back: snapshots, ls --snapshot, diff, history, find, forget, prune."""

import os


def test_looking_back(archive, source):
    assert archive("scan", source) == 0
    (source / "one.jpg").rename(source / "moved.jpg")
    (source / os.fsdecode(b"odd\xff.txt")).write_bytes(b"odd")
    assert archive("scan", source) == 0
    listed = archive.json("snapshots")["snapshots"]
    assert [(one["id"], one["files"], one["new_bytes"], one["forgotten"]) for one in listed] == [
        (1, 2, 70_000, False),
        (2, 3, 3, False),
    ]
    assert archive("snapshots") == 0
    assert len(archive.out.splitlines()) == 2
    assert "one.jpg" in [one["name"] for one in archive.json("ls", "photos", "--snapshot", "last-1")["entries"]]
    assert "one.jpg" not in [one["name"] for one in archive.json("ls", "photos")["entries"]]
    changes = archive.json("diff", "1", "2")["changes"]
    assert [(one["kind"], one["path"]) for one in changes if one["kind"] != "attributes"] == [
        ("moved", "photos/moved.jpg"),
        ("added", "photos/odd\udcff.txt"),
    ]
    assert archive("diff") == 0
    assert "> photos/one.jpg -> photos/moved.jpg" in archive.out
    versions = archive.json("history", "photos/one.jpg")["versions"]
    assert [(one["since"], one["until"], one["size"]) for one in versions] == [(1, 2, 30_000)]
    assert archive("history", "photos/two.jpg") == 0
    assert "to now" in archive.out
    assert archive("history", "nowhere") == 16
    assert archive("ls", "photos", "--snapshot", "9") == 16


def test_find(archive, source):
    assert archive("scan", source) == 0
    assert [one["path"] for one in archive.json("find", "*.jpg")["found"]] == ["photos/one.jpg", "photos/two.jpg"]
    assert archive("find", "two", "photos") == 0
    assert archive.out == "photos/two.jpg *\n"
    assert archive("find", "nothing") == 0
    assert archive("find", "-") == 3


def test_forget_and_prune(archive, source):
    assert archive("scan", source) == 0
    assert archive("plan", "--media", "10MB") == 0
    assert archive.json("forget", "photos/one.jpg", "--dry-run")["names"] == [{"path": "photos/one.jpg", "files": 1}]
    assert archive("ls", "photos/one.jpg") == 0
    assert archive("forget", "photos/one.jpg") == 0
    assert archive("ls", "photos/one.jpg") == 16
    assert archive("scan", source) == 0
    assert archive("ls", "photos/one.jpg") == 16
    assert archive.json("forget", "--list")["forgotten"] == [{"path": "photos/one.jpg"}]
    assert archive.json("prune", "--below", "100")["segments"] == []
    assert archive("forget", "--snapshot", "1") == 0
    (segment,) = archive.json("prune", "--below", "90")["segments"]
    assert (segment["present_bytes"], segment["dead_bytes"]) == (40_000, 30_000)
    assert archive("prune") == 0
    assert archive.out == ""
    assert [one["id"] for one in archive.json("snapshots")["snapshots"]] == [2, 3]
    assert archive("forget", "photos/one.jpg", "--undo") == 0
    assert archive.json("scan", source)["new_bytes"] == 0
    assert archive("ls", "photos/one.jpg") == 0
    assert archive("forget") == 2
    assert archive("check") == 0
