"""Stamping changes who a disc is and nothing else."""

import json
import shutil
import subprocess

import pytest
from planted import ARCHIVE, plant

from odarchive.errors import DamageFound
from odarchive.image import udf
from odarchive.image.bridge.sectors import INTEGRITY
from odarchive.image.identity import NO_DISC, DiscIdentity, parse_identity
from odarchive.image.stamp import stamp
from odarchive.imaging import build_image
from odarchive.media import parse_medium
from odarchive.model import SECTOR
from odarchive.planning import make_plan

DISC = "9f8e7d6c-1111-4222-8333-444444444444"


@pytest.fixture
def image(catalogue, source, tmp_path):
    (source / "a").write_bytes(b"hello" * 1000)
    plant(catalogue, source)
    segment = make_plan(catalogue, parse_medium("2MB")).segments[0]
    return build_image(catalogue, segment.id, tmp_path / "out")


def identity_of(path):
    data = path.read_bytes()
    return parse_identity(data[16 * SECTOR : 17 * SECTOR])


def info_of(path):
    data = path.read_bytes()
    sector, size = udf.root_file(reader(data), udf.volume(reader(data)), "disc_info.json")
    return json.loads(data[sector * SECTOR : sector * SECTOR + size])


def reader(data):
    return lambda sector, size: data[sector * SECTOR : sector * SECTOR + size]


def test_an_image_as_built_is_of_the_archive_and_of_no_disc(image):
    assert identity_of(image.path) == DiscIdentity(ARCHIVE, NO_DISC, "TEST_0001", image.size)
    assert info_of(image.path)["disc_id"] == NO_DISC


def test_a_stamp_is_read_back_everywhere(image):
    stamp(image.path, DiscIdentity(ARCHIVE, DISC, "TEST_0001_2"))
    assert identity_of(image.path) == DiscIdentity(ARCHIVE, DISC, "TEST_0001_2", image.size)
    info = info_of(image.path)
    assert (info["disc_id"], info["archive_id"], info["label"]) == (DISC, ARCHIVE, "TEST_0001_2")
    shown = subprocess.run(["udfinfo", image.path], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "\nlabel=TEST_0001_2\nuuid=9f8e7d6c11114222\nlvid=TEST_0001_2\nvid=TEST_0001_2\n" in shown.stdout
    assert f"ODARCHIVE {ARCHIVE} {DISC}\nfsid=TEST_0001_2" in shown.stdout


def test_both_udf_sequences_are_stamped_and_sealed(image):
    stamp(image.path, DiscIdentity(ARCHIVE, DISC, "OTHER"))
    data = image.path.read_bytes()
    found = udf.volume(reader(data))
    kinds = [descriptor.tag for descriptor in found.sequences]
    for tag, at in ((udf.TAG_PVD, 24), (udf.TAG_IMPLEMENTATION, 116), (udf.TAG_LOGICAL, 84)):
        assert kinds.count(tag) == 2
        same = [descriptor for descriptor in found.sequences if descriptor.tag == tag]
        assert all(descriptor.data[at : at + 6] == b"\x08OTHER" for descriptor in same)
    assert all(udf.tag_of(descriptor.data) == descriptor.tag for descriptor in (*found.sequences, found.file_set))


def test_twice_is_once_and_nothing_else_changes(image, tmp_path):
    before = image.path.read_bytes()
    stamp(image.path, DiscIdentity(ARCHIVE, DISC, "A"))
    once = image.path.read_bytes()
    stamp(image.path, DiscIdentity(ARCHIVE, DISC, "A"))
    assert image.path.read_bytes() == once
    changed = {at // SECTOR for at in range(len(before)) if before[at] != once[at]}
    volume = udf.volume(reader(before))
    allowed = {16, INTEGRITY, volume.file_set.sector, *(d.sector for d in volume.sequences)}
    allowed.add(udf.root_file(reader(before), volume, "disc_info.json")[0])
    assert changed <= allowed
    stamp(image.path, DiscIdentity(ARCHIVE, NO_DISC, "TEST_0001"))
    assert image.path.read_bytes() == before


@pytest.mark.parametrize("at", [0, 16, 32, 256, 257])
def test_a_damaged_image_is_refused_and_left_alone(image, at, tmp_path):
    broken = tmp_path / "broken.iso"
    shutil.copy(image.path, broken)
    data = bytearray(broken.read_bytes())
    end = len(data) if at == 0 else (at + 1) * SECTOR
    data[at * SECTOR : end] = bytes(end - at * SECTOR)
    if at == 32:
        data[32 * SECTOR : 64 * SECTOR] = bytes(32 * SECTOR)
    broken.write_bytes(data)
    with pytest.raises(DamageFound, match="cannot be stamped"):
        stamp(broken, DiscIdentity(ARCHIVE, DISC, "A"))
    assert broken.read_bytes() == bytes(data)


def test_a_cut_or_empty_file_is_refused(image):
    for size in (0, 100 * SECTOR, 258 * SECTOR):
        with image.path.open("r+b") as file:
            file.truncate(min(size, image.size))
        with pytest.raises(DamageFound, match="cannot be stamped"):
            stamp(image.path, DiscIdentity(ARCHIVE, DISC, "A"))
        with image.path.open("r+b") as file:
            file.truncate(image.size)
