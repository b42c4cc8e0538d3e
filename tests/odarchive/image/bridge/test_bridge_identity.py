"""Identities: stamped images equal freshly built ones, and hostile sectors only ever give ParseError."""

import os
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from odarchive.image.bridge import SECTOR, Found, Identity, LayoutError, ParseError, read_identity, stamp
from tests.odarchive.image.bridge import bridge_readers as readers
from tests.odarchive.image.bridge.bridge_trees import IDENTITY, VOLUME, File, Link, Spec, image

SPEC: Spec = {b"a": File(b"x" * 5000), b"d/b": Link(b"a")}
OTHER = Identity(
    "ANOTHER_LABEL_OF_32_CHARACTERS__", "fedcba9876543210 next", "SET-0002 longer", 1_800_000_000_990_000_000
)
PLAIN_IMAGE = image(SPEC)[0]


def reader(data: bytes):
    return lambda first, count: data[first * SECTOR : (first + count) * SECTOR]


def test_the_identity_reads_back():
    assert read_identity(reader(PLAIN_IMAGE)) == Found(
        label="TEST_0001",
        volume_set_id="0123456789abcdef a set",
        iso_label="TEST_0001",
        iso_volume_set_id="SET-0001",
        iso_created="2023111422132012",
        sectors=len(PLAIN_IMAGE) // SECTOR,
    )


def test_a_stamped_image_is_the_image_built_with_that_identity(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(PLAIN_IMAGE)
    fd = os.open(path, os.O_RDWR)
    try:
        stamp(fd, OTHER)
        once = path.read_bytes()
        stamp(fd, OTHER)
        assert path.read_bytes() == once == image(SPEC, replace(VOLUME, identity=OTHER))[0]
        stamp(fd, IDENTITY)
        assert path.read_bytes() == PLAIN_IMAGE
    finally:
        os.close(fd)


def test_other_readers_see_the_stamped_label(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(image(SPEC, replace(VOLUME, identity=OTHER))[0])
    text = readers.run(readers.program("udfinfo"), str(path)).decode()
    assert f"lvid={OTHER.label}" in text
    assert "uuid=fedcba9876543210" in text


@pytest.mark.parametrize("sector", [16, 32, 33, 35, 64, 96, 97, 99, 257])
def test_a_foreign_image_is_left_alone(tmp_path, sector):
    data = bytearray(PLAIN_IMAGE)
    data[sector * SECTOR : sector * SECTOR + 20] = bytes(20)
    path = tmp_path / "image"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(ParseError):
            stamp(fd, OTHER)
        with pytest.raises(LayoutError):
            stamp(fd, OTHER.relabelled(""))
    finally:
        os.close(fd)
    assert path.read_bytes() == data


def test_each_view_alone_is_enough():
    no_iso = bytearray(PLAIN_IMAGE)
    no_iso[16 * SECTOR : 17 * SECTOR] = bytes(SECTOR)
    assert read_identity(reader(no_iso)).label == "TEST_0001"
    no_udf = bytearray(PLAIN_IMAGE)
    no_udf[256 * SECTOR :] = bytes(len(no_udf) - 256 * SECTOR)
    found = read_identity(reader(no_udf))
    assert (found.label, found.volume_set_id) == ("TEST_0001", None)


def test_the_second_sequence_and_the_last_anchor_serve_damaged_discs():
    data = bytearray(PLAIN_IMAGE)
    data[32 * SECTOR : 64 * SECTOR] = bytes(32 * SECTOR)
    assert read_identity(reader(data)).volume_set_id == IDENTITY.volume_set_id
    data[256 * SECTOR : 257 * SECTOR] = bytes(SECTOR)
    assert read_identity(reader(data)).volume_set_id is None
    assert read_identity(reader(data), len(data) // SECTOR - 1).volume_set_id == IDENTITY.volume_set_id


@pytest.mark.parametrize("data", [b"", bytes(300 * SECTOR), b"\xff" * 40_000, PLAIN_IMAGE[: 10 * SECTOR]])
def test_no_disc_of_any_kind(data):
    with pytest.raises(ParseError):
        read_identity(reader(data))


@given(
    st.lists(
        st.tuples(st.sampled_from([16, 17, 32, 33, 35, 37, 96, 99, 256]), st.integers(0, 520), st.binary(max_size=40)),
        max_size=8,
    ),
    st.integers(0, 300),
)
@example([(256, 20, b"\xff\xff\xff\xff")], 300)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_hostile_sectors_give_parse_errors_only(changes, length):
    data = bytearray(PLAIN_IMAGE[: length * SECTOR])
    for sector, offset, new in changes:
        data[sector * SECTOR + offset : sector * SECTOR + offset + len(new)] = new
    try:
        read_identity(reader(bytes(data)), 299)
    except ParseError:
        assert length < 300 or changes


def test_a_reader_that_answers_too_little_or_too_much_is_survived():
    with pytest.raises(ParseError):
        read_identity(lambda first, count: b"")
    assert read_identity(lambda first, count: PLAIN_IMAGE[first * SECTOR :]).label == "TEST_0001"
