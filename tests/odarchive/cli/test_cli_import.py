"""``import`` from the command line: discs of other programs, another archive."""

import hashlib
import json

from odarchive.cli import main


def disc(folder, **files):
    (folder / "DATA").mkdir(parents=True)
    records = {}
    for name, data in files.items():
        (folder / "DATA" / name).write_bytes(data)
        record = {"filenames": {f"/DATA/{name}": None}, "size": len(data), "mtime": "2015-02-01T10:00:00"}
        records[hashlib.sha512(data).hexdigest()] = record
    document = {"version": 2, "iso_path_root": "/DATA", "job_name": "old", "files": records}
    (folder / "catalogue.json").write_text(json.dumps(document))
    return folder


def test_a_disc_of_the_ancestor(archive, source, tmp_path):
    folder = disc(tmp_path / "mnt", a=b"1" * 30_000, b=b"good", c=b"spoil")
    (folder / "DATA" / "c").write_bytes(b"SPOIL")
    told = archive.json("import", folder, "--read")
    assert (told["files"], told["read"], told["discs"]) == (2, 2, ["old"])
    assert [one["path"] for one in told["damaged"]] == ["c"]
    assert archive("import", folder) == 3
    assert "already" in archive.err
    found = archive.json("whereis", "old/a")
    assert found["other_discs"] == [{"label": "old", "path": "DATA/a", "read": True}]
    assert archive("whereis", "old/a") == 0
    assert "read there and right" in archive.out
    assert archive("scan", source) == 0
    assert archive.json("plan", "--media", "10MB", "--dry-run")["new_bytes"] == 40_000  # one.jpg is on that disc
    assert archive("check") == 0


def test_checksum_files_and_what_is_none(archive, tmp_path):
    folder = tmp_path / "disc"
    folder.mkdir()
    (folder / "f").write_bytes(b"f")
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(b'f').hexdigest()}  f\n")
    assert archive.json("import", folder, "--as", "old/1", "--label", "BOX 1")["discs"] == ["BOX 1"]
    (folder / "f").unlink()
    assert archive("import", folder, "--as", "old/2") == 3
    assert "import them from the mounted disc" in archive.err
    (folder / "SHA256SUMS").write_text("nonsense\n")
    assert archive("import", folder, "--as", "old/3") == 5
    assert "line 1" in archive.err
    assert archive("import", tmp_path) == 12
    assert [one["name"] for one in archive.json("ls", "old")["entries"]] == ["1"]


def test_another_archive(archive, source, tmp_path):
    other = tmp_path / "small"
    assert main(["init", str(other)]) == 0
    assert main(["-a", str(other), "scan", str(source)]) == 0
    assert archive.json("import", other, "--as", "friends")["sources"] == [{"name": "friends/photos"}]
    assert archive.json("info")["files"] == 2
    assert archive("import", other, "--as", "friends") == 3
    assert archive("check") == 0
