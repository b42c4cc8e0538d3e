"""restore.py as it stands on every disc: from images and folders, in any order, and against discs that lie."""

import gzip
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from planted import plant
from sqlalchemy import update

from odarchive.catalogue import schema
from odarchive.image import restore_script
from odarchive.imaging import build_image
from odarchive.media import parse_medium
from odarchive.planning import make_plan
from tests.odarchive.hostile_trees import hostile, snapshot
from tests.odarchive.image.test_imaging import unpack

SCRIPT = Path(restore_script.__file__)
DIGEST = "ab" * 32


def restore(target, *arguments, answers=""):
    command = [sys.executable, "-I", "-W", "error", SCRIPT, "--to", target, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=answers)


def build_all(catalogue, out, medium):
    return [build_image(catalogue, segment.id, out).path for segment in make_plan(catalogue, medium).segments]


@pytest.fixture
def images(catalogue, source, tmp_path):
    """A hostile tree with a file that lies on more than three discs."""
    hostile(source)
    (source / "big").write_bytes(random.Random(1).randbytes(4_000_000))
    os.link(source / "big", source / "sub" / "big too")
    plant(catalogue, source)
    built = build_all(catalogue, tmp_path / "out", parse_medium("2MB"))
    assert len(built) > 4
    return built


@pytest.mark.parametrize("seed", range(3))
def test_images_in_any_order_give_the_tree_back(images, source, tmp_path, seed):
    random.Random(seed).shuffle(images)
    done = restore(tmp_path / "back", *images)
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path / "back" / "src") == snapshot(source)
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["src"]


def test_folders_and_images_one_after_the_other(images, source, tmp_path):
    discs = [unpack_of(image, tmp_path) if number % 2 else image for number, image in enumerate(images)]
    for number, disc in enumerate(discs):
        done = restore(tmp_path / "back", disc)
        missing = [image.stem for image in images[number + 1 :]]
        needed = f" files need disc {' and '.join(missing)}\n"
        assert needed in done.stderr if missing else done.stderr == ""
    assert snapshot(tmp_path / "back" / "src") == snapshot(source)


def unpack_of(image, tmp_path):
    class Built:
        path = image

    return unpack(Built, tmp_path / image.stem)


def test_a_person_is_asked_for_each_disc_once(images, source, tmp_path):
    drive = tmp_path / "drive"
    order = [images[2], images[2], images[0], *images[3:], images[1]]
    done = restore(tmp_path / "back", "--ask", drive, answers="".join(f"{image}\n" for image in order))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("read already") == 1
    wanted = re.findall("Wanted: (.*)", done.stdout)
    assert len(wanted) == len(order)
    assert [len(line.split(", ")) for line in wanted[2:]] == sorted(
        (len(line.split(", ")) for line in wanted[2:]), reverse=True
    )
    assert snapshot(tmp_path / "back" / "src") == snapshot(source)


def test_what_is_missing_is_counted_by_disc_and_the_rest_is_restored(images, source, tmp_path):
    done = restore(tmp_path / "back", *images[:-1])
    assert done.returncode == 1
    assert f"need disc {images[-1].stem}" in done.stderr
    want, have = snapshot(source), snapshot(tmp_path / "back" / "src")
    assert have.items() <= want.items() or {k: v for k, v in have.items() if v != want[k]}.keys() <= {b"."}
    done = restore(tmp_path / "back", images[-1])
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path / "back" / "src") == want


def test_the_newest_disc_knows_what_was_renamed_changed_and_deleted(catalogue, source, tmp_path):
    for name in ("stays", "renamed", "changed", "deleted"):
        (source / name).write_bytes(name.encode() * 1000)
    plant(catalogue, source)
    first = build_all(catalogue, tmp_path / "out", parse_medium("2MB"))
    with catalogue.write() as connection:
        entry = schema.entry
        connection.execute(update(schema.snapshot).values(id=7))
        connection.execute(update(entry).where(entry.c.since == 1).values(since=7))
    rescan(catalogue, source)
    second = build_all(catalogue, tmp_path / "out", parse_medium("2MB"))
    for order in ([*first, *second], [*second, *first]):
        target = tmp_path / f"back{order[0].stem}"
        done = restore(target, *order)
        assert (done.returncode, done.stderr) == (0, "")
        found = {path.name: path.read_bytes() for path in (target / "src").iterdir()}
        assert found == {"stays": b"stays" * 1000, "new name": b"renamed" * 1000, "changed": b"x" * 999}


