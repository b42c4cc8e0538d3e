"""``odarchive burn``: queue segments for the librarian, and wait for it when asked to."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from odarchive.cli import job as job_command
from odarchive.cli import output, progress, segments
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import BurnFailed, NoLibrarian, OdarchiveError, OperatorNeeded, RobotTrouble

if TYPE_CHECKING:
    from odarchive.model import Job, JobId, SegmentId
    from odarchive.opened import Archive

_POLL = 0.1
_SELDOM = 0.5
"""Seconds between the first two looks at the queue, and at most: each look makes the next pause half as long again."""
_PATIENCE = 15.0
"""Seconds a trouble may last before the command gives up; a librarian that is restarted is back sooner."""


@click.command()
@click.argument("which", metavar="[N|all]", default="all", callback=segments.parse)
@click.option("--wait", is_flag=True, help="Wait until every disc is verified; says why if something holds it up.")
@common_options()
@click.pass_obj
def burn(settings: Settings, which: "list[SegmentId] | None", wait: bool) -> None:
    """Queue segments to be imaged, burned and verified, unattended."""
    from odarchive.catalogue import jobs  # noqa: PLC0415

    archive = open_archive(settings.root())
    if wait:
        wake(archive)  # before anything is queued: without a librarian there is nothing to wait for
    with archive.catalogue.write() as connection:
        queued = jobs.enqueue_burns(connection, which, now_ns=time.time_ns())
    try:
        wake(archive)
    except NoLibrarian:
        if wait:
            raise
        if queued:
            output.note("odarchive: no librarian is running; what is queued waits for `odarchive serve`")
    ended = until_ended(archive, queued) if wait else look(archive, queued)
    if settings.json:
        output.document({"jobs": [job_command.document(one) for one in ended]})
    else:
        for one in ended:
            output.line(job_command.describe(one))
        if not ended:
            output.note("nothing to burn; `odarchive plan` makes segments of what is new")
    judge(ended if wait else [])


def wake(archive: "Archive") -> None:
    """Tell the librarian that there are new jobs."""
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    with Client(archive.config.socket) as librarian:
        librarian.wake()


def look(archive: "Archive", queued: Sequence["JobId"]) -> list["Job"]:
    """Jobs as they are now."""
    from odarchive.catalogue import jobs  # noqa: PLC0415  needs SQLAlchemy

    with archive.catalogue.read() as connection:
        return [jobs.get(connection, number) for number in queued]


def until_ended(archive: "Archive", queued: Sequence["JobId"]) -> list["Job"]:
    """Wait for the end of jobs, telling once why each waits.

    Raises:
        NoLibrarian: it has been away for longer than a restart takes.
        OperatorNeeded: nothing goes on until somebody acts.
        RobotTrouble: no drive of the robot is in service.
    """
    told: dict[JobId, str] = {}
    patience, pause = _Patience(), _POLL
    with progress.bar("burn") as tell:
        while True:
            found = look(archive, queued)
            if all(one.state.ended for one in found):
                return found
            for one in found:
                if one.why and told.get(one.id) != one.why:
                    told[one.id] = one.why
                    output.note(f"odarchive: job {one.id} (segment {one.segment}): {one.why}")
            _show(tell, found)
            patience.endure(_trouble(archive, found))
            time.sleep(pause)
            pause = min(1.5 * pause, _SELDOM)


def _show(tell: progress.Tell, found: Sequence["Job"]) -> None:
    running = [one for one in found if one.step and not one.state.ended]
    tell(
        sum(one.done_bytes for one in running),
        sum(one.total_bytes for one in running) or None,
        f"{sum(one.state.ended for one in found)} of {len(found)} discs; "
        + ", ".join(f"{one.segment}: {one.step}" for one in running),
    )


class _Patience:
    """Bears a trouble for a while, in case it goes away by itself."""

    def __init__(self) -> None:
        self._kind: type[OdarchiveError] | None = None
        self._since = 0.0

    def endure(self, trouble: OdarchiveError | None) -> None:
        """Raise ``trouble`` if its kind has lasted too long; None: all is well."""
        now = time.monotonic()
        kind = None if trouble is None else type(trouble)
        if kind is not self._kind:
            self._kind, self._since = kind, now
        if trouble is not None and now - self._since > _PATIENCE:
            raise trouble


def _trouble(archive: "Archive", found: Sequence["Job"]) -> OdarchiveError | None:
    """Why nothing goes on, if nothing does."""
    from odarchive.model import JobState  # noqa: PLC0415  with the rest of the catalogue
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    try:
        with Client(archive.config.socket) as librarian:
            drives = librarian.status()["drives"]
    except NoLibrarian as error:
        return error
    waiting = [one for one in found if not one.state.ended]
    if drives and all(drive["doing"].startswith("out of service") for drive in drives):
        return RobotTrouble(f"drive {drives[0]['drive']} is {drives[0]['doing']}; {len(waiting)} burns stay queued")
    if waiting and all(one.state is JobState.WAITING for one in waiting):
        return OperatorNeeded(f"segment {waiting[0].segment}: {waiting[0].why} ({len(waiting)} burns stay queued)")
    return None


def judge(ended: Sequence["Job"]) -> None:
    """See that all jobs ended well.

    Raises:
        BurnFailed: one did not.
    """
    from odarchive.model import JobState  # noqa: PLC0415

    bad = [one for one in ended if one.state is not JobState.DONE]
    if bad:
        raise BurnFailed(
            f"{len(bad)} of {len(ended)} burns did not end well; first: segment {bad[0].segment}: "
            f"{bad[0].why or bad[0].state.value}"
        )
