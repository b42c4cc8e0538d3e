"""``odarchive queue``: stopping and resuming the burn queue; what is being burned is finished and verified first."""

import time

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import NoLibrarian

_POLL = 1.0
"""Seconds between two looks at what still burns."""


@click.group()
@common_options(json=False)
def queue() -> None:
    """The burn queue as a whole; single jobs: `odarchive job`."""


@queue.command()
@click.option("--wait", is_flag=True, help="Return when the discs that are being burned are finished.")
@common_options()
@click.pass_obj
def pause(settings: Settings, wait: bool) -> None:
    """Begin no further disc. Discs being burned are finished and verified; reading goes on."""
    from odarchive.catalogue import jobs, machine  # noqa: PLC0415
    from odarchive.model import JobKind, JobState  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages

    catalogue = open_archive(settings.root()).catalogue
    with catalogue.write() as connection:
        machine.remember(connection, "queue", "paused")
    while True:
        with catalogue.read() as connection:
            burns = jobs.jobs(connection, only_open=True, kind=JobKind.BURN)
        running = [job for job in burns if job.state is JobState.RUNNING]
        if not wait or not running:
            break
        time.sleep(_POLL)
    if settings.json:
        output.document({"queue": "paused", "burning": len(running), "waiting": len(burns) - len(running)})
    else:
        output.line(f"paused; {len(running)} discs are being finished, {len(burns) - len(running)} burns wait")


@queue.command()
@common_options()
@click.pass_obj
def resume(settings: Settings) -> None:
    """Go on with the queue."""
    from odarchive.catalogue import machine  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    archive = open_archive(settings.root())
    with archive.catalogue.write() as connection:
        machine.remember(connection, "queue", "running")
    try:
        with Client(archive.config.socket) as librarian:
            librarian.wake()
    except NoLibrarian:
        output.note("odarchive: no librarian is running; the queue goes on with `odarchive serve`")
    if settings.json:
        output.document({"queue": "running"})
    else:
        output.line("the queue goes on")
