"""Encrypted discs: deterministic, as large as planned, checked without the key, opened with it and by plain tools."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from planted import plant
from sqlalchemy import insert, update

from odarchive.catalogue import fixity, schema
from odarchive.errors import OdarchiveError
from odarchive.image import restore_script, unseal_script
from odarchive.imaging import build_image, stream_image
from odarchive.media import parse_medium
from odarchive.model import SegmentState
from odarchive.offline.disc import catalogue_of, open_disc
from odarchive.offline.proof import prove
from odarchive.planning import make_plan
from odarchive.seal import keys
from tests.odarchive.hostile_trees import hostile, snapshot
from tests.odarchive.image.test_imaging import unpack

SECRETS = ("emoji", "größe", "level3", "dangling", "src/")


@pytest.fixture
def key(catalogue, tmp_path):
    """The catalogue's archive is encrypted to this key and another."""
    recipients = [keys.new_identity(tmp_path / name, created="today") for name in ("other", "key")]
    with catalogue.write() as connection:
        connection.execute(insert(schema.archive).values(key="recipients", value=" ".join(recipients)))
    return tmp_path / "key"


@pytest.fixture
def built(catalogue, source, tmp_path, key):
    hostile(source)
    (source / "big").write_bytes(random.Random(1).randbytes(4_000_000))
    plant(catalogue, source)
    plan = make_plan(catalogue, parse_medium("2500kB"))
    made = []
    for segment in plan.segments:
        made.append(build_image(catalogue, segment.id, tmp_path / "out"))
        assert made[-1].size == segment.planned_bytes
    assert len(made) > 2
    return made


@pytest.fixture
def scripts(tmp_path):
    """restore.py and unseal.py as they lie on a disc."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    shutil.copy(restore_script.__file__, folder / "restore.py")
    shutil.copy(unseal_script.__file__, folder / "unseal.py")
    return folder


def restore(folder, *arguments):
    command = [sys.executable, "-I", "-W", "error", folder / "restore.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_built_again_and_streamed_the_bytes_are_the_same(catalogue, source, tmp_path, key):
    hostile(source)
    plant(catalogue, source)
    (segment,) = make_plan(catalogue, parse_medium("cd")).segments
    one = build_image(catalogue, segment.id, tmp_path / "out")
    assert build_image(catalogue, segment.id, tmp_path / "again").digest == one.digest
    with stream_image(catalogue, segment.id, tmp_path / "scratch") as streamed, (tmp_path / "s").open("wb") as out:
        streamed.write_to(out.fileno())
    assert (tmp_path / "s").read_bytes() == one.path.read_bytes()


def test_nothing_on_the_disc_tells_a_name_or_a_byte(built, source):
    for one in built:
        image = one.path.read_bytes()
        for word in (*SECRETS, keys.text_of(bytes(32))[:16]):
            if word != "AGE-SECRET-KEY-1":
                assert word.encode() not in image, word
            assert word.encode("utf-16-be") not in image, word
        assert (source / "big").read_bytes()[1000:1032] not in image


def test_sha256sum_and_age_suffice(built, tmp_path, key):
    disc = unpack(built[0], tmp_path / "disc")
    subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=disc, check=True)
    assert "age -d" in (disc / "README.MD").read_text()
    listed = subprocess.run(["age", "-d", "-i", key, disc / "SET/entries.jsonl.age"], capture_output=True, check=True)
    seen = 0
    for line in listed.stdout.splitlines()[1:]:
        entry = json.loads(line)
        if entry["type"] == "file" and entry.get("disc"):
            plain = subprocess.run(["age", "-d", "-i", key, disc / entry["disc"]], capture_output=True, check=True)
            assert len(plain.stdout) == entry["size"]
            seen += 1
    assert seen > 0


@pytest.mark.parametrize("seed", range(2))
def test_restore_py_with_the_key_gives_the_tree_back(built, source, tmp_path, key, scripts, seed):
    images = [one.path for one in built]
    random.Random(seed).shuffle(images)
    discs = [unpack(one, tmp_path / one.path.stem) if one.path == images[0] else one.path for one in built]
    done = restore(scripts, "--to", tmp_path / "back", "--key", key, *discs)
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path / "back" / "src") == snapshot(source)


def test_restore_py_without_or_with_a_wrong_key_says_what_to_do(built, tmp_path, scripts):
    keys.new_identity(tmp_path / "wrong", created="")
    done = restore(scripts, "--to", tmp_path / "back", built[0].path)
    assert (done.returncode, "--key FILE" in done.stderr) == (1, True)
    done = restore(scripts, "--to", tmp_path / "back", "--key", tmp_path / "wrong", built[0].path)
    assert (done.returncode, "the key does not fit" in done.stderr) == (1, True)
    (scripts / "unseal.py").unlink()
    done = restore(scripts, "--to", tmp_path / "back", "--key", tmp_path / "wrong", built[0].path)
    assert (done.returncode, "unseal.py must lie beside" in done.stderr) == (1, True)


def test_one_damaged_header_fails_one_file(built, source, tmp_path, key, scripts):
    """A character that base64 does not have, at the header's place for the ephemeral key."""
    with contextlib.closing(open_disc(built[0].path)) as disc:
        piece = catalogue_of(disc).contents[0]
    with built[0].path.open("r+b") as file:
        at = piece.sector * 2048
        file.seek(at)
        head = file.read(100)
        assert head.startswith(b"age-encryption.org/v1\n-> X25519 ")
        file.seek(at + head.index(b"X25519 ") + 10)
        file.write(b"!")
    done = restore(scripts, "--to", tmp_path / "back", "--key", key, *(one.path for one in built))
    assert done.returncode == 1
    assert "header is damaged" in done.stderr
    lost = snapshot(source).keys() - snapshot(tmp_path / "back" / "src").keys()
    assert len(lost) == 1, (lost, done.stderr)


