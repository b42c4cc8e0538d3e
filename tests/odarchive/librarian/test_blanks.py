"""Blanks that a drive will not write: bad blanks are told from bad drives."""

from pathlib import Path

from odarchive.catalogue import discs, schema
from odarchive.model import JobState, SlotState
from robot.errors import MediumRefused
from tests.odarchive.librarian.shop import Shop, SimBurner


class Choosy(SimBurner):
    """Will not write some discs."""

    def __init__(self, bad):
        super().__init__()
        self.bad, self.asked = bad, []

    async def burn(self, target, image, size, *, progress=None):
        disc = Path(target.device.removeprefix("stdio:")).resolve().stem
        self.asked.append(disc)
        if self.bad is None or len(set(self.asked)) <= self.bad:
            raise MediumRefused(f"drive {target.number}: the burn failed: cannot format {disc}")
        return await super().burn(target, image, size, progress=progress)


def states(shop):
    return {number: found.state for number, found in shop.slots().items()}


def told(shop):
    with shop.archive.catalogue.read() as connection:
        return [row.message for row in connection.execute(schema.event.select()) if row.kind == "refused"]


async def test_a_blank_that_the_drive_refuses_is_put_back_and_another_one_burned(autojump_clock, tmp_path):
    burner = Choosy(1)
    shop = Shop(tmp_path, burner=burner)
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
    assert shop.jobs()[0].state is JobState.DONE
    assert len(burner.asked) == 2
    assert list(states(shop).values()).count(SlotState.UNREADABLE) == 1
    assert len(told(shop)) == 1
    assert "cannot format" in told(shop)[0]


async def test_a_drive_that_refuses_three_blanks_is_at_fault_and_they_stay_blanks(autojump_clock, tmp_path):
    burner = Choosy(None)
    shop = Shop(tmp_path, burner=burner)
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
    (job,) = shop.jobs()
    assert job.state is JobState.WAITING
    assert "cannot format" in job.why
    assert len(set(burner.asked)) == 3
    assert SlotState.UNREADABLE not in states(shop).values()
    assert SlotState.SPOILED not in states(shop).values()
    assert told(shop) == []


async def test_a_refused_blank_that_another_drive_has_written_since_is_not_accused(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    shop.build()
    async with shop.life() as librarian:
        await shop.work(librarian)
    disc = next(number for number, one in shop.slots().items() if one.state is SlotState.DISC)
    before = shop.slots()[disc]
    with shop.archive.catalogue.write() as connection:
        discs.place(connection, 5, SlotState.BLANK, None, "the drive found a blank", now_ns=1)
        assert not discs.accuse_blank(connection, disc, "cannot be written", now_ns=2)
        assert discs.accuse_blank(connection, 5, "cannot be written", now_ns=2)
    assert shop.slots()[disc] == before
    assert shop.slots()[5].state is SlotState.UNREADABLE
