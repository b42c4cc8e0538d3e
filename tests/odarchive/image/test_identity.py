"""A disc's identity survives hostile bytes and comes back as it was stamped."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from odarchive.image.identity import DiscIdentity, parse_identity
from odarchive.model import SECTOR

ARCHIVE = "0a1b2c3d-0000-4000-8000-00000000abcd"
DISC = "11111111-2222-4333-8444-555555555555"


def sector(**changes):
    fields = {
        "head": b"\x01CD001\x01",
        "label": b"TEST_0001".ljust(32),
        "space": b"",
    }
    fields["space"] = struct.pack("<I", 320) + struct.pack(">I", 320)
    fields["set"] = f"ODARCHIVE {ARCHIVE} {DISC}".encode().ljust(128)
    fields |= changes
    data = bytearray(SECTOR)
    for at, name in ((0, "head"), (40, "label"), (80, "space"), (190, "set")):
        data[at : at + len(fields[name])] = fields[name]
    return bytes(data)


def test_one_sector_is_enough():
    assert parse_identity(sector()) == DiscIdentity(ARCHIVE, DISC, "TEST_0001", 320 * SECTOR)
    assert parse_identity(sector() + bytes(5000)) == parse_identity(sector())


@pytest.mark.parametrize(
    "changes",
    [
        {"head": b"\x02CD001\x01"},
        {"head": b"\x01CD002\x01"},
        {"label": b"lower".ljust(32)},
        {"label": b" " * 32},
        {"label": b"\xff" * 32},
        {"set": b"SOMEBODY ELSE".ljust(128)},
        {"set": f"ODARCHIVE {ARCHIVE} {DISC}X".encode().ljust(128)},
        {"set": f"ODARCHIVE {ARCHIVE.upper()} {DISC}".encode().ljust(128)},
        {"space": struct.pack("<I", 320) + struct.pack(">I", 321)},
        {"space": bytes(8)},
    ],
)
def test_what_is_not_ours_is_none(changes):
    assert parse_identity(sector(**changes)) is None


@given(st.binary(max_size=SECTOR))
@example(b"")
@example(b"\x01CD001\x01")
def test_short_or_random_bytes_are_none(data):
    assert parse_identity(data[: SECTOR - 1]) is None


@given(st.lists(st.tuples(st.integers(0, SECTOR - 1), st.integers(0, 255)), max_size=30))
def test_damage_never_raises(changes):
    data = bytearray(sector())
    for at, value in changes:
        data[at] = value
    found = parse_identity(bytes(data))
    assert found is None or found.image_size > 0


@pytest.mark.parametrize(("archive", "disc", "label"), [("x", DISC, "A"), (ARCHIVE, "", "A"), (ARCHIVE, DISC, "a b")])
def test_an_identity_that_cannot_be_stamped_cannot_be_made(archive, disc, label):
    with pytest.raises(ValueError, match="is not a"):
        DiscIdentity(archive, disc, label)
