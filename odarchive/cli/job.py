"""``odarchive job``: the librarian's queue, read from the catalogue; no librarian is needed."""

from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

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


def document(job: "Job") -> dict[str, Any]:
    """A job as JSON."""
    return {
        "id": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "segment": job.segment,
        "content": job.content,
        "attempts": job.attempts,
        "done_bytes": job.done_bytes,
        "total_bytes": job.total_bytes,
        "step": job.step,
        "why": job.why,
    }


def describe(job: "Job") -> str:
    """A job in one line."""
    about = f"segment {job.segment}" if job.segment is not None else f"content {job.content}"
    share = f" {job.done_bytes * 100 // job.total_bytes}%" if job.total_bytes else ""
    said = "; ".join(part for part in (f"{job.step}{share}".strip(), job.why) if part)
    return f"{job.id:>5}  {job.kind.value:<6}  {about:<14}  {job.state.value:<9}  {said}".rstrip()
