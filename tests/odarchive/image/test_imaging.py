"""Images of real trees, read back by others: extents, 7-Zip, xorriso, pycdlib, sha256sum, restore.py."""

import errno
import json
import os
import random
import subprocess
import sys
import time

import pytest
from blake3 import blake3
from planted import ARCHIVE, plant, rows
from pycdlib import PyCdlib
from sqlalchemy import insert, update

from odarchive.catalogue import grids, schema
from odarchive.chunks import CHUNK, chunk_digest
from odarchive.errors import BurnFailed, Locked, NoSpace, NotFound, OdarchiveError, SourceMissing, TryLater
from odarchive.image.identity import DiscIdentity
from odarchive.image.stamp import stamp
from odarchive.imaging import build as build_module
from odarchive.imaging import build_image, image_size, stream_image
from odarchive.media import BURN_UNIT, parse_medium
from odarchive.model import SECTOR
from odarchive.planning import make_plan
from tests.odarchive.hostile_trees import HOSTILE, hostile, read, snapshot

MEDIUM = parse_medium("2MB")


def build_all(catalogue, out, medium=MEDIUM):
    return [build_image(catalogue, segment.id, out) for segment in make_plan(catalogue, medium).segments]


def check_extents(catalogue, built):
    """Every recorded extent holds the content's bytes; split contents add up over their images."""
    by_label = {image.path.stem: image for image in built}
    labels = {row.id: row.label for row in rows(catalogue, schema.segment)}
    hashers = {row.id: blake3() for row in rows(catalogue, schema.content)}
    for piece in rows(catalogue, schema.piece, schema.piece.c.content, schema.piece.c.start):
        with by_label[labels[piece.segment]].path.open("rb") as file:
            file.seek(piece.sector * SECTOR)
            hashers[piece.content].update(file.read(piece.length))
    for row in rows(catalogue, schema.content):
        assert hashers[row.id].digest() == row.digest


def check_chunks(catalogue, built):
    """Every content of several chunks has a grid, and every chunk of it is on the images where it should be."""
    by_label = {image.path.stem: image for image in built}
    labels = {row.id: row.label for row in rows(catalogue, schema.segment)}
    pieces = rows(catalogue, schema.piece, schema.piece.c.content, schema.piece.c.start)
    checked = 0
    for content in rows(catalogue, schema.content):
        with catalogue.read() as connection:
            grid = grids.grid(connection, content.id, content.size)
        assert (grid is None) == (content.size <= CHUNK)
        for chunk in grid or ():
            piece = next(p for p in pieces if p.content == content.id and p.start <= chunk.start < p.start + p.length)
            with by_label[labels[piece.segment]].path.open("rb") as file:
                file.seek(piece.sector * SECTOR + chunk.start - piece.start)
                assert chunk_digest(file.read(chunk.length)) == chunk.digest
            checked += 1
    return checked


def unpack(image, folder):
    subprocess.run(["7z", "x", "-y", "-tudf", f"-o{folder}", image.path], check=True, capture_output=True)
    return folder


def test_a_hostile_tree_comes_back_from_its_discs_alone(catalogue, source, tmp_path):
    hostile(source)
    (source / "big").write_bytes(random.Random(1).randbytes(3_000_000))
    plant(catalogue, source)
    built = build_all(catalogue, tmp_path / "out")
    assert len(built) > 2
    assert all(image.left_out == () for image in built)
    check_extents(catalogue, built)
    assert check_chunks(catalogue, built) >= 3
    discs = [unpack(image, tmp_path / image.path.stem) for image in built]
    for disc in discs:
        checked = subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=disc, check=False)
        assert checked.returncode == 0
    script = discs[0] / "restore.py"
    command = [sys.executable, "-I", "-W", "error", script, "--to", tmp_path / "back", *reversed(discs)]
    subprocess.run(command, check=True, capture_output=True)
    want, have = snapshot(source), snapshot(tmp_path / "back" / "src")
    assert have == want


