"""ProgramBurner with the real xorriso, on discs that are files."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from robot.burners import orphans
from robot.burners.advance import Patience
from robot.burners.program import ProgramBurner
from robot.burners.xorriso import Xorriso
from robot.drives.file import FileDrive
from robot.errors import BurnerMissing, BurnError, NotBlank, TooSmall
from robot.ports import SECTOR, DriveId

MB = 1 << 20
pytestmark = pytest.mark.e2e


class Bench:
    """A drive with one disc, an image and a burner."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place = root / "drives" / "0"
        self.place.mkdir(parents=True)
        (root / "discs").mkdir()
        (self.place / "tray").write_text("closed\n")
        self.disc = root / "discs" / "A.disc"
        self.drive = FileDrive(DriveId(0), self.place)
        self.image = root / "image.iso"
        self.burner = ProgramBurner(root, Xorriso(), poll=0.02)

    def insert(self, content: bytes = b"", **sheet: object) -> None:
        self.disc.write_bytes(content)
        self.disc.with_suffix(".json").write_text(json.dumps({"profile": "bd-r", "capacity": 8 * MB} | sheet))
        (self.place / "medium").symlink_to("../../discs/A.disc")

    def make_image(self, size: int) -> int:
        self.image.write_bytes(os.urandom(size))
        return size


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_burns_the_image_exactly(bench):
    bench.insert()
    size = bench.make_image(3 * MB + SECTOR)
    seen = []
    report = await bench.burner.burn(bench.drive, bench.image, size, progress=seen.append)
    assert await bench.drive.read(0, size // SECTOR) == bench.image.read_bytes()
    assert report.written == size
    assert seen[-1].written == seen[-1].total == size
    assert any("completed successfully" in line for line in report.log_tail)
    assert await bench.burner.wait_idle(bench.drive, 0)


async def test_a_second_burn_on_the_same_disc_is_refused(bench):
    bench.insert()
    size = bench.make_image(MB)
    await bench.burner.burn(bench.drive, bench.image, size)
    before = bench.disc.read_bytes()
    with pytest.raises(NotBlank):
        await bench.burner.burn(bench.drive, bench.image, size)
    assert bench.disc.read_bytes() == before


@pytest.mark.parametrize("extra", [0, 1])
async def test_an_image_that_fills_the_disc_to_the_last_sector_fits(bench, extra):
    size = bench.make_image(MB + 16 * SECTOR * extra + SECTOR)
    bench.insert(capacity=size)
    await bench.burner.burn(bench.drive, bench.image, size)
    assert await bench.drive.read(0, size // SECTOR) == bench.image.read_bytes()


async def test_an_image_too_large_touches_nothing(bench):
    size = bench.make_image(MB + SECTOR)
    bench.insert(capacity=MB)
    with pytest.raises(TooSmall):
        await bench.burner.burn(bench.drive, bench.image, size)
    assert bench.disc.stat().st_size == 0


async def test_a_write_error_spoils_the_disc_at_that_byte(bench):
    bench.insert(fail_at=MB + 12_345)
    size = bench.make_image(3 * MB)
    with pytest.raises(BurnError, match="Cannot write desired amount") as caught:
        await bench.burner.burn(bench.drive, bench.image, size)
    assert caught.value.medium_touched
    assert bench.disc.stat().st_size == MB + 12_345
    assert not (await bench.drive.medium()).blank


async def test_a_burn_that_fails_at_once_counts_as_touched(bench):
    bench.insert(fail_at=0)
    size = bench.make_image(MB)
    with pytest.raises(BurnError):
        await bench.burner.burn(bench.drive, bench.image, size)
    assert await bench.burner.wait_idle(bench.drive, 0)


async def test_without_a_disc_or_with_an_open_tray_nothing_starts(bench):
    size = bench.make_image(MB)
    with pytest.raises(BurnError, match="no disc") as caught:
        await bench.burner.burn(bench.drive, bench.image, size)
    assert not caught.value.medium_touched
    bench.insert()
    await bench.drive.open_tray()
    with pytest.raises(BurnError, match="tray"):
        await bench.burner.burn(bench.drive, bench.image, size)
    assert bench.disc.stat().st_size == 0


async def test_sources_that_xorriso_would_burn_wrongly_are_refused(bench, tmp_path):
    bench.insert()
    size = bench.make_image(MB)
    os.mkfifo(tmp_path / "pipe")
    for image, claimed, words in [
        (tmp_path, 4096, "regular"),
        (tmp_path / "pipe", 4096, "regular"),
        (tmp_path / "absent", 4096, "No such file"),
        (bench.image, size - SECTOR, "bytes"),
        (bench.image, size + SECTOR, "bytes"),
    ]:
        with pytest.raises(BurnError, match=words) as caught:
            await bench.burner.burn(bench.drive, image, claimed)
        assert not caught.value.medium_touched
    assert bench.disc.stat().st_size == 0


async def test_a_missing_program_is_named(bench):
    bench.insert()
    size = bench.make_image(MB)
    with pytest.raises(BurnerMissing, match="no-such-burner"):
        await ProgramBurner(bench.root, Xorriso("no-such-burner")).burn(bench.drive, bench.image, size)


def script(bench: Bench, body: str, stall: float = 30.0) -> ProgramBurner:
    """A burner whose program behaves as the shell lines say; ``$M`` is the medium."""
    program = bench.root / "program"
    program.write_text(f"#!/bin/sh\nM={bench.place}/medium\n{body}\n")
    program.chmod(0o755)
    return ProgramBurner(bench.root, Xorriso(str(program)), poll=0.02, patience=Patience(stall, finish=stall))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo \"Writing to 'x' completed successfully.\"", "drive says blank"),
        ("head -c 4096 /dev/zero > $M; echo \"Writing to 'x' completed successfully.\"", "4096 of"),
        ("head -c 1048576 /dev/zero > $M", "without saying"),
        ("head -c 1048576 /dev/zero > $M; echo \"Writing to 'x' completed successfully.\"; exit 33", "exit status 33"),
        ("echo 'Beginning to write data track.'; exec sleep 60", "stalled"),
    ],
)
async def test_false_successes_and_hangs(bench, body, words):
    bench.insert()
    size = bench.make_image(MB)
    with pytest.raises(BurnError, match=words) as caught:
        await script(bench, body, 0.2 if words == "stalled" else 30.0).burn(bench.drive, bench.image, size)
    assert caught.value.medium_touched
    assert await bench.burner.wait_idle(bench.drive, 0)


