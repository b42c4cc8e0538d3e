"""One seed, one story: a stormy time with crashes, then calm weather in which everything must come to a good end.

``run(seed)`` is deterministic: the seed decides the site, the weather and the order in which trio runs its tasks, so
the same seed gives the same trace (``Report.digest``), in any process.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import trio
from trio._core import _run as trio_run
from trio.testing import MockClock

from odarchive.catalogue import jobs, schema
from odarchive.librarian.scheduler import Librarian
from odarchive.model import JobState
from robot.errors import RobotError
from tests.simulation import judge
from tests.simulation.branches import counted
from tests.simulation.chance import Dice
from tests.simulation.parts import HostCrashError
from tests.simulation.people import Person
from tests.simulation.scene import Scene, Site, shared_memory

STORM = 6 * 3600.0
"""Virtual seconds of bad weather."""
CALM = 16 * 3600.0
"""Virtual seconds within which everything must be well again; longer is a stall."""

LINE = ("mute", "deaf", "late", "garbled", "half", "earlier")
MOTION = ("jam-empty", "jam-held", "drop", "double-pick", "wrong-slot", "door", "power", "fault")
OTHERS = {
    "tray-stuck": 0.05,
    "not-ready": 0.1,
    "read-error": 0.05,
    "write-error": 0.3,
    "burner-killed": 0.2,
    "bad-burn": 0.3,
    "burner-missing": 0.1,
    "crash-before-commit": 0.02,
    "crash-after-commit": 0.02,
    "crash": 1.0,
    "power-cut": 0.3,
    "person": 1.0,
    "clock": 0.3,
}

NEWER = {
    "unplugged": 0.005,
    "tray-closes": 0.1,
    "reads-memory": 0.5,
    "not-closed": 0.3,
    "slow-burn": 0.3,
    "burner-hangs": 0.2,
    "refused": 0.2,
    "reboot-ejects": 0.3,
    "disk-full": 0.1,
    "hand": 0.3,
}
"""Faults that only ``NEWER_SEEDS`` know, so that the stories of all others stay what they were."""
NEWER_SEEDS = range(100_000, 200_000)


@dataclass
class Report:
    """How a story went."""

    seed: int
    digest: str = ""
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    virtual: float = 0.0
    lines: list[str] = field(default_factory=list)


Planted = Callable[[], AbstractContextManager[None]]


@contextmanager
def _seeded(seed: int):
    """trio's own choices come from the seed too."""
    before = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True
    trio_run._r.seed(seed)
    try:
        yield
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = before


def run(seed: int, planted: Planted = nullcontext) -> Report:
    """Play one seed. ``planted``: a bug to play it with."""
    report = Report(seed)
    dice = Dice(seed)
    _weather(dice, seed)
    root = shared_memory() / f"seed-{seed}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        with _seeded(seed), planted(), counted(dice):
            trio.run(_story, root, dice, report, clock=MockClock(autojump_threshold=0))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    report.digest, report.lines = dice.digest, dice.lines
    report.counts.update(dice.counts)
    return report


def _weather(dice: Dice, seed: int) -> None:
    """A few kinds of trouble for each seed: all at once would hide what one alone does."""
    rates = dice.rates
    rates["line"], rates["motion"] = dice.random.choice([0, 0.01, 0.05]), dice.random.choice([0, 0.1, 0.3])
    for name in (*LINE, *MOTION):
        rates[name] = dice.random.choice([0.0, 1.0])
    for name, rate in (OTHERS | (NEWER if seed in NEWER_SEEDS else {})).items():
        rates[name] = rate * dice.random.choice([0, 0, 0.5, 1])


async def _story(root, dice: Dice, report: Report) -> None:
    async with trio.open_nursery() as nursery:
        site = Site(
            copies=dice.random.choice([1, 1, 2]),
            blanks=dice.random.choice([3, 6, 8]),
            lose_images=dice.random.random() < 0.2,
        )
        scene = Scene(root, dice, site, nursery)
        person = Person(scene)
        nursery.start_soon(person.wander)
        try:
            with trio.move_on_after(STORM):
                while True:
                    await _one_life(scene, report, _weathered)
            await _calm(scene, person, report)
            dice.log("the end")
        except _Judged as judged:
            report.violations += judged.findings
        report.virtual = trio.current_time()
        _count(scene, report)
        nursery.cancel_scope.cancel()


class _Judged(Exception):
    def __init__(self, findings: list[str]) -> None:
        super().__init__(findings)
        self.findings = findings


def _judge(findings: list[str]) -> None:
    if findings:
        raise _Judged(findings)


async def _one_life(scene: Scene, report: Report, during: Callable) -> None:
    dice = scene.dice
    dice.log("a life begins")
    dice.count("lives")
    try:
        async with scene.life() as librarian:
            await during(scene, librarian)
    except BaseExceptionGroup as group:
        _survive(dice, group)
    dice.log("a life ends")
    _judge(judge.always(scene))
    await trio.sleep(dice.random.choice([5, 300]))


def _survive(dice: Dice, group: BaseExceptionGroup) -> None:
    """A crash of the host and a machine that does not answer at start are part of the story; nothing else is."""
    rest = group.split(HostCrashError)[1]
    rest = rest.split(RobotError)[1] if rest is not None else None
    if group.subgroup(RobotError) is not None:
        dice.count("branch no robot at start")
    if rest is not None:
        raise rest