def test_discs_are_proven_without_a_key_and_damage_is_named(built, catalogue):
    for number, one in enumerate(built, 1):
        disc = open_disc(one.path)
        assert prove(disc, catalogue_of(disc)).wrong == ()
        disc.close()
        with catalogue.read() as connection:
            placed = fixity.placed(connection, number)
        image = one.path.read_bytes()
        from blake3 import blake3

        assert placed
        for piece in placed:
            assert piece.length == piece.size
            assert blake3(image[piece.sector * 2048 :][: piece.length]).digest() == piece.digest
    disc = open_disc(built[0].path)
    piece = catalogue_of(disc).contents[0]
    disc.close()
    with built[0].path.open("r+b") as file:
        file.seek(piece.sector * 2048 + piece.length // 2)
        file.write(b"\0\1\2\3")
    disc = open_disc(built[0].path)
    assert prove(disc, catalogue_of(disc)).wrong == (piece.paths[0],)
    disc.close()


def test_an_archived_image_is_not_made_with_other_keys(built, catalogue, tmp_path):
    with catalogue.write() as connection:
        values = {"segment": 1, "label": "X", "state": "verified", "image_size": 1, "digest": b"", "created_ns": 1}
        connection.execute(insert(schema.disc).values(uuid="u", **values))
        connection.execute(update(schema.segment).values(seal=None, state=SegmentState.ARCHIVED))
    with pytest.raises(OdarchiveError, match="encrypted and archived"), stream_image(catalogue, 1, tmp_path / "s"):
        pass


def test_secrets_of_images_are_on_no_disc(built, catalogue):
    with catalogue.read() as connection:
        seeds = [row.seal for row in connection.execute(schema.segment.select())]
    assert all(len(seed) == 32 for seed in seeds)
    from odarchive.catalogue import plans

    with catalogue.read() as connection:
        text = b"".join(plans.whole_catalogue(connection))
    for seed in seeds:
        assert seed.hex().encode() not in text
        assert all(seed not in one.path.read_bytes() for one in built)
    assert os.path.exists(Path(built[0].path))