def rescan(catalogue, source):
    """What a second scan records: one name closed for good, one under a new name, one with new bytes."""
    (source / "changed").write_bytes(b"x" * 999)
    from blake3 import blake3
    from planted import content_id
    from sqlalchemy import insert, select

    entry, now = schema.entry.c, (source / "changed").stat()
    with catalogue.write() as connection:
        connection.execute(
            insert(schema.snapshot).values(
                id=8, source=1, state="complete", started_ns=now.st_mtime_ns, finished_ns=now.st_mtime_ns
            )
        )
        rows = {row.name: dict(row._mapping) for row in connection.execute(select(schema.entry))}
        for name in (b"renamed", b"changed", b"deleted"):
            connection.execute(update(schema.entry).where(entry.name == name).values(until=8))
        connection.execute(insert(schema.entry).values(**rows[b"renamed"] | {"since": 8, "name": b"new name"}))
        content = content_id(connection, blake3(b"x" * 999).digest(), 999)
        fresh = {"since": 8, "content": content, "size": 999, "mtime_ns": now.st_mtime_ns, "ino": 999}
        connection.execute(insert(schema.entry).values(**rows[b"changed"] | fresh))


def test_damage_fails_one_file_by_name(images, source, tmp_path):
    (disc,) = [unpack_of(image, tmp_path) for image in images[-1:]]
    victim = next(path for path in sorted(disc.rglob("*")) if path.is_file() and "DATA" in path.parts)
    victim.write_bytes(b"?" + victim.read_bytes()[1:])
    done = restore(tmp_path / "back", *images[:-1], disc)
    assert done.returncode == 1
    assert "its bytes are damaged on this disc" in done.stderr
    assert re.search(r"^[12] files need another copy of ", done.stderr, re.MULTILINE), done.stderr
    whole = restore(tmp_path / "back", images[-1])
    assert (whole.returncode, whole.stderr) == (0, "")
    assert snapshot(tmp_path / "back" / "src") == snapshot(source)


@pytest.mark.parametrize("name", ["catalogue.json", "SET/entries.jsonl", "SET/catalogue.jsonl.gz"])
def test_a_damaged_description_fails_its_disc(images, tmp_path, name):
    disc = unpack_of(images[0], tmp_path)
    (disc / name).write_bytes((disc / name).read_bytes()[:-9])
    done = restore(tmp_path / "back", disc)
    assert done.returncode == 1
    assert f"disc {disc}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"", b"x" * 100_000, b"\0" * 40_000 + b"\1CD001\1" + b"\xff" * 9000])
def test_what_is_no_disc_is_said(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    done = restore(tmp_path / "back", tmp_path / "file")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


# Discs that lie.


def lying(folder, entries=(), files=None, rows=()):
    """A disc of any lies whose own sums are right."""
    (folder / "SET").mkdir(parents=True)
    (folder / "DATA").mkdir()
    (folder / "DATA" / "f").write_bytes(b"evil")
    about = {"job_id": 1, "job_name": "A", "files": files or {}}
    texts = {
        "catalogue.json": json.dumps(about).encode(),
        "SET/entries.jsonl": b"".join(json.dumps(entry).encode() + b"\n" for entry in entries),
    }
    if rows:
        texts["SET/catalogue.jsonl.gz"] = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    sums = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in texts.items())
    (folder / "SHA256SUMS").write_text(sums)
    return folder


def entry(path, kind="file", **more):
    found = {"path": path, "type": kind, "mode": "644", "uid": 0, "gid": 0, "mtime_ns": 0, "ino": 5, "size": 4}
    return found | ({"blake3": DIGEST} if kind == "file" else {}) | more


def content(name="/DATA/f", **more):
    evil = hashlib.sha256(b"evil").hexdigest()
    return {"size": 4, "sector": 0, "sha256": evil, "filenames": {name: None}} | more


