"""The librarian: one task per drive, fed by readers and by the burn queue. The one owner of the robot.

Rules kept: reads outrank burns; a disc in a drive is served completely before it leaves and held a moment after the
last read; whatever fails is told to whoever waits for it, in words, and the rest goes on. Nothing that matters lives
here only: after ``kill -9`` the next start settles what lies in the drives and picks the queue up.

Concurrency: everything runs in one trio thread. ``_changed`` is replaced whenever something happened that could give a
waiting bay work; a bay chooses and marks its target without an await in between, so two bays never fetch one disc.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import trio

from odarchive.cache import CacheOrder
from odarchive.catalogue import discs, fixity, jobs, machine
from odarchive.errors import NoSpace, OdarchiveError, OperatorNeeded
from odarchive.librarian.asking import Answer, Asked
from odarchive.librarian.bay import BURN_LIMIT, Bay
from odarchive.librarian.burn import burn_job, sweep_staging
from odarchive.librarian.demand import Demand, Habits, Want
from odarchive.librarian.errands import Errands
from odarchive.librarian.inventory import Inventory
from odarchive.librarian.order import Pace, choose, estimates
from odarchive.librarian.recall import Recaller
from odarchive.librarian.stock import take_stock
from odarchive.librarian.turns import Turns
from odarchive.librarian.verify import Order, Readers, verify_job
from odarchive.librarian.workroom import Workroom
from odarchive.model import ContentId, Job, JobId, JobKind, JobState, SegmentId
from robot.errors import BurnError, DriveError, RobotError

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds after which a waiting job is tried again without anybody asking."""
GLANCE = 300.0
"""Seconds between two looks at a machine that nobody uses."""
DRIVE_FAILURES = 3
"""Failures in a row after which a drive is taken out of service until a person puts it back."""


