"""Names, times, permissions and Rock Ridge fields: the pure parts against their own definitions."""

import datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from odarchive.image.bridge import names
from odarchive.image.bridge import rock_ridge as rr
from odarchive.image.bridge.sectors import SECTOR
from odarchive.image.bridge.stamps import in_iso_range, in_udf_range, iso_long_stamp, iso_stamp, udf_stamp
from odarchive.image.bridge.udf_nodes import path_components, permissions
from odarchive.image.bridge.udf_volume import dstring, tagged

CHECK = settings(max_examples=200, derandomize=True, deadline=None)


def uncompressed(stored: bytes) -> str:
    return stored[1:].decode("latin-1" if stored[0] == 8 else "utf-16-be")


@given(st.text(min_size=1, max_size=140))
@CHECK
def test_native_udf_names_read_back_and_fit(text):
    try:
        name = text.encode()
    except UnicodeEncodeError:
        assume(condition=False)
    if names.udf_reason(name, windows=False) is None:
        stored = names.udf_identifier(name)
        assert uncompressed(stored) == text
        assert len(stored) <= 255
        assert len(name) <= 254
    else:
        assert len(name) > 127


@given(st.binary(min_size=1, max_size=255))
@CHECK
def test_mapped_names_can_be_stored_everywhere(name):
    new = names.mapped(name, ())
    assert names.udf_reason(new, windows=True) is None
    assert names.rock_ridge_reason(new) is None
    other = names.mapped(name, {new})
    assert other != new
    assert other.startswith(new)


@given(st.integers(-70 * 10**9, 260 * 10**9), st.integers(0, 999_999_999))
@CHECK
def test_stamps_are_the_date_in_utc(seconds, nanos):
    if not in_udf_range(seconds):
        return
    when = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
        seconds=seconds, microseconds=nanos // 1000
    )
    raw = udf_stamp(seconds, nanos)
    assert int.from_bytes(raw[2:4], "little") == when.year
    assert tuple(raw[4:9]) == (when.month, when.day, when.hour, when.minute, when.second)
    assert raw[9] * 10_000 + raw[10] * 100 + raw[11] == when.microsecond
    assert (
        iso_long_stamp(seconds, nanos)[:16].decode()
        == f"{when:%m%d%H%M%S}".rjust(14, "-").replace("----", f"{when.year:04d}") + f"{when.microsecond // 10_000:02d}"
    )
    if in_iso_range(seconds):
        assert tuple(iso_stamp(seconds)) == (
            when.year - 1900,
            when.month,
            when.day,
            when.hour,
            when.minute,
            when.second,
            0,
        )


def test_times_out_of_range_are_clamped():
    assert tuple(iso_stamp(-(10**12)))[:3] == (0, 1, 1)
    assert tuple(iso_stamp(10**12))[:3] == (255, 12, 31)
    assert udf_stamp(-(10**15), 5)[2:4] == b"\1\0"
    assert int.from_bytes(udf_stamp(10**15, 5)[2:4], "little") == 9999


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o000, (0, 0)),
        (0o777, (0b00111_00111_00111, 0)),
        (0o640, (0b00110_00100_00000 | 0, 0)),
        (0o4001, (1, 1 << 6)),
        (0o2010, (1 << 5, 1 << 7)),
        (0o1100, (1 << 10, 1 << 8)),
    ],
)
def test_permissions(mode, expected):
    assert permissions(mode) == expected


def test_a_tag_sums_to_its_checksum():
    data = tagged(261, b"some body", 77)
    assert sum(data[:4] + data[5:16]) & 255 == data[4]


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=60), st.integers(4, 128))
@CHECK
def test_dstrings_have_their_length_and_a_prefix_of_the_text(text, length):
    raw = dstring(text, length)
    assert len(raw) == length
    if text:
        assert text.startswith(uncompressed(raw[: raw[-1]]))


def linux_target(fields: list[bytes]) -> bytes:
    """A symlink's target as fs/isofs/rock.c joins it."""
    out = b""
    for field in fields:
        rest, end = field[5:], False
        while rest:
            flags, length = rest[0], rest[1]
            root = flags & ~1 == 8
            out += {0: rest[2 : 2 + length], 2: b".", 4: b"..", 8: b"/"}[flags & ~1]
            rest = rest[2 + length :]
            end = not rest
            if not root and not flags & 1 and (not end or field[4] & 1):
                out += b"/"
    return out


def libarchive_target(fields: list[bytes]) -> bytes:
    """The same as archive_read_support_format_iso9660.c: nothing is put between two fields."""
    out = b""
    for field in fields:
        rest, separator = field[5:], b""
        while rest:
            flags, length = rest[0], rest[1]
            out += separator + {0: rest[2 : 2 + length], 2: b".", 4: b"..", 8: b"/"}[flags & ~1]
            separator = b"" if flags & 1 or flags == 8 else b"/"
            rest = rest[2 + length :]
    return out


TARGETS = st.lists(
    st.one_of(st.sampled_from([b".", b"..", b"a"]), st.binary(min_size=1, max_size=255)), min_size=1, max_size=60
).map(b"/".join)


@given(TARGETS, st.booleans())
@CHECK
def test_targets_read_back_in_linux_and_libarchive(target, absolute):
    target = (b"/" if absolute else b"") + target.replace(b"\0", b"0")
    assume(rr.target_survives(target))
    assume(not target.startswith(b"//"))
    fields = rr.target_fields(target)
    assert all(len(f) == f[2] <= 255 for f in fields)
    assert linux_target(fields) == target
    assert libarchive_target(fields) == target


@given(st.lists(st.lists(st.integers(6, 255), min_size=1, max_size=20), max_size=30))
@CHECK
def test_continuation_areas_stay_inside_sectors_and_chain(sizes):
    area = rr.ContinuationArea(100)
    stored = []
    for number, lengths in enumerate(sizes):
        fields = [b"ZZ" + bytes((n, 1)) + bytes([number]) * (n - 4) for n in lengths]
        stored.append((area.add(fields), b"".join(fields)))
    data = area.data()
    assert len(data) == area.sectors * SECTOR
    for first, want in stored:
        pointer, got = first, b""
        while pointer:
            sector, offset, length = (int.from_bytes(pointer[at : at + 4], "little") for at in (4, 12, 20))
            assert offset + length <= SECTOR
            piece = data[(sector - 100) * SECTOR + offset :][:length]
            pointer = piece[-28:] if piece[-28:-24] == b"CE\x1c\1" else b""
            got += piece[: len(piece) - len(pointer)]
        assert got == want


def test_udf_targets():
    assert (
        path_components(b"/a/./../b")
        == bytes((2, 0, 0, 0)) + b"\5\2\0\0\x08a" + bytes((4, 0, 0, 0, 3, 0, 0, 0)) + b"\5\2\0\0\x08b"
    )
    assert path_components(b"\xff") is None
    assert path_components(b"x" * 255) is None
    assert path_components(b"/".join([b"x" * 200] * 10)) is None
