"""What commands print and do on a small archive, without a robot."""

import os
import tomllib

from odarchive import config


def test_init_writes_an_archive_that_loads(cli):
    assert (
        cli("init", "--robot", "odjp", "--port", '/dev/"odd"\\\x01', "--drive", "sr:/dev/sr0", "--drive", "file:w") == 0
    )
    loaded = config.load(cli.root)
    assert (loaded.robot.driver, loaded.robot.port) == ("odjp", '/dev/"odd"\\\x01')
    assert [(drive.kind, drive.path) for drive in loaded.drives] == [("sr", "/dev/sr0"), ("file", "w")]


def test_init_shows_the_true_defaults(archive):
    """What is commented out in archive.toml is what holds without it."""
    text = (archive.root / "archive.toml").read_text()
    spelled = "\n".join(
        line.removeprefix("# ").split("  #")[0] for line in text.split("\n") if " = " in line or "[" in line
    )
    keys = tomllib.loads(
        "\n".join(
            line
            for line in spelled.split("\n")
            if "[drive]" not in line and "kind" not in line and "path =" not in line and "One block" not in line
        )
    )
    default = config.Config(root=archive.root)
    assert keys["robot"]["baud"] == default.robot.baud
    assert keys["paths"] == {"staging": "staging", "cache": "cache", "socket": "librarian.sock"}
    kept = {key: getattr(default, key) for key in ("keep_free", "keep_small", "keep_head")}
    assert keys["cache"] == {"bytes": default.cache_bytes, "read_ahead": default.read_ahead, **kept}
    assert keys["burn"] == {
        "copies": default.copies,
        "ecc": default.ecc,
        "parity": default.parity,
        "staging": "stream" if default.streamed else "file",
        "program": default.program,
        "speed": default.speed,
        "defects": default.defects,
    }
    assert keys["verify"] == {"renew_at": default.renew_at}
    assert keys["recall"] == {"deadline": default.deadline, "hold": default.hold}


def test_scan_plan_image(archive, source, tmp_path):
    scanned = archive.json("scan", source, "--as", "pictures")
    assert (scanned["name"], scanned["files"], scanned["new_bytes"], scanned["problems"]) == ("pictures", 2, 70_000, [])
    tried = archive.json("plan", "--media", "10MB", "--dry-run")
    assert (tried["new_bytes"], [segment["id"] for segment in tried["segments"]]) == (70_000, [None])
    assert archive.json("info")["segments"] == []
    planned = archive.json("plan", "--media", "10MB")
    assert (planned["new_bytes"], [segment["id"] for segment in planned["segments"]]) == (70_000, [1])
    assert archive.json("plan", "--media", "10MB")["segments"] == []
    images = archive.json("image", "all", "--out", tmp_path / "out")["images"]
    label = planned["segments"][0]["label"]
    assert [image["path"] for image in images] == [str(tmp_path / "out" / f"{label}.iso")]
    assert os.path.getsize(images[0]["path"]) == images[0]["bytes"]
    info = archive.json("info")
    assert [(line["label"], line["state"], line["copies"]) for line in info["segments"]] == [(label, "imaged", 0)]
    assert (info["files"], info["archived_files"], info["unplanned_bytes"]) == (2, 0, 0)
    assert archive("check") == 0
    assert archive.json("check") == {"sound": True, "violations": []}


def test_ls_and_whereis(archive, source):
    (source / os.fsdecode(b"odd\xff\n")).write_bytes(b"odd")
    assert archive("scan", source) == 0
    assert archive("ls", "photos") == 0
    assert archive.out == "empty/ *\nlink *\nodd\\xff\\n *\none.jpg *\ntwo.jpg *\n"
    assert archive("ls", "-l", "photos/one.jpg") == 0
    assert archive.out.startswith("-rw")
    entries = {entry["name"]: entry for entry in archive.json("ls", "/photos")["entries"]}
    assert entries["link"]["target"] == "one.jpg"
    assert entries["odd\udcff\n"]["name_b64"] == "b2Rk/wo="
    assert (entries["empty"]["kind"], entries["one.jpg"]["size"]) == ("directory", 30_000)
    found = archive.json("whereis", os.fsdecode(b"photos/odd\xff\n"))
    assert (found["copies"], found["pieces"], found["present"]) == (0, [], True)
    assert archive("plan", "--media", "10MB") == 0
    assert archive("whereis", "photos/one.jpg") == 0
    assert "segment 1" in archive.out
    assert "no disc yet" in archive.out


def test_scan_names_what_it_leaves_out(archive, source):
    os.mkfifo(source / "pipe")
    assert archive("scan", source) == 0  # nobody expects the bytes of a pipe
    assert "pipe" in archive.err
    assert archive.json("scan", source)["problem_count"] == 1


def test_names_with_underscores_and_options_in_both_places(archive, source, cli, monkeypatch):
    assert cli("scan", source, "-a", archive.root, archive=False) == 0
    monkeypatch.setenv("ODARCHIVE", str(archive.root))
    assert cli("--json", "info", archive=False) == 0
    assert cli.out.startswith("{")
