"""Bugs planted on purpose: each must be caught by the simulation within a number of seeds, or the simulation is blind.

Each is a context manager that makes the real code wrong in one way while it is open.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

from odarchive.catalogue import discs, machine, motions
from odarchive.librarian import bay, burn, settle, stock
from odarchive.librarian.settle import Kind
from odarchive.model import DiscState
from robot import arm
from robot.evidence import Finding
from robot.ports import Fill, MotionOutcome
from tests.simulation import parts, scene


@contextmanager
def commit_before_verify() -> Iterator[None]:
    """A burn that ends well counts as a copy without being read back."""

    async def believed(room, a_bay, disc):
        return ""

    with patch.object(burn, "_verify", believed):
        yield


@contextmanager
def verify_reads_the_image_in_staging() -> Iterator[None]:
    """The read-back compares with what was meant to be written, not with the disc."""

    async def read_back(drive, disc, progress=None):
        return ""

    with patch.object(settle, "read_back", read_back):
        yield


@contextmanager
def no_tray_cycle() -> Iterator[None]:
    """The tray is not moved before a disc is read back."""

    async def nothing(_drive):
        return None

    with patch.object(settle, "cycle", nothing), patch.object(bay, "cycle", nothing):
        yield


@contextmanager
def good_after_a_crash() -> Iterator[None]:
    """After a crash a burn is assumed to have ended well when its label can be read."""

    async def settle_ours(room, drive, found, disc):
        if disc.state in (DiscState.INTENDED, DiscState.WRITTEN, DiscState.ABANDONED):
            await room.write(settle._verified, disc, room.config.copies, room.now_ns())
        return dataclasses.replace(found, disc=await room.read(discs.get, disc.id))

    with patch.object(settle, "_settle_ours", settle_ours):
        yield


@contextmanager
def blind_retry() -> Iterator[None]:
    """A motion that was not confirmed is commanded again."""
    command = arm.Arm._command

    async def again(self, source, destination):
        began, error = await command(self, source, destination)
        return (began, error) if error is None else await command(self, source, destination)

    def moved(source, destination, witnesses):
        return Finding(MotionOutcome.DONE if witnesses.confirmed else MotionOutcome.FAILED, "the reply")

    with patch.object(arm.Arm, "_command", again), patch.object(arm, "find", moved):
        yield


@contextmanager
def no_blank_check() -> Iterator[None]:
    """What is believed blank is burned on: neither the drive nor the burning program is asked."""
    identify = settle.identify

    async def trusting(room, drive, *, full=False):
        found = await identify(room, drive, full=full)
        return dataclasses.replace(found, kind=Kind.BLANK, disc=None) if found.kind is Kind.FOREIGN else found

    burner = parts.SimBurner.__init__

    def careless(self, *arguments):
        burner(self, *arguments)
        self.checks_blank = False

    with patch.object(settle, "identify", trusting), patch.object(parts.SimBurner, "__init__", careless):
        yield


@contextmanager
def one_id_for_all_attempts() -> Iterator[None]:
    """Every attempt of a segment carries the same id."""

    def uuid(self):
        return "00000000-0000-4000-9000-000000000001"

    def intend(connection, of, attempt, *, now_ns):
        known = discs.by_uuid(connection, attempt.uuid)
        if known is None:
            return real(connection, of, attempt, now_ns=now_ns)
        discs.set_state(connection, known.id, DiscState.INTENDED)
        return known.id

    real = discs.intend
    with patch.object(scene.Scene, "_new_uuid", uuid), patch.object(discs, "intend", intend):
        yield


@contextmanager
def door_ignored() -> Iterator[None]:
    """Access to the machine changes no belief, and labels are not held against beliefs."""

    def nothing(*_arguments, **_more):
        return 0

    def record(connection, home, found, now_ns):
        slot = discs.slots(connection).get(home)
        if slot is None or slot.disc is None:
            real(connection, home, found, now_ns)

    real = settle.record_slot
    with (
        patch.object(machine, "doubt", nothing),
        patch.object(settle, "record_slot", record),
        patch.object(bay, "record_slot", record),
    ):
        yield


@contextmanager
def sensors_ignored() -> Iterator[None]:
    """Slots are what they were believed to be, whatever the machine sees."""
    with patch.object(machine, "see_fills", lambda *_a, **_k: []), patch.object(machine, "doubt", lambda *_a, **_k: 0):
        yield


@contextmanager
def first_reading_condemns() -> Iterator[None]:
    """A disc is waste after one reading that failed."""
    with patch.object(settle, "TRIES", 1):
        yield


@contextmanager
def trouble_is_waste() -> Iterator[None]:
    """What a drive cannot make out is thrown away."""

    def record(connection, home, found, now_ns):
        real(connection, home, found, now_ns)
        if found.kind is Kind.UNREADABLE:
            motions.put_slot(connection, home, "spoiled", None, "unreadable", now_ns=now_ns)

    real = settle.record_slot
    with patch.object(settle, "record_slot", record), patch.object(bay, "record_slot", record):
        yield


@contextmanager
def label_not_read_after_load() -> Iterator[None]:
    """The disc in the drive is taken for the one its slot is said to hold.

    Not among those that must be caught: digests find the wrong bytes, and the disc is looked for again.
    """

    async def trusting(room, drive, home, *, full):
        slot = (await room.read(discs.slots)).get(home)
        if slot is not None and slot.disc is not None and slot.state == "disc":
            disc = await room.read(discs.get, slot.disc)
            return settle.Found(Kind.OURS, None, disc, disc.label)
        return await real(room, drive, home, full=full)

    real = settle.settle
    with patch.object(bay, "settle", trusting):
        yield


@contextmanager
def parking_slot_is_used() -> Iterator[None]:
    """Discs go home even when somebody else's disc lies there: the sensor is not asked."""
    with patch.object(bay, "fill_of", lambda _status, _element: Fill.EMPTY):
        yield


@contextmanager
def image_freed_too_early() -> Iterator[None]:
    """A failed attempt is forgotten and its segment counts as archived."""
    spoiled = burn._spoiled

    async def forgiving(room, a_bay, job, disc, problem):
        await spoiled(room, a_bay, job, disc, problem)
        await room.write(discs.verified, disc.id, copies=1, now_ns=room.now_ns())

    with patch.object(burn, "_spoiled", forgiving):
        yield


@contextmanager
def intent_after_the_act() -> Iterator[None]:
    """A burn attempt is recorded only when it has ended."""
    prepare = burn._prepare

    async def forgetful(room, *arguments):
        prepared = await prepare(room, *arguments)
        await room.write(discs.set_state, prepared.disc.id, DiscState.ABANDONED)
        return prepared

    with patch.object(burn, "_prepare", forgetful), patch.object(settle, "_settle_ours", _never_settles):
        yield


async def _never_settles(_room, _drive, found, _disc):
    return found


BUGS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    bug.__name__: bug
    for bug in (
        commit_before_verify,
        verify_reads_the_image_in_staging,
        no_tray_cycle,
        good_after_a_crash,
        blind_retry,
        no_blank_check,
        one_id_for_all_attempts,
        door_ignored,
        sensors_ignored,
        first_reading_condemns,
        trouble_is_waste,
        image_freed_too_early,
        intent_after_the_act,
    )
}

__all__ = ["BUGS", "label_not_read_after_load", "stock"]
