"""What the archive waits for a person to do, now: for the status page and for messages. Reads only, moves nothing.

A need is named by its cause, not by the job that met it: forty burns that lack a blank are one need.
"""

from dataclasses import dataclass

from odarchive.catalogue import jobs
from odarchive.librarian.scheduler import Librarian
from odarchive.model import Job, JobState
from robot.wire.errand import sentence

_NEEDY = ("out of service", "waits for a person")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that only a person can do."""

    title: str
    detail: str = ""
    errand: int | None = None
    """The number of the errand, if a person is the robot and is asked to carry a disc."""

    @property
    def cause(self) -> str:
        """By what it is known again while it lasts."""
        return f"errand {self.errand}: {self.title}" if self.errand is not None else self.title


def needs(librarian: Librarian, open_jobs: list[Job]) -> list[Need]:
    """All of them, the most urgent first.

    Args:
        librarian: whose drives and board are looked at.
        open_jobs: of its catalogue.
    """
    found = []
    asked = librarian.room.board.asked
    if asked is not None:
        found.append(Need(sentence(asked.errand), errand=asked.errand.number))
    found += [
        Need(f"Drive {bay.number}: {bay.activity.step}")
        for bay in librarian.bays
        if bay.activity.step.startswith(_NEEDY)
    ]
    waiting: dict[str, list[Job]] = {}
    for job in open_jobs:
        if job.state is JobState.WAITING and job.why:
            waiting.setdefault(job.why, []).append(job)
    return found + [Need(_capital(why), _who(those)) for why, those in waiting.items()]


async def open_jobs(librarian: Librarian) -> list[Job]:
    """What is queued, runs or waits."""
    return await librarian.room.read(jobs.jobs, only_open=True)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _who(those: list[Job]) -> str:
    numbers = ", ".join(str(job.id) for job in those[:5])
    more = f" and {len(those) - 5} more" if len(those) > 5 else ""
    return f"{'Job' if len(those) == 1 else 'Jobs'} {numbers}{more} ({those[0].kind.value}) wait for it."
