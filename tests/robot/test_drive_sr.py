"""SrDrive over a model of the answers a drive gives; nothing here was tried on a drive."""

import errno
import os

import pytest

from robot.drives.linux import DriveStatus, LinuxDrive
from robot.drives.sr import CHUNK, NO_DISC_TIME, Spin, SrDrive
from robot.errors import DriveError, NoMedium, NotReady, ReadFailed
from robot.ports import SECTOR, DriveId, Tray


class ModelKernel:
    """A drive with a tray, a disc and bad spots, as the kernel shows it."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.now = DriveStatus.DISC_OK
        self.bad: dict[int, int] = {}
        """Sector: how many reads of it fail."""
        self.held = False

    def status(self) -> DriveStatus:
        return self.now

    def eject(self) -> None:
        if self.held:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self.now = DriveStatus.TRAY_OPEN

    def close(self) -> None:
        self.now = DriveStatus.DISC_OK if self.content else DriveStatus.NO_DISC

    def read(self, offset: int, length: int) -> bytes:
        assert offset % SECTOR == length % SECTOR == 0
        hit = [s for s in range(offset // SECTOR, (offset + length) // SECTOR) if self.bad.get(s, 0) > 0]
        if hit:
            if length == SECTOR:
                self.bad[hit[0]] -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self.content[offset : offset + length]


def sr(kernel: ModelKernel) -> SrDrive:
    return SrDrive(DriveId(0), "/dev/no-such-drive", kernel=kernel)


async def test_the_tray_goes_out_and_in():
    drive = sr(ModelKernel(b"x" * SECTOR))
    assert await drive.tray() is Tray.CLOSED
    await drive.open_tray()
    await drive.open_tray()
    assert await drive.tray() is Tray.OPEN
    await drive.close_tray()
    await drive.close_tray()
    assert await drive.tray() is Tray.CLOSED


async def test_a_drive_in_use_says_so():
    kernel = ModelKernel(b"x")
    kernel.held = True
    with pytest.raises(DriveError, match="still uses"):
        await sr(kernel).open_tray()


async def test_no_answer_is_an_unknown_tray():
    kernel = ModelKernel()
    kernel.now = DriveStatus.NO_INFO
    assert await sr(kernel).tray() is Tray.UNKNOWN


async def test_reads_across_chunks():
    content = os.urandom((CHUNK + 3) * SECTOR)
    assert await sr(ModelKernel(content)).read(1, CHUNK + 2) == content[SECTOR:]


async def test_a_sector_that_comes_right_is_read():
    kernel = ModelKernel(os.urandom(8 * SECTOR))
    kernel.bad = {5: 2}
    assert await sr(kernel).read(0, 8) == kernel.content


async def test_a_sector_that_stays_bad_is_named():
    kernel = ModelKernel(os.urandom(8 * SECTOR))
    kernel.bad = {5: 99}
    with pytest.raises(ReadFailed) as caught:
        await sr(kernel).read(3, 4)
    assert caught.value.sector == 5


async def test_a_read_past_the_end_is_named():
    with pytest.raises(ReadFailed, match="past") as caught:
        await sr(ModelKernel(b"x" * 2 * SECTOR)).read(0, 3)
    assert caught.value.sector == 2


async def test_an_open_tray_is_not_read():
    kernel = ModelKernel(b"x" * SECTOR)
    kernel.now = DriveStatus.TRAY_OPEN
    with pytest.raises(NoMedium, match="drive 0"):
        await sr(kernel).read(0, 1)


async def test_a_device_that_is_no_drive_is_a_drive_error(tmp_path):
    with pytest.raises(DriveError, match="No such file"):
        await SrDrive(DriveId(1), str(tmp_path / "sr9")).tray()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DriveError, match="ioctl"):
        await SrDrive(DriveId(1), str(tmp_path / "file")).tray()


def test_direct_reads_return_the_bytes(tmp_path):
    disc = tmp_path / "disc"
    disc.write_bytes(os.urandom(4096))
    try:
        found = LinuxDrive(str(disc)).read(0, 4096)
    except OSError:
        pytest.skip("this file system has no direct reads")
    assert found == disc.read_bytes()


def test_spinning_up_is_waited_for():
    spin = Spin(0, 60)
    assert not spin.judge(DriveStatus.NO_DISC, 1)
    assert not spin.judge(DriveStatus.NOT_READY, 9)
    assert not spin.judge(DriveStatus.NO_DISC, 15)  # counts anew
    assert spin.judge(DriveStatus.DISC_OK, 20)


def test_no_disc_is_believed_after_a_while():
    spin = Spin(0, 60)
    assert not spin.judge(DriveStatus.NO_DISC, 1)
    assert not spin.judge(DriveStatus.NO_DISC, 1 + NO_DISC_TIME - 0.1)
    with pytest.raises(NoMedium):
        spin.judge(DriveStatus.NO_DISC, 1 + NO_DISC_TIME)


def test_never_ready_ends():
    spin = Spin(0, 60)
    assert not spin.judge(DriveStatus.NOT_READY, 59)
    with pytest.raises(NotReady):
        spin.judge(DriveStatus.NOT_READY, 60)
    with pytest.raises(NoMedium):
        Spin(0, 5).judge(DriveStatus.NO_DISC, 5)
