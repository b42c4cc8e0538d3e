"""``odarchive job``: the librarian's queue, in the catalogue; no librarian is needed."""

import time
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import NoLibrarian

if TYPE_CHECKING:
    from odarchive.model import Job


@click.group()
@common_options()
def job() -> None:
    """What the librarian has to do."""


@job.command("list")
@click.option("--open", "only_open", is_flag=True, help="Leave out what has ended.")
@common_options()
@click.pass_obj
def list_(settings: Settings, only_open: bool) -> None:
    """List jobs, oldest first, and why each waits or failed."""
    from odarchive.catalogue import jobs  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        found = jobs.jobs(connection, only_open=only_open)
    if settings.json:
        output.document({"jobs": [document(one) for one in found]})
        return
    for one in found:
        output.line(describe(one))
    if not found:
        output.note("no jobs")


@job.command()
@click.argument("number", type=click.IntRange(min=1))
@common_options()
@click.pass_obj
def show(settings: Settings, number: int) -> None:
    """Show one job: what it is about, where it is, why it waits or failed and what would help."""
    from odarchive.catalogue import jobs  # noqa: PLC0415
    from odarchive.model import JobId  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages

    with open_archive(settings.root()).catalogue.read() as connection:
        found = jobs.get(connection, JobId(number))
    if settings.json:
        output.document(document(found))
    else:
        output.line(describe(found))


@job.command()
@click.argument("number", type=click.IntRange(min=1))
@common_options()
@click.pass_obj
def log(settings: Settings, number: int) -> None:
    """Show what happened in a job."""
    from odarchive.catalogue import jobs  # noqa: PLC0415
    from odarchive.model import JobId  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages

    with open_archive(settings.root()).catalogue.read() as connection:
        jobs.get(connection, JobId(number))
        events = jobs.events(connection, JobId(number))
    rows = [{"at": output.moment(at_ns), "kind": kind, "message": message} for at_ns, kind, message in events]
    if settings.json:
        output.document({"events": rows})
        return
    for row in rows:
        output.line(f"{row['at']}  {row['kind']:<12}  {row['message']}")


@job.command()
@click.argument("number", type=click.IntRange(min=1))
@common_options()
@click.pass_obj
def cancel(settings: Settings, number: int) -> None:
    """Take a job off the queue. A disc that is being burned is finished: a burn is never broken off."""
    _change(settings, number, "cancelled")


@job.command()
@click.argument("number", type=click.IntRange(min=1))
@common_options()
@click.pass_obj
def retry(settings: Settings, number: int) -> None:
    """Queue a job again that failed, was cancelled or waits."""
    _change(settings, number, "queued")


def _change(settings: Settings, number: int, state: str) -> None:
    from odarchive.catalogue import jobs  # noqa: PLC0415
    from odarchive.model import JobId  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    archive = open_archive(settings.root())
    act = jobs.cancel if state == "cancelled" else jobs.retry
    with archive.catalogue.write() as connection:
        found = act(connection, JobId(number), now_ns=time.time_ns())
    try:
        with Client(archive.config.socket) as librarian:
            librarian.wake()
    except NoLibrarian:
        pass  # the next one reads the queue
    if settings.json:
        output.document(document(found))
    else:
        output.line(describe(found))


def document(job: "Job") -> dict[str, Any]:
    """A job as JSON."""
    return {
        "id": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "segment": job.segment,
        "content": job.content,
        "disc": job.disc,
        "attempts": job.attempts,
        "done_bytes": job.done_bytes,
        "total_bytes": job.total_bytes,
        "step": job.step,
        "why": job.why,
    }


def describe(job: "Job") -> str:
    """A job in one line."""
    about = f"segment {job.segment}" if job.segment is not None else f"content {job.content}"
    if job.disc is not None:
        about = f"disc {job.disc}"
    share = f" {job.done_bytes * 100 // job.total_bytes}%" if job.total_bytes else ""
    said = "; ".join(part for part in (f"{job.step}{share}".strip(), job.why) if part)
    return f"{job.id:>5}  {job.kind.value:<6}  {about:<14}  {job.state.value:<9}  {said}".rstrip()
