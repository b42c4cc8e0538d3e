"""Names and sizes of media."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odarchive.errors import MediumTooSmall, OdarchiveError
from odarchive.media import BURN_UNIT, MEDIA, parse_medium


@pytest.mark.parametrize(
    ("text", "capacity"),
    [
        ("cd", 736_960_512),
        ("dvd", 4_700_372_992),
        ("dvd-dl", 8_543_666_176),
        ("bd", 25_025_314_816),
        ("BluRay", 25_025_314_816),
        ("bd-dl", 50_050_629_632),
        ("bd-xl", 100_103_356_416),
        ("bd-xx", 128_001_769_472),
        ("25GB", 25_000_000_000),
        ("25GiB", 25 * 2**30),
        ("60MB", 60_000_000),
        ("60M", 60_000_000),
        ("60mib", 60 * 2**20),
        ("1.44 MB", 1_440_000),
        ("0.1TB", 100_000_000_000),
        ("123456789", 123_456_789),
    ],
)
def test_names_and_sizes(text, capacity):
    medium = parse_medium(text)
    assert medium.capacity == capacity
    assert medium.usable <= capacity
    assert medium.usable % BURN_UNIT == 0


def test_a_blu_ray_has_less_room_with_defect_management_and_both_numbers_are_known():
    assert MEDIA["bd"].managed == 24_220_008_448
    assert MEDIA["bd-dl"].managed == 48_440_016_896
    assert MEDIA["bd-xl"].managed == 96_882_130_944
    assert MEDIA["bd-xx"].managed == 123_706_802_176
    assert MEDIA["dvd"].managed == MEDIA["dvd"].capacity


@pytest.mark.parametrize("text", ["", "floppy", "12XB", "-5GB", "5iB", "1e9", "GB", "١٢٣", "5 0MB"])
def test_what_is_no_size_is_said_in_one_line_that_helps(text):
    with pytest.raises(OdarchiveError, match=r"neither a medium .* nor a size; write for example bd") as caught:
        parse_medium(text)
    assert "\n" not in str(caught.value)


def test_a_size_below_one_block_is_too_small():
    with pytest.raises(MediumTooSmall, match="less than one block"):
        parse_medium("65535")


@given(st.integers(BURN_UNIT, 10**15))
def test_plain_bytes_are_exact(size):
    assert parse_medium(str(size)).capacity == size
