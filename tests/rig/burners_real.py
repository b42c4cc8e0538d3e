"""In the guest: xorriso, wodim and growisofs burn an image onto a disc each; what came of it goes to ``/run/rig``."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import trio

from robot.burners.cdrecord import Cdrecord
from robot.burners.dialect import Dialect
from robot.burners.growisofs import Growisofs
from robot.burners.program import ProgramBurner
from robot.burners.xorriso import Xorriso
from robot.drives.sr import SrDrive
from robot.errors import RobotError
from robot.ports import SECTOR, DriveId

RIG = Path("/run/rig")
SIZE = 4 << 20
ROUNDS: list[tuple[str, Dialect, int]] = [
    ("xorriso", Xorriso(), 1),
    ("wodim cd", Cdrecord("wodim"), 2),
    ("wodim dvd", Cdrecord("wodim"), 3),
    ("growisofs dvd", Growisofs(), 4),
    ("growisofs bd", Growisofs(), 5),
    ("growisofs bd that fails", Growisofs(), 6),
]


class Made:
    """An image that is made while it is burned."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def write_to(self, descriptor: int) -> None:
        with open(descriptor, "wb", closefd=False) as pipe:
            pipe.write(self._data)


async def one(dialect: Dialect, drive: SrDrive, image: Path, *, streamed: bool) -> dict[str, object]:
    """Burn, move the tray, read back."""
    burner, seen = ProgramBurner(RIG, dialect), []
    data = image.read_bytes()
    try:
        await burner.burn(drive, Made(data) if streamed else image, SIZE, progress=seen.append)
    except RobotError as error:
        return {"error": str(error), "touched": getattr(error, "medium_touched", None)}
    await drive.open_tray()
    await drive.close_tray()
    medium = await drive.medium()
    read = [await drive.read(sector, 32) for sector in range(0, SIZE // SECTOR, 32)]
    same = hashlib.sha256(b"".join(read)).digest() == hashlib.sha256(data).digest()
    return {"same": same, "blank": medium.blank, "progress": len(seen), "speeds": any(p.speed for p in seen)}


async def main() -> None:
    """All rounds; slots hold the discs in their order."""
    changer, device = os.environ["RIG_CHANGER"], os.environ["RIG_DRIVE0"]
    drive, image = SrDrive(DriveId(0), device), RIG / "image.iso"
    image.write_bytes(os.urandom(SIZE))
    found: dict[str, object] = {}
    for number, (name, dialect, slot) in enumerate(ROUNDS):
        subprocess.run(["mtx", "-f", changer, "load", str(slot), "0"], check=True)  # noqa: ASYNC221
        await drive.close_tray()
        found[name] = await one(dialect, drive, image, streamed=bool(number % 2))
        await drive.open_tray()
        subprocess.run(["mtx", "-f", changer, "unload", str(slot), "0"], check=True)  # noqa: ASYNC221
        (RIG / "burned.json").write_text(json.dumps(found))


if __name__ == "__main__":
    trio.run(main)
