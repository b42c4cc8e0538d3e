"""The whole machine room for real: a simulated machine in its own process, a serial port, drives and a burn."""

import os
import sys
from pathlib import Path

import pytest
import trio
from jukebox_model import MemoryJournal, World

from robot.burners.program import ProgramBurner
from robot.burners.xorriso import Xorriso
from robot.changers.odjp import OdjpChanger
from robot.drives.file import FileDrive
from robot.jukebox import Jukebox
from robot.ports import SECTOR, DriveId, MotionOutcome, SlotId, Tray
from robot.transport import SerialStream

pytestmark = pytest.mark.e2e
MB = 1 << 20


async def test_a_blank_is_loaded_burnt_read_back_and_returned(tmp_path: Path):
    room, image, content = tmp_path / "room", tmp_path / "image.iso", os.urandom(MB)
    image.write_bytes(content)
    argv = [sys.executable, "-m", "robot.sim", "openjuke", "--world", str(room), "--instant"]
    machine = await trio.lowlevel.open_process([*argv, "--slots", "8", "--blanks", "1-2", "--capacity", str(2 * MB)])
    try:
        with trio.fail_after(60):
            while not (room / "tty").exists():
                await trio.sleep(0.02)
            changer = OdjpChanger(SerialStream(str(room / "tty")))
            drives = {DriveId(n): FileDrive(DriveId(n), room / "drives" / str(n)) for n in range(2)}
            journal = MemoryJournal(World.with_discs(0))
            jukebox = Jukebox(changer, drives, journal)
            await jukebox.start()
            await jukebox.load(SlotId(2), DriveId(1))
            await ProgramBurner(tmp_path, Xorriso()).burn(drives[DriveId(1)], image, len(content))
            await jukebox.unload(DriveId(1), SlotId(5))
            await jukebox.load(SlotId(5), DriveId(0))
            assert await drives[DriveId(0)].read(0, len(content) // SECTOR) == content
            assert (await jukebox.status()).drives[0].tray is Tray.CLOSED
            assert [row.outcome for row in journal.rows] == [MotionOutcome.DONE] * 3
            await changer.aclose()
    finally:
        machine.terminate()
        await machine.wait()
