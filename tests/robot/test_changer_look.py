"""Looking into a drive by closing its tray."""

import pytest

from robot.changers.look import look_into
from robot.drives.file import FileDrive
from robot.errors import DriveError
from robot.ports import DriveId, Fill, Tray, drive
from robot.sim.bins import INPUT, stacked_world


class Stuck(FileDrive):
    async def close_tray(self):
        raise DriveError("stuck")


@pytest.mark.parametrize(
    ("kind", "loaded", "seen"), [(FileDrive, 1, "full"), (FileDrive, 0, "empty"), (Stuck, 1, "unknown")]
)
async def test_a_look_tells_what_the_drive_finds_and_leaves_the_tray_open(autojump_clock, tmp_path, kind, loaded, seen):
    world = stacked_world(tmp_path, drives=1, blanks=1)
    if loaded:
        world.lift(INPUT, drive(0))
    unit = kind(DriveId(0), tmp_path / "drives/0")
    await unit.open_tray()
    assert await look_into({DriveId(0): unit})(DriveId(0)) is Fill(seen)
    assert await unit.tray() is Tray.OPEN
    assert await look_into({})(DriveId(0)) is Fill.UNKNOWN
