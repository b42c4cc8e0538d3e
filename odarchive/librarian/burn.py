"""Burning one segment onto one disc, and believing it only when it was read back.

Steps, each recorded before the next begins, so that a crash anywhere leaves a state the next start continues from:

1. the image lies in staging (built if it does not), or is only laid out if images are streamed;
2. a blank is in the drive, proven by the drive;
3. the image has an id that no other attempt has and its digest is taken (a staged image is stamped and read, a streamed
   one is made once without being kept, so that all sources are proven), the attempt is recorded (INTENDED);
4. the burning program ends well (WRITTEN): evidence only that it believes itself;
5. after a tray cycle the whole disc is read back and compared (VERIFIED), in one transaction with everything that
   follows from it: the slot holds this disc, the segment is archived, its files are visible;
6. staging is freed, and the job is done.

A medium that fails is waste and the job goes on with another blank, at most ``MAX_ATTEMPTS`` times: three rejects in a
row mean a bad batch or a bad laser, and a person is asked. A burn is never repeated on the same medium. A blank that
the drive will not write is put back and another one tried (``blanks``).
"""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from odarchive.catalogue import discs, jobs, machine, motions, paritysets, renewal
from odarchive.catalogue.database import Connection
from odarchive.catalogue.discs import Attempt, Disc, Segment
from odarchive.correction.dvdisaster import augment
from odarchive.digest import stream_digest
from odarchive.errors import BurnFailed
from odarchive.image.identity import DiscIdentity
from odarchive.image.stamp import stamp
from odarchive.imaging import LeftOut, StreamedImage, build_image, image_size, stream_image
from odarchive.librarian import blanks, settle
from odarchive.librarian.bay import Bay
from odarchive.librarian.duplicate import image_from_copy
from odarchive.librarian.parityimages import parity_images, release
from odarchive.librarian.settle import Kind
from odarchive.librarian.staging import using
from odarchive.librarian.workroom import Workroom
from odarchive.model import DiscState, Job, JobState, SegmentState, SlotState
from robot.errors import BurnError, MediumRefused
from robot.ports import SECTOR, BurnProgress

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An image with its identity and the attempt recorded for it."""

    image: Path | StreamedImage
    size: int
    disc: Disc


async def burn_job(room: Workroom, bay: Bay, job: Job) -> None:
    """Do one burn job with one bay; returns when it is done or has a state that says why not.

    Raises:
        RobotError: the machine failed outside the burn itself; the job stays open.
        OdarchiveError: the image cannot be built; NoSpace: staging cannot be used now.
    """
    assert job.segment is not None  # noqa: S101  burn jobs have one by construction
    segment = await room.read(discs.segment, job.segment)
    rejects = 0
    refusals = blanks.Refusals(room, bay)
    while await _wanted(room, segment):
        with using(room.config.staging):
            size, segment = await _image(room, bay, segment)
        await blanks.fetch(room, bay, await blanks.wanted(room, segment.id, size), refusals.slots)
        try:
            with ExitStack() as held:
                problem = await _attempt(room, bay, job, segment, held)
        except MediumRefused as error:
            await refusals.put_back(error)
            continue
        await refusals.accuse()
        rejects = rejects + 1 if problem else 0
        if rejects >= MAX_ATTEMPTS:
            raise BurnFailed(
                f"{segment.label}: {rejects} discs in a row were spoiled, the last one: {problem}; "
                "check blanks and drive, then `odarchive burn` again"
            )
        segment = await room.read(discs.segment, job.segment)
    with using(room.config.staging):
        if not await room.read(paritysets.keeps_image, segment.id):
            staged(room, segment).unlink(missing_ok=True)
        await release(room, segment.id)
    step = f"{segment.label} is archived"
    await room.write(jobs.set_state, job.id, JobState.DONE, step=step, now_ns=room.now_ns())


async def _wanted(room: Workroom, segment: Segment) -> bool:
    """Whether the segment needs another disc: it is not archived, or copies of it have faded since."""
    wanted = await room.read(discs.wanted, segment.id, room.config.copies)
    few = len(await room.read(discs.copies_of, segment.id)) < wanted
    return few or segment.state is not SegmentState.ARCHIVED


def staged(room: Workroom, segment: Segment) -> Path:
    """Where a segment's image lies while it waits to be burned."""
    return room.config.staging / f"{segment.label}.iso"


