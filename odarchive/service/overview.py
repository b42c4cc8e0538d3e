"""What the status page shows, as values ready to be put into its template. Reads only, moves nothing.

All text may come from discs and file names, so it stays text here: the template escapes it.
"""

import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import trio

from odarchive.asked import Box, Question
from odarchive.catalogue import archive, diary, discs, machine, wanted
from odarchive.catalogue.database import Connection
from odarchive.librarian.bay import Bay
from odarchive.librarian.demand import Want
from odarchive.librarian.scheduler import Librarian
from odarchive.model import ContentId, DiscId, Job, JobKind, SegmentId
from odarchive.service.durations import duration, estimate
from odarchive.service.needs import needs, open_jobs
from robot.errors import RobotError
from robot.wire.errand import choices

MOST_ROWS = 40
"""Jobs shown at the most."""
MOST_RECALLS, MOST_LINES = 12, 10
"""Recalls (and questions of readers), and lines of the diary, shown at the most."""
_GLANCE = 0.5
"""Seconds the machine may take to say how many slots it has; while its arm is at work it does not answer."""
NEVER_SEEN = "not-looked-at"
_RINGS = ((278.0, 240.0), (228.0, 190.0), (178.0, 140.0))
"""Outer and inner radius of each ring of slots, in a picture 600 units wide."""
_PER_RING = 200
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


async def overview(librarian: Librarian, slots: int) -> dict[str, Any]:
    """Everything the page shows. ``slots``: how many the machine has, as ``slot_count`` said."""
    room = librarian.room
    listed = await open_jobs(librarian)
    readers = librarian.demand.asked()
    wants = readers[:MOST_RECALLS]
    burns = [job for job in listed if job.kind is not JobKind.RECALL]  # those have a table of their own
    known = await room.read(_known, burns[:MOST_ROWS], [want.content for want in wants], slots)
    questions = Box(room.config.root).questions()
    asked = room.board.asked
    waits = librarian.estimates()
    return {
        **known,
        "needs": needs(librarian, listed),
        "questions": [_question(question) for question in questions[:MOST_RECALLS]],
        "more_questions": len(questions[MOST_RECALLS:]),
        "asked": None
        if asked is None
        else {
            "number": asked.errand.number,
            "choices": choices(asked.errand),
            "since": duration(trio.current_time() - asked.since),
        },
        "drives": [_drive(librarian, bay) for bay in librarian.bays],
        "jobs": [_job(job, known["names"]) for job in burns[:MOST_ROWS]],
        "more_jobs": max(0, len(burns) - MOST_ROWS),
        "recalls": [_want(want, waits.get(want.content, 0.0), known["names"]) for want in wants],
        "more_recalls": len(readers) - len(wants),
        "cache": {"used": size(room.cache.used), "quota": size(room.cache.quota)},
    }


async def slot_count(librarian: Librarian) -> int:
    """How many slots the machine has; 0 if it cannot be asked now."""
    with trio.move_on_after(_GLANCE), suppress(RobotError):
        return (await librarian.room.jukebox.capabilities()).slots
    return 0


def _known(connection: Connection, listed: Sequence[Job], contents: Sequence[ContentId], count: int) -> dict[str, Any]:
    beliefs, labels = discs.slots(connection), discs.labels(connection)
    counts = Counter(discs.tally(connection))
    slots = [
        (
            number,
            belief.state.value if belief is not None else NEVER_SEEN,
            "" if belief is None or belief.disc is None else labels.get(belief.disc, ""),
        )
        for number in range(1, max(count, max(beliefs, default=0)) + 1)
        for belief in (beliefs.get(number),)
    ]
    states = Counter(state for _, state, _ in slots)
    return {
        "label": archive.facts(connection).label_prefix,
        "paused": machine.paused(connection),
        "troubled": [(name, counts[name]) for name in ("suspect", "missing", "spoiled") if counts[name]],
        "copies": counts["verified"],
        "archived": size(sum(disc.image_size for disc in discs.everyone(connection) if disc.state == "verified")),
        "blanks": states["blank"],
        "names": _names(connection, listed, contents, labels),
        "ticks": ticks(slots),
        "states": sorted(states.items(), key=lambda item: -item[1]),
        "diary": [
            {"at": moment(line.at_ns), "kind": line.kind, "message": line.message}
            for line in diary.latest(connection, MOST_LINES)
        ],
    }


