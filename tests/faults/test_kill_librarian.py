"""kill -9 of the librarian at every durable step of a burn: the archive finishes with the same result.

The loop kills a real librarian process at its Nth transaction, N = 1, 2, 3 ... until a life passes without being
killed, once just before and once just after the commit; then a normal librarian finishes. Robot, catalogue and discs
live on between the two.
"""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from odarchive.catalogue import discs, jobs
from odarchive.model import DiscState, JobState, SegmentId
from odarchive.opened import open_archive
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e
SEED = 20261122


def prepare(site):
    """One small tree, scanned, planned and queued: one segment to burn."""
    chance = random.Random(SEED)
    for number in range(6):
        (site.source / f"{number}.jpg").write_bytes(chance.randbytes(40_000))
    site.start_robot()
    site.init()
    site.command("scan", str(site.source))
    site.command("plan", "--media", "10MB")
    site.command("burn", "all")


def ended(site):
    archive = open_archive(site.archive)
    with archive.catalogue.read() as connection:
        return all(job.state.ended for job in jobs.jobs(connection))


def judge(site, life):
    """The same result as without a crash, whatever happened on the way."""
    archive = open_archive(site.archive)
    with archive.catalogue.read() as connection:
        states = [job.state for job in jobs.jobs(connection)]
        copies = discs.copies_of(connection, SegmentId(1))
        open_attempts = discs.unsettled(connection)
        tally = discs.tally(connection)
    assert states == [JobState.DONE], (life, site.logs())
    assert len(copies) == 1, life
    assert copies[0].slot is not None, life
    assert open_attempts == [], life
    assert set(tally) <= {DiscState.VERIFIED, DiscState.SPOILED, DiscState.ABANDONED}, life
    assert site.violations() == [], life
    assert list((site.archive / "staging").glob("*.iso")) == [], life
    written = [disc for disc in (site.world / "discs").glob("*.disc") if disc.stat().st_size]
    assert len(written) == 1 + tally.get(DiscState.SPOILED, 0), life


def finish(site):
    librarian = site.serve()
    site.wait_for(lambda: ended(site), "the end of the queue")
    assert site.stop(librarian) == 0


@pytest.fixture
def fresh(tmp_path):
    """Gives the same prepared site again and again, always at the same place."""
    place, model = tmp_path / "site", tmp_path / "model"
    with Site(place) as site:
        prepare(site)
    shutil.copytree(place, model, symlinks=True)

    def again():
        shutil.rmtree(place)
        shutil.copytree(model, place, symlinks=True)
        site = Site(place)
        site.start_robot()
        return site

    return again


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_durable_step(fresh, moment):
    program = str(Path(__file__).with_name("crashing_serve.py"))
    kills = 0
    for step in range(1, 100):
        with fresh() as site:
            doomed = site.start("doomed", program, str(site.archive), str(step), moment)
            site.wait_for(lambda s=site, d=doomed: d.poll() is not None or ended(s), f"step {step}")
            code = site.stop(doomed)
            assert code in (0, -signal.SIGKILL), site.logs()
            if code:
                kills += 1
                finish(site)
            judge(site, f"{moment} record {step}")
        if not code:
            break
    else:
        pytest.fail("no life passed without being killed")
    print(f"killed {kills} times {moment} a record")
    assert kills >= 10


def test_killed_at_random_moments(fresh):
    """Between records too: while the burner writes, while the disc is read back."""
    chance = random.Random(SEED)
    for round_ in range(4):
        with fresh() as site:
            for _ in range(3):
                doomed = site.serve()
                delay = chance.uniform(0.0, 0.6)
                end = time.monotonic() + delay
                while time.monotonic() < end and not ended(site):
                    time.sleep(0.01)
                site.stop(doomed, signal.SIGKILL)
            finish(site)
            judge(site, f"round {round_}")