async def _weathered(scene: Scene, librarian: Librarian) -> None:
    """A life in the storm: readers ask; the host crashes, the clock jumps, or nothing happens for a while."""
    dice = scene.dice
    async with trio.open_nursery() as nursery:
        for _ in range(dice.random.randint(0, 3)):
            nursery.start_soon(_reader, scene, librarian)
        await trio.sleep(dice.random.expovariate(1 / 4000))
        if dice.strikes("clock"):
            scene.skew_ns += dice.random.randint(-(10**15), 10**15)
        if dice.strikes("power-cut"):
            scene.power_cut()
            scene.host.die("power cut")
        if dice.strikes("crash"):
            scene.host.die("at a random moment")
        nursery.cancel_scope.cancel()


async def _reader(scene: Scene, librarian: Librarian) -> None:
    contents = sorted(scene.contents)
    while True:
        await trio.sleep(scene.dice.random.expovariate(1 / 900))
        content = scene.dice.random.choice(contents)
        state, why = await librarian.recall(content, scene.dice.random.choice([0.0, 60.0, 3600.0]))
        scene.dice.count(f"recall {state}")
        scene.dice.log(f"recall of {content}: {state} {why}")
        if state == "done":
            _check_cached(scene, content)


def _check_cached(scene: Scene, content) -> None:
    from odarchive.digest import content_digest

    body = scene.contents[content]
    name = content_digest(body).hex()
    path = scene.config.cache / name[:2] / name[2:]
    if path.exists() and path.read_bytes() != body:
        raise _Judged([f"the cache holds wrong bytes of content {content}"])


async def _calm(scene: Scene, person: Person, report: Report) -> None:
    """No more trouble, and a person who helps: all must be burned, readable and known in bounded time."""
    scene.dice.storm = False
    scene.dice.log("calm")
    end = trio.current_time() + CALM
    await person.help()
    with trio.move_on_at(end) as patience:
        try:
            async with scene.life() as librarian:
                await _burn_all(scene, librarian, person)
                await _read_all(scene, librarian, person)
        except BaseExceptionGroup as group:
            judged = group.subgroup(_Judged)
            if judged is None:
                raise
            while isinstance(judged, BaseExceptionGroup):
                judged = judged.exceptions[0]
            raise judged from None
    if patience.cancelled_caught:
        open_jobs = [(j.kind.value, j.state.value, j.why) for j in scene.look(jobs.jobs) if not j.state.ended]
        raise _Judged([f"stall: {open_jobs}"])
    _judge(judge.always(scene))
    _judge(judge.beliefs(scene, exact=False))
    _judge(judge.tracked(scene))


async def _burn_all(scene: Scene, librarian: Librarian, person: Person) -> None:
    """Wait for the queue; a person helps when asked, and asks again for what failed."""
    while True:
        await trio.sleep(300)
        burns = [job for job in scene.look(jobs.jobs) if job.kind == "burn"]
        if all(job.state is JobState.DONE for job in burns):
            segments = {job.segment for job in burns}
            assert segments == {1, 2, 3}
            return
        if any(job.state is JobState.WAITING for job in burns):
            scene.dice.count("branch a job waits for a person")
            await person.help()
            await librarian.look_again()
        if any(job.state is JobState.FAILED for job in burns):
            _requeue(scene)
            await librarian.look_again()
        done = {job.segment for job in burns if job.state is JobState.DONE}
        if done == {1, 2, 3} and not any(job.state is not JobState.DONE and not job.state.ended for job in burns):
            return


def _requeue(scene: Scene) -> None:
    scene.change(jobs.enqueue_burns, None, now_ns=scene.now_ns())


async def _empty_drives(librarian: Librarian) -> None:
    for errand in librarian.errands.park():
        with trio.move_on_after(3600):
            await errand.ended.wait()


async def _tidy(librarian: Librarian, person: Person) -> None:
    """What a person does who is told that a disc cannot be found or made out: empty the drives, look at the discs."""
    await _empty_drives(librarian)
    await person.help()


async def _read_all(scene: Scene, librarian: Librarian, person: Person) -> None:
    for folder in sorted(scene.config.cache.iterdir()):
        for file in sorted(folder.iterdir()):
            file.unlink()
    for content in sorted(scene.contents):
        for _ in range(20):
            state, why = await librarian.recall(content, 3600.0)
            if state == "done":
                break
            scene.dice.count(f"calm recall {state}")
            await _tidy(librarian, person)
            await trio.sleep(600)
        else:
            raise _Judged([f"content {content} cannot be read in calm weather: {why}"])
        _check_cached(scene, content)
    await _empty_drives(librarian)  # else what lies in the home slot of a disc in a drive stays unknown
    await trio.sleep(3600)


def _count(scene: Scene, report: Report) -> None:
    """Branches as the catalogue remembers them."""

    def rows(connection):
        motions = connection.execute(schema.motion.select()).all()
        events = connection.execute(schema.event.select()).all()
        attempts = connection.execute(schema.disc.select()).all()
        return motions, events, attempts

    motions, events, attempts = scene.look(rows)
    report.counts.update(f"motion {row.outcome}" for row in motions)
    report.counts.update(f"event {row.kind}" for row in events)
    report.counts.update(f"disc {row.state}" for row in attempts)


__all__ = ["Report", "random", "run"]