@pytest.mark.parametrize("path", ["../out", "/../out", "a/../../out", "..", "a//b", "", ".", ".restore/x", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path, path):
    disc = lying(tmp_path / "disc", [entry(path), entry("good", ino=6)], {DIGEST: content()})
    done = restore(tmp_path / "in" / "back", disc)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "in" / "out").exists()
    assert (tmp_path / "in" / "back" / "good").read_bytes() == b"evil"
    assert {path.name for path in tmp_path.iterdir()} == {"disc", "in"}


def test_nothing_is_written_through_a_symlink(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    links = [
        entry("a", "symlink", target=str(tmp_path / "victim")),
        entry("b", "symlink", target=str(tmp_path / "file")),
    ]
    disc = lying(tmp_path / "disc", [*links, entry("a/f"), entry("good", ino=6)], {DIGEST: content()})
    back = tmp_path / "back"
    restore(back, disc)
    for name in ("x", "y"):
        (back / name).symlink_to(tmp_path / "victim")
    (back / "z").symlink_to(tmp_path / "file")
    disc = lying(tmp_path / "second", [entry("x/f"), entry("y", "dir"), entry("z", ino=7)], {DIGEST: content()})
    done = restore(back, disc)
    assert done.returncode == 1
    assert list((tmp_path / "victim").iterdir()) == []
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert not (back / "z").is_symlink()


@pytest.mark.parametrize(
    "files",
    [
        {"../../out": content()},
        {"AB" * 32: content()},
        {DIGEST: content("/../../etc/hostname")},
        {DIGEST: content("/DATA/../../secret")},
        {DIGEST: content(parts=[content() | {"start": 1 << 60, "length": 4}])},
        {DIGEST: content(parts=[content() | {"start": -4, "length": 4}])},
        {DIGEST: content(size=1 << 50)},
        {DIGEST: content(size="4")},
        {DIGEST: content(filenames={})},
        {DIGEST: 7},
        {DIGEST: content(sha256="0" * 64)},
    ],
)
def test_lies_about_contents_are_refused(tmp_path, files):
    (tmp_path / "secret").write_bytes(b"evil")
    disc = lying(tmp_path / "disc", [entry("file")], files)
    done = restore(tmp_path / "back", disc)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "back" / "file").exists()
    assert not (tmp_path / "out").exists()
    assert sum(path.stat().st_blocks for path in (tmp_path / "back").rglob("*")) < 1000


def test_a_lie_about_one_content_fails_that_one(tmp_path):
    lie = content(parts=[content() | {"start": 0.0, "length": 4}])
    disc = lying(
        tmp_path / "disc",
        [entry("file"), entry("other", ino=6, blake3="cd" * 32)],
        {"cd" * 32: lie, DIGEST: content(sector=1)},
    )
    done = restore(tmp_path / "back", disc)
    assert done.returncode == 1
    assert "disc A: /DATA/f: 'float' object" in done.stderr
    assert (tmp_path / "back" / "file").read_bytes() == b"evil"
    assert not (tmp_path / "back" / "other").exists()


def test_a_catalogue_of_directories_in_a_ring_ends(tmp_path):
    base = {"table": "entry", "since": 0, "mode": 0o40755, "uid": 0, "gid": 0, "size": 0, "mtime_ns": 0}
    rows = [
        base | {"parent": 0, "name": "", "ino": 1},
        base | {"parent": 3, "name": "a", "ino": 2},
        base | {"parent": 2, "name": "b", "ino": 3},
        base | {"parent": 1, "name": "good", "ino": 4},
        base | {"parent": 3, "name": "lost", "ino": 5},
    ]
    done = restore(tmp_path / "back", lying(tmp_path / "disc", rows=rows))
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["good"]


def test_it_runs_without_this_project(images, source, tmp_path):
    """Copied from the disc, with nothing of the project on its path, in the oldest Python it promises."""
    disc = unpack_of(images[0], tmp_path)
    assert (disc / "restore.py").read_bytes() == SCRIPT.read_bytes()
    text = SCRIPT.read_text()
    assert "odarchive." not in "".join(line for line in text.splitlines() if line.startswith(("import", "from")))
    compile(text, "restore.py", "exec", dont_inherit=True)
    import ast

    ast.parse(text, feature_version=(3, 9))
