"""``odarchive archive``: from a folder to verified discs in one go that can be broken off and started again."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import burn as burning
from odarchive.cli import job as job_command
from odarchive.cli import output, segments, wishes
from odarchive.cli import scan as scanning
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode

if TYPE_CHECKING:
    from odarchive.model import Job
    from odarchive.opened import Archive
    from odarchive.planning import PlanResult
    from odarchive.scan.report import ScanResult


@dataclass(frozen=True, slots=True)
class _Done:
    """What the steps gave."""

    scan: "ScanResult"
    plan: "PlanResult"
    jobs: "list[Job]"


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@wishes.wish_options()
@click.option("--as", "name", metavar="NAME", help="The tree's name at the root of the mount; default: its own.")
@click.option("--pretend", "--dry-run", "-n", is_flag=True, help="Scan, and tell what would be burned.")
@common_options()
@click.pass_obj
def archive(
    settings: Settings,
    /,
    path: Path,
    name: str | None,
    *,
    pretend: bool,
    yes: bool,
    **given: Any,  # noqa: ANN401  options of wishes
) -> int:
    """Scan PATH, plan what is new, build the images, burn them, verify every disc.

    Broken off and started again it goes on where it was; with nothing new it burns nothing. The librarian does the
    burning (odarchive serve).
    """
    from odarchive.scan import Options  # noqa: PLC0415

    opened = open_archive(settings.root())
    medium, wish = wishes.wish_of(opened, given)
    if not pretend:
        burning.wake(opened)  # before hours of reading: without a librarian there would be no burn
    options = Options(workers=scanning.WORKERS)
    result = scanning.scan_one(opened, path, None if name is None else os.fsencode(name), options)
    scanning.tell_problems(result)
    plan = wishes.made(opened, medium, wish, dry_run=pretend, yes=yes, asking=not settings.json)
    done = _Done(result, plan, [] if pretend else _burned(opened))
    _print(settings, done, pretend=pretend)
    burning.judge(done.jobs)
    return ExitCode.WARNINGS if scanning.missed(path, result) else ExitCode.OK


def _burned(opened: "Archive") -> "list[Job]":
    """Everything that is not on its discs yet, also from earlier runs."""
    from odarchive.catalogue import jobs  # noqa: PLC0415

    with opened.catalogue.write() as connection:
        queued = jobs.enqueue_burns(connection, segments.ALL, now_ns=time.time_ns())
    if not queued:
        return []
    burning.wake(opened)
    return burning.until_ended(opened, queued)


def _print(settings: Settings, done: _Done, *, pretend: bool) -> None:
    found, plan = done.scan, done.plan
    if settings.json:
        output.document(
            {
                "pretend": pretend,
                **output.named("name", found.name),
                "snapshot": found.snapshot,
                "files": found.files,
                "bytes": found.bytes,
                "problem_count": found.problem_count,
                "new_bytes": plan.new_bytes,
                "planned": len(plan.segments),
                "jobs": [job_command.document(one) for one in done.jobs],
            }
        )
        return
    output.line(f"{output.visible(found.name)}: {found.files} files, {output.size(found.bytes)}")
    output.line(f"{output.size(plan.new_bytes)} to burn on {len(plan.segments)} new discs")
    for one in done.jobs:
        output.line(job_command.describe(one))
    if not done.jobs and not pretend:
        output.line("nothing to burn: everything is on verified discs")