@pytest.mark.parametrize("later", [0, 1], ids=["the same clock", "a later clock"])
def test_a_segment_planned_anew_meanwhile_is_not_recorded_as_imaged(catalogue, source, tmp_path, later):
    (source / "one").write_bytes(b"1" * 300_000)
    plant(catalogue, source)
    now_ns = time.time_ns()
    make_plan(catalogue, MEDIUM, now_ns=now_ns)
    came = []

    def progress(done, size):
        if not came:
            folder = tmp_path / "more"
            folder.mkdir()
            (folder / "two").write_bytes(b"2" * 200_000)
            plant(catalogue, folder, name=b"more")
            came.append(make_plan(catalogue, MEDIUM, now_ns=now_ns + later).topped_up)

    with pytest.raises(TryLater, match="segment 1 was planned anew while its image was built; build it again"):
        build_image(catalogue, 1, tmp_path / "out", progress)
    assert came == [(1,)]
    assert list((tmp_path / "out").iterdir()) == []
    assert [row.state for row in rows(catalogue, schema.segment)] == ["planned"]
    built = build_image(catalogue, 1, tmp_path / "out")
    check_extents(catalogue, [built])
    assert all(row.sector for row in rows(catalogue, schema.piece))


def test_files_lie_under_their_own_names_and_links_share_an_extent(catalogue, source, tmp_path):
    hostile(source)
    plant(catalogue, source)
    (image,) = build_all(catalogue, tmp_path / "out", parse_medium("4MB"))
    data = unpack(image, tmp_path / "disc") / "DATA" / "src"
    for name in HOSTILE:
        if len(name) <= 253 and name != b"\xff\xfe":
            assert read(os.path.join(os.fsencode(data), name)) == name * 100
    mapped = sorted(path.name.split("~")[0] for path in data.iterdir() if path.name[-9:-8] == "~")
    assert mapped == ["__", "x" * 60, "é" * 30]
    iso = PyCdlib()
    iso.open(str(image.path))
    paths = [f"/DATA/src/{name}" for name in ("case", "hard", "equal", "sub/case")]
    assert len({iso.get_file_byte_extents(udf_path=path)[0] for path in paths}) == 1
    records = [iso.get_record(udf_path=path) for path in paths]
    assert [record.file_link_count for record in records] == [2, 2, 1, 1]
    times = [(r.mod_time.year, r.mod_time.second, r.mod_time.centiseconds) for r in records]
    assert times[:2] == [(1969, 54, 99)] * 2
    assert times[2][0] > 2000
    iso.close()


