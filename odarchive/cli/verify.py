"""``odarchive verify`` and ``odarchive scrub``: have discs read and compared, by order or by age."""

import re
import time
from typing import TYPE_CHECKING

import click

from odarchive.cli import burn, job, output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import DamageFound, ExitCode, NoLibrarian

if TYPE_CHECKING:
    from odarchive.model import DiscId
    from odarchive.opened import Archive

_DAY = 86_400
_UNITS = {"d": _DAY, "w": 7 * _DAY, "m": 30 * _DAY, "y": 365 * _DAY}


def _percent(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,3})%?", value)
    if match is None or not 1 <= int(match[1]) <= 100:
        raise click.BadParameter(f"{value!r}: write a share from 1% to 100%")
    return None if int(match[1]) == 100 else int(match[1])


def _age(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    match = re.fullmatch(r"([0-9]{1,4})([dwmy])", value)
    if match is None:
        raise click.BadParameter(f"{value!r}: write a number and d, w, m or y, such as 90d or 1y")
    return int(match[1]) * _UNITS[match[2]]


_SAMPLE = click.option(
    "--sample", callback=_percent, metavar="N%", help="Read only that share: first and last files, others by chance."
)
_WAIT = click.option("--wait", is_flag=True, help="Wait for the results; exit code 5 if something is damaged.")


@click.command()
@click.argument("names", nargs=-1, metavar="[DISC...]")
@_SAMPLE
@_WAIT
@common_options()
@click.pass_obj
def verify(settings: Settings, names: tuple[str, ...], sample: int | None, wait: bool) -> int:
    """Have discs (labels or uuids; none: all) read and compared, in another drive than burned them where there is one.

    What is found is kept: `odarchive health DISC`. A disc with damage becomes suspect, and is told with its files.
    """
    from odarchive.catalogue import fixity  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        wanted = [disc.id for disc in fixity.health(connection, names=names)]
    return _queue(settings, archive, wanted, sample, wait=wait)


@click.command()
@click.option("--older-than", "age", default="1y", show_default=True, callback=_age, metavar="AGE", help="90d, 6m, 1y.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many discs, the longest unseen first.")
@_SAMPLE
@_WAIT
@common_options()
@click.pass_obj
def scrub(settings: Settings, age: int, limit: int | None, sample: int | None, wait: bool) -> int:
    """Have every disc verified that was not read completely for a time."""
    from odarchive.catalogue import fixity  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        wanted = fixity.due(connection, time.time_ns() - age * 10**9)[:limit]
    return _queue(settings, archive, wanted, sample, wait=wait)


def _queue(settings: Settings, archive: "Archive", wanted: "list[DiscId]", sample: int | None, *, wait: bool) -> int:
    from odarchive.catalogue import fixity  # noqa: PLC0415

    if wait and wanted:
        burn.wake(archive)  # nothing is queued that nobody would do
    with archive.catalogue.write() as connection:
        queued = fixity.enqueue(connection, wanted, sample, now_ns=time.time_ns())
    if queued:
        try:
            burn.wake(archive)
        except NoLibrarian:
            if wait:
                raise
            output.note("odarchive: no librarian is running; what is queued waits for `odarchive serve`")
    found = burn.until_ended(archive, queued) if wait else burn.look(archive, queued)
    if settings.json:
        output.document({"jobs": [job.document(one) for one in found]})
    else:
        for one in found:
            output.line(job.describe(one))
        if not found:
            output.note("no disc is to be verified")
    if any(one.state.value == "failed" for one in found):
        raise DamageFound("there is damage; `odarchive health` says what to do")
    return ExitCode.OK