async def _image(room: Workroom, bay: Bay, segment: Segment) -> tuple[int, Segment]:
    """Have an image, and tell its size."""
    if _streamed(room, segment):
        bay.doing(f"laying out the image {segment.label}", segment.planned_bytes)
        size = await room.heavy(lambda: image_size(room.catalogue, segment.id, room.config.staging))
        return size, await room.read(discs.segment, segment.id)
    path = staged(room, segment)
    whole = (segment.image_size, segment.disc_size)  # an earlier attempt has put error correction behind it
    if segment.image_size is None or not path.exists() or path.stat().st_size not in whole:
        if await room.read(renewal.on_disc, segment.id):
            await image_from_copy(room, bay, segment, path)
            return segment.disc_size or path.stat().st_size, segment
        if await room.read(paritysets.of, segment.id, paritysets.PARITY) is not None:
            await parity_images(room, bay, segment.id)
            segment = await room.read(discs.segment, segment.id)
            return segment.disc_size or path.stat().st_size, segment
        bay.doing(f"building the image {segment.label}", segment.planned_bytes)
        built = await room.heavy(lambda: build_image(room.catalogue, segment.id, room.config.staging))
        await _note_left_out(room, segment, built.left_out)
    segment = await room.read(discs.segment, segment.id)
    return segment.disc_size or path.stat().st_size, segment


def _streamed(room: Workroom, segment: Segment) -> bool:
    """Whether its image goes straight into the burner. Error correction covers all of an image, so that must lie."""
    return room.config.streamed and segment.ecc_size is None


async def _note_left_out(room: Workroom, segment: Segment, left_out: Iterable[LeftOut]) -> None:
    for one in left_out:
        await room.note("left-out", f"{segment.label}: {one}")


async def _attempt(room: Workroom, bay: Bay, job: Job, segment: Segment, held: ExitStack) -> str:
    """Burn and verify once; returns why the disc is spoiled, or an empty string when it is a copy now.

    ``held`` keeps what a streamed image is made of.
    """
    with using(room.config.staging):
        prepared = await _prepare(room, bay, job, segment, held)
    disc = prepared.disc
    bay.doing(f"burning {disc.label}", prepared.size)

    def progress(report: BurnProgress) -> None:
        bay.activity.done, bay.activity.buffer = report.written, report.buffer_percent

    try:
        await room.burner.burn(bay.drive, prepared.image, prepared.size, progress=progress)
        await room.write(discs.written, disc.id, now_ns=room.now_ns())
        problem = await _verify(room, bay, disc)
    except BurnError as error:
        if not error.medium_touched:
            await room.write(discs.set_state, disc.id, DiscState.ABANDONED, note=str(error))
            bay.found = await settle.settle(room, bay.drive, bay.home, full=True)
            raise
        problem = str(error)
    if problem:
        await _spoiled(room, bay, job, disc, problem)
        return problem
    await _believed(room, bay, job, disc)
    return ""


async def _prepare(room: Workroom, bay: Bay, job: Job, segment: Segment, held: ExitStack) -> _Prepared:
    label = await room.read(discs.free_label, segment)
    disc = room.new_uuid()
    image: Path | StreamedImage
    if _streamed(room, segment):
        bay.doing(f"reading the sources of {label}", segment.planned_bytes)
        streamed = stream_image(room.catalogue, segment.id, room.config.staging, disc=disc, label=label)
        image = await room.heavy(lambda: held.enter_context(streamed))
        await _note_left_out(room, segment, image.left_out)
        digest = image.digest
    else:
        image = staged(room, segment)
        digest = await _stamped(room, bay, segment, label, disc)
    segment = await room.read(discs.segment, segment.id)
    size = segment.disc_size
    assert size is not None  # noqa: S101  the image was just made
    assert size % SECTOR == 0  # noqa: S101  the writer pads to 32 sectors
    profile = bay.found.medium.kind if bay.found is not None and bay.found.medium is not None else ""
    attempt = Attempt(disc, label, digest, int(bay.number), profile)

    def intend(connection: Connection) -> Disc:
        """One transaction: the attempt, and that the blank's slot now belongs to it."""
        now_ns = room.now_ns()
        number = discs.intend(connection, segment, attempt, now_ns=now_ns)
        jobs.count_attempt(connection, job.id)
        if bay.home is not None:
            motions.put_slot(connection, bay.home, SlotState.UNKNOWN, number, "a burn is under way", now_ns=now_ns)
        else:
            discs.put_outside(connection, number, f"the robot's {bay.place}", now_ns=now_ns)
        return discs.get(connection, number)

    return _Prepared(image, size, await room.write(intend))