def test_rock_ridge_shows_the_same_tree_with_its_links(catalogue, source, tmp_path):
    hostile(source)
    plant(catalogue, source)
    (image,) = build_all(catalogue, tmp_path / "out", parse_medium("4MB"))
    folder = tmp_path / "rock"
    folder.mkdir()
    subprocess.run(["bsdtar", "-xpf", image.path, "-C", folder], check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0
    have, want = snapshot(folder / "DATA" / "src"), snapshot(source)
    entries = [json.loads(line) for line in (folder / "SET" / "entries.jsonl").read_text().splitlines()[1:]]
    raw = {e["path"].encode("utf-8", "surrogateescape"): e for e in entries}
    for path, (mode, mtime, target, data, first) in want.items():
        entry = raw[b"src/" + path if path != b"." else b"src"]
        place = os.path.relpath(entry.get("disc", "").encode(), b"DATA/src") if "disc" in entry else path
        found = have[place]
        assert (found[0], found[2], found[3]) == (mode, target, data)
        assert found[1] // 10**9 == mtime // 10**9
        assert ("rock-ridge:too-long" in entry.get("differs", ())) == (len(path.rsplit(b"/")[-1]) > 253)
        if first == path:
            assert found[4] == place


def test_the_disc_tells_where_its_bytes_are(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 5000)
    (source / "b").write_bytes(b"a" * 5000)
    plant(catalogue, source)
    (image,) = build_all(catalogue, tmp_path / "out")
    disc = unpack(image, tmp_path / "disc")
    document = json.loads((disc / "catalogue.json").read_bytes())
    ((digest, record),) = document["files"].items()
    assert document["version"] == 3
    assert digest == blake3(b"a" * 5000).hexdigest()
    assert record["filenames"] == {"/DATA/src/a": None, "/DATA/src/b": None}
    assert record["size"] == 5000
    with image.path.open("rb") as file:
        file.seek(record["sector"] * SECTOR)
        assert file.read(5000) == b"a" * 5000
    readme = (disc / "README.MD").read_text()
    assert "TEST_0001" in readme
    assert "sha256sum -c" in readme
    packed = subprocess.run(["gzip", "-dc", disc / "SET" / "catalogue.jsonl.gz"], capture_output=True, check=True)
    lines = [json.loads(line) for line in packed.stdout.splitlines()]
    assert {line.get("table") for line in lines[1:]} >= {"archive", "source", "snapshot", "segment", "content", "entry"}


def test_the_image_ends_with_an_anchor_on_a_burn_unit(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 5000)
    plant(catalogue, source)
    (image,) = build_all(catalogue, tmp_path / "out")
    assert image.size == image.path.stat().st_size
    assert image.size % BURN_UNIT == 0
    shown = subprocess.run(["udfinfo", image.path], capture_output=True, text=True, check=True).stdout
    assert "start=256, blocks=1, type=ANCHOR" in shown
    assert f"start={image.size // SECTOR - 1}, blocks=1, type=ANCHOR" in shown
    assert image.digest == blake3(image.path.read_bytes()).digest()
    (segment,) = rows(catalogue, schema.segment)
    assert (segment.state, segment.image_size, segment.image_digest) == ("imaged", image.size, image.digest)


@pytest.mark.parametrize("seed", range(8))
def test_an_image_has_the_size_that_was_planned(catalogue, source, tmp_path, seed):
    chance = random.Random(seed)
    folders = [os.fsencode(source)]
    for _ in range(chance.randrange(1, 40)):
        path = os.path.join(chance.choice(folders), name_of(chance))
        if len(path) < 900 and not os.path.lexists(path):
            os.makedirs(path)
            folders.append(path)
    for _ in range(chance.randrange(1, 400)):
        path = os.path.join(chance.choice(folders), name_of(chance))
        if not os.path.lexists(path):
            kind = chance.random()
            if kind < 0.1:
                os.symlink(name_of(chance), path)  # noqa: PTH211  names are bytes
            else:
                with open(path, "wb") as file:
                    file.write(chance.randbytes(chance.choice([0, 1, 700, 2048, 2049, chance.randrange(60_000)])))
    plant(catalogue, source)
    segments = make_plan(catalogue, parse_medium("6MB")).segments
    built = [build_image(catalogue, segment.id, tmp_path / "out") for segment in segments]
    for segment, image in zip(segments, built, strict=True):
        assert image.size == segment.planned_bytes <= segment.capacity
        assert image.left_out == ()
    check_extents(catalogue, built)


def test_the_same_plan_gives_the_same_bytes(catalogue, source, tmp_path):
    hostile(source)
    plant(catalogue, source)
    make_plan(catalogue, parse_medium("4MB"))
    first, second = (build_image(catalogue, 1, tmp_path / str(number)) for number in (1, 2))
    assert read(first.path) == read(second.path)
    assert first.digest == second.digest


DISC = "9f8e7d6c-1111-4222-8333-444444444444"


def test_streamed_and_staged_images_are_the_same_bytes(catalogue, source, tmp_path):
    hostile(source)
    (source / "large").write_bytes(random.Random(1).randbytes(700_000))
    plant(catalogue, source)
    make_plan(catalogue, parse_medium("5MB"))
    with stream_image(catalogue, 1, tmp_path / "scratch", disc=DISC, label="TEST_0001_2") as image:
        assert image_size(catalogue, 1, tmp_path / "scratch") == image.size
        out = os.open(tmp_path / "streamed", os.O_WRONLY | os.O_CREAT)
        image.write_to(out)
        os.close(out)
        assert list((tmp_path / "scratch").iterdir()) == []
    staged = build_image(catalogue, 1, tmp_path / "out")
    stamp(staged.path, DiscIdentity(ARCHIVE, DISC, "TEST_0001_2"))
    assert read(tmp_path / "streamed") == read(staged.path)
    assert blake3(read(staged.path)).digest() == image.digest


def test_a_source_that_changes_while_it_streams_spoils_the_stream(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 5000)
    (source / "b").write_bytes(b"b" * 5000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    with stream_image(catalogue, 1, tmp_path) as image:
        (source / "b").write_bytes(b"b" * 6000)
        out = os.open(tmp_path / "streamed", os.O_WRONLY | os.O_CREAT)
        with pytest.raises(BurnFailed, match="changed while it was burned"):
            image.write_to(out)
        os.close(out)
        assert (tmp_path / "streamed").stat().st_size == image.size
    with stream_image(catalogue, 1, tmp_path) as image:
        assert [left.path for left in image.left_out] == [b"src/b"]


def name_of(chance):
    kind = chance.randrange(4)
    length = chance.choice([1, 3, 8, 20, 60, 120, 255])
    if kind == 0:
        return bytes(chance.choice(b"abcdefgh012~.-") for _ in range(length)).replace(b".", b"x", 1) or b"y"
    if kind == 1:
        return bytes(chance.choice([b for b in range(1, 256) if b != 47]) for _ in range(length)) + b"z"[: 255 - length]
    if kind == 2:
        return "".join(chance.choice('日本語ß€\U0001f4bf"\\\n') for _ in range(max(length // 4, 1))).encode()
    return b"%d" % chance.randrange(10**9)


# What goes wrong.


def test_what_vanished_or_changed_is_left_out_reported_and_planned_again(catalogue, source, tmp_path):
    for name in ("stays", "goes", "grows", "link"):
        (source / name).write_bytes(name.encode() * 1000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    (source / "goes").unlink()
    (source / "grows").write_bytes(b"grown" * 1000)
    (source / "link").rename(source / "elsewhere")
    (source / "link").symlink_to("elsewhere")
    image = build_image(catalogue, 1, tmp_path / "out")
    assert sorted(left.path for left in image.left_out) == [b"src/goes", b"src/grows", b"src/link"]
    assert all("\n" not in str(left) for left in image.left_out)
    assert len(rows(catalogue, schema.piece)) == 1
    (segment,) = rows(catalogue, schema.segment)
    assert segment.payload_bytes == 5000
    disc = unpack(image, tmp_path / "disc")
    assert [path.name for path in (disc / "DATA" / "src").iterdir()] == ["stays"]
    assert make_plan(catalogue, MEDIUM, dry_run=True).new_bytes == 4000 + 5000 + 4000


def test_bytes_that_changed_behind_an_unchanged_stat_never_get_onto_a_disc(catalogue, source, tmp_path):
    for name in ("a", "b"):
        (source / name).write_bytes(name.encode() * 5000)
    (source / "big").write_bytes(b"0" * 3_000_000)
    plant(catalogue, source)
    make_plan(catalogue, parse_medium("2MB"))
    for name, size in (("a", 5000), ("big", 3_000_000)):
        about = (source / name).stat()
        (source / name).write_bytes(b"x" * size)
        os.utime(source / name, ns=(about.st_atime_ns, about.st_mtime_ns))
    left = []
    for segment in rows(catalogue, schema.segment):
        try:
            left += build_image(catalogue, segment.id, tmp_path / "out").left_out
        except SourceMissing:
            left.append(segment.id)
    assert any(getattr(one, "path", None) == b"src/a" and "other bytes" in one.reason for one in left)
    (piece,) = rows(catalogue, schema.piece)
    assert piece.length == 5000


def test_another_name_of_the_content_serves(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"same" * 1000)
    (source / "b").write_bytes(b"same" * 1000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    (source / "a").unlink()
    image = build_image(catalogue, 1, tmp_path / "out")
    assert image.left_out == ()
    assert {path.name for path in (unpack(image, tmp_path / "disc") / "DATA" / "src").iterdir()} == {"a", "b"}


def test_a_symlink_in_the_path_is_not_followed(catalogue, source, tmp_path):
    (source / "dir").mkdir()
    (source / "dir" / "a").write_bytes(b"a" * 3000)
    (source / "stays").write_bytes(b"s" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    (source / "dir").rename(tmp_path / "moved")
    (source / "dir").symlink_to(tmp_path / "moved")
    assert [left.path for left in build_image(catalogue, 1, tmp_path / "out").left_out] == [b"src/dir/a"]


@pytest.mark.parametrize("how", ["removed", "empty"])
def test_a_source_that_is_not_connected_is_an_error_and_changes_nothing(catalogue, source, tmp_path, how):
    (source / "a").write_bytes(b"a" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    source.rename(tmp_path / "unplugged")
    if how == "empty":
        source.mkdir()
    with pytest.raises(SourceMissing, match="connect its drive"):
        build_image(catalogue, 1, tmp_path / "out")
    assert len(rows(catalogue, schema.piece)) == 1


def test_a_segment_of_which_nothing_is_left_is_gone(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 3000)
    (source / "other").write_bytes(b"b")
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    with catalogue.write() as connection:
        connection.execute(update(schema.entry).where(schema.entry.c.carrier.is_not(None)).values(carrier=0))
    (source / "a").unlink()
    (source / "other").unlink()
    (source / "new").touch()
    with pytest.raises(SourceMissing, match="scan its sources again"):
        build_image(catalogue, 1, tmp_path / "out")
    assert rows(catalogue, schema.segment) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(catalogue, source, tmp_path, monkeypatch):
    (source / "a").write_bytes(b"a" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NoSpace, match=r"staging in .* is full"):
            build_image(catalogue, 1, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 10, 10, 10, 0, 0, 0, 0, 255)))
        with pytest.raises(NoSpace, match="40960 bytes free"):
            build_image(catalogue, 1, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert rows(catalogue, schema.segment)[0].state == "planned"
    build_image(catalogue, 1, tmp_path / "out")


def test_names_beyond_the_medium_are_an_error(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    with catalogue.write() as connection:
        connection.execute(update(schema.segment).values(capacity=600_000))
    with pytest.raises(OdarchiveError, match="its medium holds 589824"):
        build_image(catalogue, 1, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_names_that_came_after_the_plan_are_not_crammed_in(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    (tmp_path / "copy").mkdir()
    for number in range(100):
        (tmp_path / "copy" / f"{number}").write_bytes(b"a" * 3000)
    plant(catalogue, tmp_path / "copy", name=b"copy")
    image = build_image(catalogue, 1, tmp_path / "out")
    assert [path.name for path in (unpack(image, tmp_path / "disc") / "DATA").iterdir()] == ["src"]


def test_an_image_may_be_built_again_until_a_disc_carries_it(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    first = build_image(catalogue, 1, tmp_path / "out")
    second = build_image(catalogue, 1, tmp_path / "out")
    assert (first.path, first.size) == (second.path, second.size)
    disc = {"uuid": "u", "segment": 1, "label": "X", "image_size": 1, "digest": b"", "created_ns": 1}
    with catalogue.write() as connection:
        connection.execute(insert(schema.disc).values(**disc, state="intended"))
    for state, error in (("intended", TryLater), ("written", TryLater), ("verified", OdarchiveError)):
        with catalogue.write() as connection:
            connection.execute(update(schema.disc).values(state=state))
        with pytest.raises(error, match="segment 1"):
            build_image(catalogue, 1, tmp_path / "out")
        assert rows(catalogue, schema.segment)[0].state == "imaged"
    with catalogue.write() as connection:
        connection.execute(update(schema.disc).values(state="spoiled"))
    build_image(catalogue, 1, tmp_path / "out")


def test_two_builds_of_one_image_do_not_meet(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 3000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    (tmp_path / "out").mkdir()
    held = build_module._temporary(tmp_path / "out" / ".TEST_0001.iso.tmp")
    with held, pytest.raises(Locked, match="another process is building"):
        build_image(catalogue, 1, tmp_path / "out")
    build_image(catalogue, 1, tmp_path / "out")


def test_a_segment_that_is_none_is_not_found(catalogue, tmp_path):
    with pytest.raises(NotFound, match="no segment 7"):
        build_image(catalogue, 7, tmp_path / "out")


def test_progress_reaches_the_end(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"a" * 300_000)
    plant(catalogue, source)
    make_plan(catalogue, MEDIUM)
    told = []
    image = build_image(catalogue, 1, tmp_path / "out", lambda done, total: told.append((done, total)))
    assert told[-1] == (image.size, image.size)
    assert told == sorted(told)
