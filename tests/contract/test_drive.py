"""The contract of ``robot.ports.Drive``, run on every implementation that can run here."""

import json
import os
from pathlib import Path

import pytest

from robot.drives.file import FileDrive
from robot.drives.linux import DriveStatus
from robot.drives.sr import SrDrive
from robot.errors import NoMedium, ReadFailed
from robot.ports import SECTOR, Drive, DriveId, Tray

CONTENT = os.urandom(5 * SECTOR)


class Kernel:
    """A drive's answers, with a disc that holds CONTENT."""

    def __init__(self) -> None:
        self.now = DriveStatus.DISC_OK

    def status(self) -> DriveStatus:
        return self.now

    def eject(self) -> None:
        self.now = DriveStatus.TRAY_OPEN

    def close(self) -> None:
        self.now = DriveStatus.DISC_OK

    def read(self, offset: int, length: int) -> bytes:
        return CONTENT[offset : offset + length]


def file_drive(root: Path) -> Drive:
    (root / "drives/1").mkdir(parents=True)
    (root / "discs").mkdir()
    (root / "discs/A.disc").write_bytes(CONTENT)
    (root / "discs/A.json").write_text(json.dumps({"profile": "bd-r", "capacity": 100 * SECTOR}))
    (root / "drives/1/medium").symlink_to("../../discs/A.disc")
    (root / "drives/1/tray").write_text("closed")
    return FileDrive(DriveId(1), root / "drives/1")


def sr_drive(root: Path) -> Drive:
    """A model kernel; xorriso is replaced by a program that prints its report of such a disc."""
    program = root / "xorriso"
    program.write_text(
        "#!/bin/sh\necho 'Media current: BD-R sequential recording'\necho 'Media status : is written , is closed'\n"
        "echo 'Media blocks : 5 readable , 0 writable , 5 overall'\n"
    )
    program.chmod(0o755)
    return SrDrive(DriveId(1), "/dev/sr1", kernel=Kernel(), program=str(program))


@pytest.fixture(params=[file_drive, sr_drive])
def drive(request, tmp_path: Path) -> Drive:
    return request.param(tmp_path)


async def test_it_knows_its_number_and_address(drive):
    assert drive.number == 1
    assert drive.device


async def test_trays_reach_their_end_and_doing_it_twice_is_harmless(drive):
    for _ in range(2):
        await drive.open_tray()
        assert await drive.tray() is Tray.OPEN
    for _ in range(2):
        await drive.close_tray()
        assert await drive.tray() is Tray.CLOSED


async def test_an_open_tray_holds_no_medium(drive):
    await drive.open_tray()
    with pytest.raises(NoMedium):
        await drive.medium(timeout=1)


async def test_a_written_medium_is_not_blank(drive):
    medium = await drive.medium()
    assert not medium.blank
    assert medium.profile == "bd-r"
    assert medium.readable == len(CONTENT)


async def test_reads_are_exact(drive):
    assert await drive.read(0, 5) == CONTENT
    assert await drive.read(2, 1) == CONTENT[2 * SECTOR : 3 * SECTOR]
    assert await drive.read(0, 0) == b""


async def test_reads_past_the_end_fail_at_the_first_missing_sector(drive):
    with pytest.raises(ReadFailed) as caught:
        await drive.read(3, 5)
    assert caught.value.sector == 5


async def test_negative_places_are_a_mistake(drive):
    with pytest.raises(ValueError, match="0 or more"):
        await drive.read(-1, 1)