async def _stamped(room: Workroom, bay: Bay, segment: Segment, label: str, disc: str) -> bytes:
    """Give the staged image its identity; returns its digest."""
    path, size = staged(room, segment), segment.image_size
    assert size is not None  # noqa: S101  the image lies there
    identity = DiscIdentity(archive=room.archive_uuid, disc=disc, label=label, image_size=size)
    bay.doing(f"stamping {label}", size)

    def stamped() -> bytes:
        stamp(path, identity)
        return _digest(path, size, bay)

    def corrected() -> bytes:
        assert segment.ecc_size is not None  # noqa: S101  only then it is called
        augment(path, size, plain, segment.ecc_size)
        return _digest(path, segment.ecc_size, bay)

    plain = await room.heavy(stamped)
    if segment.ecc_size is None:
        return plain
    bay.doing(f"making error correction for {label}", segment.ecc_size)
    return await room.heavy(corrected)


def _digest(path: Path, size: int, bay: Bay) -> bytes:
    with path.open("rb") as file:
        digest, count = stream_digest(file, size, bay.advance)
    if count != size:
        raise BurnFailed(f"the staged image {path} changed size; remove it and the next burn builds it again")
    return digest


async def _verify(room: Workroom, bay: Bay, disc: Disc) -> str:
    """Why the disc is not what it should be, or an empty string."""
    bay.doing(f"verifying {disc.label}", disc.image_size)
    await bay.cycle()
    found = await settle.identify(room, bay.drive, full=True)
    if found.disc is None or found.disc.id != disc.id:
        return f"after the burn the drive finds {found.describe()}"
    problem = await settle.read_back(bay.drive, disc, bay.advance)
    return f"verification: {problem}" if problem else ""


async def _spoiled(room: Workroom, bay: Bay, job: Job, disc: Disc, problem: str) -> None:
    def record(connection: Connection) -> None:
        now_ns = room.now_ns()
        discs.set_state(connection, disc.id, DiscState.SPOILED, note=problem)
        machine.count_burn(connection, int(bay.number), spoiled=True)
        if bay.home is not None:
            motions.put_slot(connection, bay.home, SlotState.SPOILED, disc.id, problem, now_ns=now_ns)
        message = f"disc {disc.label} of {bay.place} is spoiled: {problem}"
        discs.event(connection, "spoiled", message, now_ns=now_ns, disc=disc.id, job=job.id)
        if (warning := discs.batch_warning(connection, disc.id)) is not None:
            log.warning(warning)
            discs.event(connection, "batch", warning, now_ns=now_ns, disc=disc.id, job=job.id)

    await room.write(record)
    bay.found = settle.Found(Kind.UNREADABLE, None, await room.read(discs.get, disc.id), disc.label)
    await bay.clear()


async def _believed(room: Workroom, bay: Bay, job: Job, disc: Disc) -> None:
    """One transaction: the copy and everything that follows from it."""

    def record(connection: Connection) -> Disc:
        now_ns = room.now_ns()
        discs.verified(connection, disc.id, copies=room.config.copies, now_ns=now_ns)
        machine.count_burn(connection, int(bay.number), spoiled=False)
        if bay.home is not None:
            motions.put_slot(connection, bay.home, SlotState.DISC, disc.id, "burned, read back", now_ns=now_ns)
        message = f"disc {disc.label} of {bay.place} burned and read back right"
        discs.event(connection, "verified", message, now_ns=now_ns, disc=disc.id, job=job.id)
        return discs.get(connection, disc.id)

    bay.found = settle.Found(Kind.OURS, None, await room.write(record), disc.label)


async def sweep_staging(room: Workroom) -> None:
    """Remove staged images whose segment is archived: a crash came between the record and the removal."""
    try:
        for path in sorted(room.config.staging.glob("*.iso")):
            segment = await room.read(discs.segment_by_label, path.stem)
            if segment is None or segment.state is not SegmentState.ARCHIVED:
                continue
            if not await room.read(paritysets.keeps_image, segment.id):
                path.unlink(missing_ok=True)
    except OSError as error:  # readers need no staging
        log.warning("staging in %s cannot be swept: %s", room.config.staging, error)