def _names(
    connection: Connection, listed: Sequence[Job], contents: Sequence[ContentId], labels: dict[DiscId, str]
) -> dict[tuple[str, int], str]:
    names = {}
    for content, paths in wanted.names_of(connection, contents, 1).items():
        names["content", int(content)] = paths[0].decode("utf-8", "replace") if paths else f"content {content}"
    for job in listed:
        if job.segment is not None:
            names["segment", int(job.segment)] = discs.segment(connection, SegmentId(job.segment)).label
        if job.disc is not None:
            names["disc", int(job.disc)] = labels.get(job.disc, f"disc {job.disc}")
    return names


def _job(job: Job, names: dict[tuple[str, int], str]) -> dict[str, Any]:
    segment = "" if job.segment is None else names.get(("segment", int(job.segment)), "")
    disc = "" if job.disc is None else names.get(("disc", int(job.disc)), "")
    return {
        "id": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "what": disc or segment,
        "tries": job.attempts,
        "why": job.why,
    }


def _question(question: Question) -> dict[str, Any]:
    path, who = (text.encode("utf-8", "replace").decode() for text in (question.path, question.who))
    waited = duration(max(0.0, time.time() - question.since))
    return {"number": question.content, "path": path, "who": who, "size": size(question.size), "since": waited}


def _want(want: Want, left: float, names: dict[tuple[str, int], str]) -> dict[str, Any]:
    return {
        "what": names.get(("content", int(want.content)), f"content {want.content}"),
        "size": size(want.size),
        "left": estimate(left),
        "why": want.why,
    }


def _drive(librarian: Librarian, bay: Bay) -> dict[str, Any]:
    activity = bay.activity
    seconds = max((librarian.room.now_ns() - activity.since_ns) / 1e9, 1e-3)
    speed = activity.done / seconds
    left = (activity.total - activity.done) / speed if speed and activity.total else None
    return {
        "number": int(bay.number),
        "holds": bay.found.name if bay.found is not None and bay.loaded else "nothing",
        "home": bay.home,
        "doing": activity.step,
        "ill": activity.step.startswith("out of service"),
        "percent": round(100 * min(1.0, activity.done / activity.total)) if activity.total else None,
        "speed": f"{speed / 1e6:.1f} MB/s" if activity.done else "",
        "left": f"{duration(left)} left" if left is not None else "",
    }


def ticks(slots: Sequence[tuple[int, str, str]]) -> list[dict[str, Any]]:
    """The robot's slots as lines of a picture 600 units wide: rings from the outside, clockwise from the top."""
    rings = min(len(_RINGS), max(1, math.ceil(len(slots) / _PER_RING)))
    per_ring = math.ceil(len(slots) / rings) or 1
    lines = []
    for index, (number, state, label) in enumerate(slots):
        outer, inner = _RINGS[index // per_ring]
        turn = 2 * math.pi * (index % per_ring) / per_ring
        sine, cosine = math.sin(turn), -math.cos(turn)
        lines.append(
            {
                "x1": round(300 + inner * sine, 1),
                "y1": round(300 + inner * cosine, 1),
                "x2": round(300 + outer * sine, 1),
                "y2": round(300 + outer * cosine, 1),
                "width": round(min(16.0, 0.55 * 2 * math.pi * inner / per_ring), 1),
                "state": state,
                "title": f"slot {number}: {label or state}",
            }
        )
    return lines


def moment(at_ns: int) -> str:
    """A time for people, UTC."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M")


def size(count: float) -> str:
    """Bytes for people, decimal units."""
    for unit in _SIZES[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {_SIZES[-1]}"
