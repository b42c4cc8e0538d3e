"""What the librarian says of itself, as documents for HTTP, commands and pages. Reads only, moves nothing."""

import os
from typing import Any

import trio

from odarchive.catalogue import discs, jobs, motions
from odarchive.librarian.bay import Bay
from odarchive.librarian.scheduler import Librarian
from robot.errors import Busy
from robot.ports import ElementKind, Fill

ANSWER_LIMIT = 20.0
"""Seconds the machine may take for an answer: less than who asks waits."""
MOST_NAMED = 1000
"""Contents in part that the report of the cache tells one by one."""


async def status_report(librarian: Librarian) -> dict[str, Any]:
    """Drives, open jobs, readers that wait, cache, counts. From memory and catalogue; does not ask the machine."""
    room = librarian.room
    open_jobs = await room.read(jobs.jobs, only_open=True)
    waits = librarian.estimates()
    return {
        "archive": room.archive_uuid,
        "pid": os.getpid(),
        "drives": [_bay(librarian, bay) for bay in librarian.bays],
        "jobs": [
            {
                "id": job.id,
                "kind": job.kind.value,
                "state": job.state.value,
                "segment": job.segment,
                "content": job.content,
                "attempts": job.attempts,
                "why": job.why,
            }
            for job in open_jobs
        ],
        "waiting_readers": len(librarian.demand.asked()),
        "wants": [
            {
                "content": want.content,
                "job": want.job,
                "seconds_left": round(waits[want.content]),
                "why": want.why,
            }
            for want in librarian.demand.asked()
        ],
        "cache": {"files": len(room.cache), "bytes": room.cache.used, "quota": room.cache.quota},
        "discs": await room.read(discs.tally),
        "loads": await room.read(motions.loads),
    }


def cache_report(librarian: Librarian) -> dict[str, Any]:
    """How full the cache is. From memory and one question to its disk."""
    cache = librarian.room.cache
    disk = os.statvfs(cache.directory)
    parts, held = cache.parts()
    return {
        "directory": os.fspath(cache.directory),
        "files": len(cache),
        "bytes": cache.used,
        "quota": cache.quota,
        "parts": parts,
        "part_bytes": held,
        "partial": [{"digest": digest.hex(), "bytes": size} for digest, size in cache.partly(MOST_NAMED)],
        "keep_free": cache.keeping.free,
        "keep_small": cache.keeping.small,
        "keep_head": cache.keeping.head,
        "pinned": len(cache.pinned),
        "free": disk.f_bavail * disk.f_frsize,
    }


async def robot_report(librarian: Librarian) -> dict[str, Any]:
    """The machine's own word and what the archive believes of each slot, side by side.

    Raises:
        Busy: its arm is at work for long, or a person who is the arm has not answered yet.
        CommunicationLost: it does not answer.
    """
    room = librarian.room
    with trio.move_on_after(ANSWER_LIMIT) as waiting:
        identity = await room.jukebox.identify()
        status = (await room.jukebox.status()).machine
    if waiting.cancelled_caught:
        doing = "; ".join(f"drive {bay.number}: {bay.activity.step}" for bay in librarian.bays)
        raise Busy(f"its arm is at work ({doing}); ask again later, or see `odarchive robot asked`")
    beliefs = await room.read(discs.slots)
    labels = await room.read(discs.labels)
    slots = []
    for element in status.elements:
        if element.element.kind is ElementKind.SLOT:
            belief = beliefs.get(element.element.number)
            known = belief is not None and element.fill is not Fill.EMPTY
            slots.append(
                {
                    "slot": element.element.number,
                    "machine": element.fill.value,
                    "believed": belief.state.value if belief is not None and known else "",
                    "recorded": belief.state.value if belief is not None else "",
                    "out": element.element.number in room.claims,
                    "disc": labels.get(belief.disc) if belief is not None and belief.disc is not None else None,
                }
            )
    return {
        "vendor": identity.vendor,
        "model": identity.model,
        "firmware": identity.firmware,
        "serial": identity.serial,
        "state": status.state.value,
        "moves": status.moves,
        "loads": await room.read(motions.loads),
        "drives": [_bay(librarian, bay) for bay in librarian.bays],
        "other": [
            {"element": str(state.element), "machine": state.fill.value}
            for state in status.elements
            if state.element.kind is not ElementKind.SLOT
        ],
        "slots": slots,
    }


def _bay(librarian: Librarian, bay: Bay) -> dict[str, Any]:
    now_ns = librarian.room.now_ns()
    seconds = max((now_ns - bay.activity.since_ns) / 1e9, 1e-3)
    speed, rest = bay.activity.done / seconds, bay.activity.total - bay.activity.done
    return {
        "drive": int(bay.number),
        "holds": bay.found.describe() if bay.found is not None else "nothing",
        "slot": bay.home,
        "doing": bay.activity.step,
        "bytes_read": bay.drive.bytes_read,
        "done_bytes": bay.activity.done,
        "total_bytes": bay.activity.total,
        "bytes_per_second": round(speed),
        "seconds_left": round(rest / speed) if speed and bay.activity.total else None,
        "buffer_percent": bay.activity.buffer,
    }
