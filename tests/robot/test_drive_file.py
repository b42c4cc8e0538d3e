"""FileDrive: a drive whose discs are files."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.drives.file import DiscSheet, FileDrive, parse_sheet
from robot.errors import DriveError, NoMedium, ReadFailed
from robot.ports import SECTOR, DriveId, Medium, Tray


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A drive directory with a closed tray, beside a directory for discs."""
    (tmp_path / "discs").mkdir()
    directory = tmp_path / "drives" / "0"
    directory.mkdir(parents=True)
    (directory / "tray").write_text("closed\n")
    return directory


def put(place: Path, content: bytes, **sheet: object) -> Path:
    disc = place.parent.parent / "discs" / "A.disc"
    disc.write_bytes(content)
    disc.with_suffix(".json").write_text(json.dumps({"profile": "bd-r", "capacity": 100 * SECTOR} | sheet))
    (place / "medium").symlink_to(Path("../../discs/A.disc"))
    return disc


async def test_tells_a_blank(place):
    put(place, b"")
    drive = FileDrive(DriveId(0), place)
    assert await drive.medium() == Medium(profile="bd-r", blank=True, capacity=100 * SECTOR, readable=0)
    assert drive.device == f"stdio:{place}/medium"


async def test_reads_what_lies_on_the_disc(place):
    content = os.urandom(3 * SECTOR)
    put(place, content)
    drive = FileDrive(DriveId(0), place)
    assert (await drive.medium()).readable == 3 * SECTOR
    assert await drive.read(1, 2) == content[SECTOR:]
    assert await drive.read(0, 0) == b""


async def test_an_open_tray_has_no_medium(place):
    put(place, b"x" * SECTOR)
    drive = FileDrive(DriveId(0), place)
    await drive.open_tray()
    with pytest.raises(NoMedium, match="tray"):
        await drive.medium()
    with pytest.raises(NoMedium):
        await drive.read(0, 1)


async def test_reads_past_the_end_and_torn_sectors_fail_with_their_number(place):
    put(place, b"x" * (2 * SECTOR + 100))
    drive = FileDrive(DriveId(0), place)
    assert (await drive.medium()).readable == 2 * SECTOR
    with pytest.raises(ReadFailed) as caught:
        await drive.read(1, 2)
    assert caught.value.sector == 2


async def test_bad_sectors_fail_with_the_first_of_them(place):
    put(place, b"x" * (10 * SECTOR), bad_sectors=[[4, 2], [8, 1]])
    drive = FileDrive(DriveId(0), place)
    assert len(await drive.read(0, 4)) == 4 * SECTOR
    assert len(await drive.read(6, 2)) == 2 * SECTOR
    with pytest.raises(ReadFailed) as caught:
        await drive.read(5, 4)
    assert caught.value.sector == 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"profile": "bd-r"}', '{"profile": "x", "capacity": null}'])
async def test_a_disc_with_a_bad_sheet_is_not_recognised(place, text):
    put(place, b"").with_suffix(".json").write_text(text)
    with pytest.raises(NoMedium, match="recognise"):
        await FileDrive(DriveId(0), place).medium()


@pytest.mark.parametrize(("text", "tray"), [("open", Tray.OPEN), ("closed\n", Tray.CLOSED), ("", Tray.UNKNOWN)])
async def test_the_tray_is_what_its_file_says(place, text, tray):
    (place / "tray").write_text(text)
    assert await FileDrive(DriveId(0), place).tray() is tray


async def test_a_missing_tray_file_is_unknown_and_a_missing_directory_an_error(place, tmp_path):
    (place / "tray").unlink()
    assert await FileDrive(DriveId(0), place).tray() is Tray.UNKNOWN
    with pytest.raises(DriveError, match="nowhere"):
        await FileDrive(DriveId(1), tmp_path / "nowhere").open_tray()


async def test_the_write_limit_is_the_smaller_of_capacity_and_fault(place):
    put(place, b"", fail_at=5000)
    assert await FileDrive(DriveId(0), place).write_limit() == 5000


@settings(derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=5), st.integers(0, 60), st.integers(0, 12))
def test_first_bad_agrees_with_a_search(bad, sector, count):
    sheet = DiscSheet("bd-r", 1, bad_sectors=tuple(bad))
    spoiled = {first + i for first, length in bad for i in range(length)}
    expected = min((s for s in range(sector, sector + count) if s in spoiled), default=None)
    assert sheet.first_bad(sector, count) == expected


def test_a_sheet_reads_back():
    text = b'{"profile": "cd-r", "capacity": 10, "fail_at": 5, "bad_sectors": [[1, 2]], "label": "kept by others"}'
    assert parse_sheet(text) == DiscSheet("cd-r", 10, 5, ((1, 2),))