class Librarian:
    """Drives, demand and queue brought together."""

    def __init__(self, room: Workroom, *, patience: float = PATIENCE, glance: float = GLANCE) -> None:
        """``patience``, ``glance``: as the constants, in seconds."""
        self.room = room
        self._patience, self._glance = patience, glance
        self.bays = [Bay(room, drive) for drive in room.drives.values()]
        self.demand = Demand()
        self._recaller = Recaller(room, self.demand, self._others_wait, self._stuck, self._overdue)
        self._turns = Turns(room.config.deadline)
        self._targets: dict[Bay, SegmentId] = {}
        self._idle: list[Bay] = []
        self._told: dict[JobId, str] = {}
        self.inventory = Inventory(room)
        self.errands = Errands(room, self.bays, self.inventory, self.wake)
        self._ill: dict[Bay, RobotError | None] = {}
        self._last_read: dict[Bay, float] = {}
        self._changed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Recover, then work until cancelled.

        Raises:
            RobotError: the machine does not answer at start.
        """
        await self._recover()
        async with trio.open_nursery() as nursery:
            for bay in self.bays:
                nursery.start_soon(self._tend, bay)
            nursery.start_soon(self._retry_waiting)
            nursery.start_soon(self.errands.porter)
            task_status.started()

    def wake(self) -> None:
        """Something changed: new jobs, new wants, a disc came free."""
        self._changed.set()
        self._changed = trio.Event()

    async def look_again(self) -> None:
        """A person says that something changed: waiting jobs are tried now."""
        self._recaller.awaited.changed()
        await self._requeue()

    async def _requeue(self) -> None:
        await self.room.write(jobs.requeue, JobState.WAITING, now_ns=self.room.now_ns())
        self.wake()

    async def order_cache(self, content: ContentId, what: CacheOrder, head: int = 0) -> bool:
        """Pin, unpin or evict a content (but for ``head`` bytes); returns whether that changed anything.

        Raises:
            NoSpace: the disk of the cache is full.
        """
        facts = await self.room.read(discs.content, content)
        return facts is not None and self.room.cache.order(facts[0], what, head)

    async def recall(self, content: ContentId, wait: float) -> tuple[str, str]:
        """Bring a content into the cache; returns after at most ``wait`` seconds.

        Returns:
            (``done``, ``waiting`` or ``failed``; why).
        """
        facts = await self.room.read(discs.content, content)
        if facts is None:
            return "failed", f"there is no content {content}"
        if facts[0] in self.room.cache:
            self._recaller.stores.loose.forget(content, 0)
            return "done", ""
        want = self.demand.get(content)
        if want is None or want.job is None:
            want = await self._want(content)
        if want is None:
            return "failed", "no verified disc carries it yet"
        woken = trio.Event()
        want.on_change.append(woken.set)
        if not want.ended:
            with trio.move_on_after(wait):
                await woken.wait()
        if want.ended:
            return ("done", "") if want.done else ("failed", want.why)
        want.on_change.remove(woken.set)
        return "waiting", want.why or "waiting for its disc"

    def chunk(self, content: ContentId, number: int) -> bytes | None:
        """A chunk that went past the cache, if it still is in memory."""
        return self._recaller.stores.loose.get(content, number)

    def estimates(self) -> dict[ContentId, float]:
        """How long each want still waits, about, in seconds."""
        loaded = {segment for bay in self.bays if (segment := self._loaded(bay)) is not None}
        return estimates(self.demand, loaded, self._pace(), trio.current_time())

    def _pace(self) -> Pace:
        return Pace(drives=sum(not bay.activity.step.startswith("out of service") for bay in self.bays))

    async def _want(self, content: ContentId) -> Want | None:
        """All of a content is asked for; None: no disc gives all of it."""
        places = await self._recaller.stores.places(content)
        if places is None or not places.pieces:
            return None
        job = await self.room.write(jobs.enqueue_recall, content, now_ns=self.room.now_ns())
        want = await self._recaller.ask_whole(places, job)
        self.wake()
        return want

    async def recall_part(self, content: ContentId, part: Asked, wait: float) -> Answer:
        """Bring a range of a content to where it can be read; returns after at most ``wait`` seconds."""
        answer = await self._recaller.ask_part(content, part, self.wake)
        if isinstance(answer, Answer):
            return answer
        if answer is None:
            return Answer(*await self.recall(content, wait))
        with trio.move_on_after(wait):
            await answer.woken.wait()
        return answer.end()

    async def _recover(self) -> None:
        room = self.room
        for bay in self.bays:  # a burner of an earlier life finishes first: starting may open the tray it writes in
            await room.burner.wait_idle(bay.drive, timeout=BURN_LIMIT)
        await room.jukebox.start()
        records = await room.read(machine.drives)
        for bay in self.bays:
            record = records.get(int(bay.number))
            if record is not None and record.failures:
                self._ill[bay] = None
            try:
                if record is not None and record.why:
                    raise DriveError(record.why)  # noqa: TRY301  still out of service: it is not even looked into
                await bay.adopt()
            except DriveError as error:  # the others go on
                self._ill[bay] = error
        await room.write(jobs.requeue, JobState.RUNNING, now_ns=room.now_ns())
        await room.write(jobs.requeue, JobState.WAITING, now_ns=room.now_ns())
        await room.write(jobs.forget_old_recalls)
        await sweep_staging(room)
        self.demand.habits = Habits(await room.read(jobs.recalls_by_segment))
        for job in await room.read(jobs.jobs, only_open=True, kind=JobKind.RECALL):
            if job.content is not None and (places := await self._recaller.stores.places(job.content)) is not None:
                await self._recaller.ask_whole(places, job.id)

    async def _tend(self, bay: Bay) -> None:
        if (ill := self._ill.get(bay)) is not None:
            await self._recover_bay(bay, ill)
        while True:
            work = await self._next(bay)
            try:
                await work()
                if bay in self._ill:
                    del self._ill[bay]
                    await self.room.write(machine.drive_well, int(bay.number))
            except RobotError as error:
                await self._recover_bay(bay, error)
            except OperatorNeeded as error:  # whoever waits was told by the work itself; here nobody did
                bay.doing(f"waits for a person: {error}")
                log.warning("drive %s: %s", bay.number, error)
                await trio.sleep(self._patience)
            finally:
                self._targets.pop(bay, None)
                self._last_read[bay] = trio.current_time()
                bay.doing("idle")
                self.wake()

    async def _next(self, bay: Bay) -> Callable[[], Awaitable[None]]:
        """Wait until there is something for this bay to do."""
        self._idle.append(bay)
        try:
            while True:
                changed = self._changed
                if (errand := self.errands.take(bay)) is not None:
                    return errand
                loaded = None if self._overdue(bay) else self._useful(bay)
                others = self._elsewhere(bay) | self._served_enough(bay)
                segment = choose(self.demand, loaded, others, trio.current_time(), self._pace())
                if segment is not None and (segment == loaded or self._mine(bay)):
                    if segment == loaded or not await self._held(bay):
                        self._targets[bay] = segment
                        return partial(self._serve, bay, segment)
                    continue
                if segment is None and (queued := await self._claim(bay)) is not None:
                    return queued
                if segment is None and (number := await self._to_look_into(bay)):
                    return partial(self.inventory.look, bay, number)
                if changed is self._changed:
                    await changed.wait()
        finally:
            self._idle.remove(bay)

    async def _claim(self, bay: Bay) -> Callable[[], Awaitable[None]] | None:
        """The next of the queue for a bay: burns before verifications."""
        if (job := await self._claim_burn(bay)) is not None:
            return partial(self._burn, bay, job)
        if not await self.room.read(fixity.waits):
            return None
        alone = len(self.bays) - len(self._ill) < 2
        drive, now_ns = int(bay.number), self.room.now_ns()
        held = None if alone else bay.disc
        if held is not None and await self.room.read(fixity.wanted_elsewhere, drive, held, now_ns=now_ns):
            return bay.clear
        busy = [other.disc for other in self.bays if other is not bay and other.disc is not None]
        taken = [slot for slot in self.room.claims - {bay.home} if not self._stuck(slot)]
        found = await self.room.write(fixity.claim, drive, busy, taken, alone=alone, now_ns=now_ns)
        return None if found is None else partial(self._verify, bay, Order(*found))

    async def _claim_burn(self, bay: Bay) -> Job | None:
        """The next burn, now running. Most of the time there is none: then nothing is written.

        A copy of a disc that lies in another idle drive is that drive's to make: it has the disc to read from.
        """
        if (segment := await self.room.read(jobs.next_burn)) is None:
            return None
        if any(other is not bay and self._loaded(other) == segment for other in self._idle):
            return None
        return await self.room.write(jobs.claim_burn, now_ns=self.room.now_ns())

    async def _to_look_into(self, bay: Bay) -> int | None:
        try:
            return await self.inventory.choose(bay, self._last_read.get(bay, -1e9))
        except RobotError as error:  # nobody asked for it: it can wait until the machine answers
            log.info("no inventory now: %s", error)
            return None

    def _loaded(self, bay: Bay) -> SegmentId | None:
        found = bay.found
        return found.disc.segment if found is not None and found.disc is not None else None

    def _useful(self, bay: Bay) -> SegmentId | None:
        """The segment of the disc in a bay, unless that very disc has failed everybody who wants it."""
        segment, disc = self._loaded(bay), bay.disc
        wants = [] if segment is None else self.demand.on(segment)
        if segment is None or disc is None or not wants:
            return segment
        return segment if any(want.useful(disc, segment) for want in wants) else None

    def _overdue(self, bay: Bay) -> bool:
        """Whether the disc in a bay has had its turn and somebody waits for one that no drive has."""
        here = {self._loaded(other) for other in self.bays} | set(self._targets.values())
        here |= self._recaller.awaited.segments()
        return self._turns.is_over(bay, sum(segment not in here for segment in self.demand.segments()))

    def _served_enough(self, bay: Bay) -> set[SegmentId]:
        segment = self._loaded(bay)
        return {segment} if segment is not None and self._overdue(bay) else set()

    def _stuck(self, slot: int) -> str:
        for bay in self.bays:
            if bay.home == slot and bay.activity.step.startswith("out of service"):
                return f"drive {bay.number}, which is {bay.activity.step}"
        return ""

    def _elsewhere(self, bay: Bay) -> set[SegmentId]:
        others = [other for other in self.bays if other is not bay]
        held = {segment for other in others if (segment := self._useful(other)) is not None and self._serves(other)}
        targets = {segment for other, segment in self._targets.items() if other is not bay}
        return held | targets | self._recaller.awaited.segments()

    def _serves(self, bay: Bay) -> bool:
        """Whether what lies in this bay will be served by it: it is idle, or at that very disc."""
        return bay in self._idle or bay in self._targets

    def _mine(self, bay: Bay) -> bool:
        """Among idle bays the empty or longest unused one fetches the next disc."""

        def rank(candidate: Bay) -> tuple[bool, float, int]:
            return candidate.loaded, self._last_read.get(candidate, 0.0), int(candidate.number)

        return min(self._idle, key=rank) is bay

    async def _held(self, bay: Bay) -> bool:
        """Hold the loaded disc a moment after its last read; True if something changed meanwhile."""
        rest = self._last_read.get(bay, -1e9) + self.room.config.hold - trio.current_time()
        if not bay.loaded or self._loaded(bay) is None or rest <= 0:
            return False
        with trio.move_on_after(rest) as scope:
            await self._changed.wait()
        return not scope.cancelled_caught

    def _others_wait(self, bay: Bay) -> bool:
        here = {self._loaded(other) for other in self.bays} | set(self._targets.values())
        here |= self._recaller.awaited.segments()
        return not self._idle and any(segment not in here for segment in self.demand.segments())

    async def _serve(self, bay: Bay, segment: SegmentId) -> None:
        try:
            await self._recaller.serve(bay, segment)
        except RobotError as error:
            await self._recaller.robot_failed(error, segment)
            raise
        except OperatorNeeded as error:
            for want in self.demand.on(segment):
                await self._recaller.fail(want, str(error))

    async def _burn(self, bay: Bay, job: Job) -> None:
        try:
            await burn_job(self.room, bay, job)
        except (OperatorNeeded, NoSpace, RobotError) as error:
            await self._tell(job, JobState.WAITING, str(error))
            if isinstance(error, RobotError) and not isinstance(error, BurnError):
                raise
        except OdarchiveError as error:
            await self._tell(job, JobState.FAILED, str(error))

    async def _verify(self, bay: Bay, order: Order) -> None:
        segment = (await self.room.read(discs.get, order.disc)).segment
        self._targets[bay] = segment  # its readers are served on the way, by this bay
        readers = Readers(lambda wanted: wanted in self.demand.segments(), self._serve, self._others_wait, self._stuck)
        try:
            await verify_job(self.room, bay, order, readers)
        except (OperatorNeeded, RobotError) as error:
            await self._tell(await self.room.read(jobs.get, order.job), JobState.WAITING, str(error))
            if isinstance(error, RobotError):
                raise

    async def _tell(self, job: Job, state: JobState, why: str) -> None:
        room = self.room
        await room.write(jobs.set_state, job.id, state, now_ns=room.now_ns(), why=why)
        if self._told.get(job.id) == why:
            return  # a person is told once
        self._told[job.id] = why
        log.warning("job %s: %s", job.id, why)
        await room.note("job-" + state.value, why, job=job.id)

    async def _recover_bay(self, bay: Bay, error: RobotError) -> None:
        """The machine failed: say so, then look at it until it can be looked at, without moving anything blindly."""
        log.error("drive %s: %s", bay.number, error)
        await self.room.note("robot", f"drive {bay.number}: {error}")
        while True:
            bay.doing(f"out of service: {error}")
            if isinstance(error, DriveError):
                await self._quarantined(bay, error)
            try:
                await self.room.jukebox.start()
                await bay.adopt()
            except RobotError as again:
                if str(again) != str(error):
                    await self.room.note("robot", f"drive {bay.number}: {again}")
                error = again
                bay.doing(f"out of service: {again}")
                await trio.sleep(self._patience)
            else:
                return

    async def _quarantined(self, bay: Bay, error: DriveError) -> None:
        """A drive that failed again and again is left alone until a person puts it back into service."""
        room, number = self.room, int(bay.number)
        self._ill[bay] = error
        known = (await room.read(machine.drives)).get(number)
        if (known is None or not known.why) and await room.write(machine.drive_failed, number) >= DRIVE_FAILURES:
            await room.write(machine.quarantine, number, str(error))
            await room.note("quarantine", f"drive {number} failed {DRIVE_FAILURES} times in a row: {error}")
        while (record := (await room.read(machine.drives)).get(number)) is not None and record.why:
            bay.doing(f"out of service: {record.why}; look at it, then: odarchive drive release {number}")
            await self._changed.wait()

    async def _retry_waiting(self) -> None:
        glance = 0.0
        while True:
            await trio.sleep(self._patience)
            glance += self._patience
            to_verify = await self.room.read(fixity.waits)  # its disc may have come home meanwhile
            if await self.room.read(jobs.any_waits):
                await self._requeue()
            elif to_verify or self._recaller.awaited:
                self.wake()
            if glance >= self._glance:
                glance = 0.0
                with suppress(RobotError):  # whoever needs the machine tells it
                    await take_stock(self.room)
                self.wake()