async def test_a_refusal_before_the_first_byte_leaves_the_disc_usable(bench):
    bench.insert()
    size = bench.make_image(MB)
    with pytest.raises(BurnError, match="busy") as caught:
        await script(bench, "echo 'libburn : FAILURE : drive busy'; exit 5").burn(bench.drive, bench.image, size)
    assert not caught.value.medium_touched


async def test_a_cancel_waits_for_the_end_of_the_burn(bench):
    bench.insert()
    size = bench.make_image(MB)
    begun = bench.root / "begun"
    body = f"touch {begun}; sleep 0.1; cat {bench.image} > $M; echo \"Writing to 'x' completed successfully.\""

    async def cancel(scope):
        while not begun.exists():
            await trio.sleep(0.01)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancel, nursery.cancel_scope)
        await script(bench, body).burn(bench.drive, bench.image, size)
    assert nursery.cancel_scope.cancel_called
    assert bench.disc.read_bytes() == bench.image.read_bytes()


LIFE = """
import sys, trio
from pathlib import Path
from robot.burners.program import ProgramBurner
from robot.burners.xorriso import Xorriso
from robot.drives.file import FileDrive
from robot.ports import DriveId
root = Path(sys.argv[1])
drive = FileDrive(DriveId(0), root / "drives" / "0")
burner = ProgramBurner(root, Xorriso(str(root / "program")))
trio.run(burner.burn, drive, root / "image.iso", (root / "image.iso").stat().st_size)
"""


async def test_a_burn_outlives_the_death_of_its_starter_and_the_next_life_waits(bench):
    bench.insert()
    size = bench.make_image(MB)
    # The program waits for the word, speaks often (a pipe without a reader would end it), then truly burns.
    script(bench, 'while [ ! -e "${0%/*}/go" ]; do echo still here; sleep 0.02; done; exec xorriso "$@"')
    starter = await trio.lowlevel.open_process([sys.executable, "-c", LIFE, str(bench.root)])
    log = orphans.log_path(bench.root, DriveId(0))
    with trio.fail_after(60):
        while not (log.exists() and log.stat().st_size):
            await trio.sleep(0.02)
    os.kill(starter.pid, signal.SIGKILL)
    await starter.wait()
    try:
        assert not await bench.burner.wait_idle(bench.drive, 0.1)
        with pytest.raises(BurnError, match="still writes") as caught:
            await bench.burner.burn(bench.drive, bench.image, size)
        assert not caught.value.medium_touched
    finally:
        (bench.root / "go").touch()  # whatever happened, the program ends
    assert await bench.burner.wait_idle(bench.drive, 60)
    assert await bench.drive.read(0, size // SECTOR) == bench.image.read_bytes()


class Made:
    """An image that is made while it is burned: ``pieces`` of 1 MiB, then ``failure``."""

    def __init__(self, pieces: list[bytes], failure: Exception | None = None) -> None:
        self.pieces, self.failure = pieces, failure

    def write_to(self, descriptor: int) -> None:
        for piece in self.pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]
        if self.failure:
            raise self.failure


async def test_an_image_made_while_it_is_burned_is_burned_exactly(bench):
    bench.insert()
    pieces = [os.urandom(MB) for _ in range(3)]
    seen = []
    report = await bench.burner.burn(bench.drive, Made(pieces), 3 * MB, progress=seen.append)
    assert await bench.drive.read(0, 3 * MB // SECTOR) == b"".join(pieces)
    assert report.written == seen[-1].written == 3 * MB


@pytest.mark.parametrize("pieces", [0, 1, 2])
async def test_a_source_that_fails_spoils_the_disc_whatever_xorriso_says(bench, pieces):
    bench.insert()
    made = Made([os.urandom(MB)] * pieces, ValueError("the file is gone"))
    with pytest.raises(BurnError, match="could not be made to its end: the file is gone") as caught:
        await bench.burner.burn(bench.drive, made, 3 * MB)
    assert caught.value.medium_touched
    assert await bench.burner.wait_idle(bench.drive, 0)


async def test_a_source_ends_with_the_program_when_the_program_fails(bench):
    bench.insert()
    made = Made([bytes(MB)] * 4)
    with pytest.raises(BurnError, match="exit status 5"):
        await script(bench, "head -c 100000 >/dev/null; exit 5").burn(bench.drive, made, 4 * MB)
    assert made.failure is None
