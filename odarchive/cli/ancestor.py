"""The commands of the program before this one, under their names: the same jobs, done by this program's commands.

``create_db PATH`` is ``scan``, ``plan_iso SIZE`` and ``segment SIZE`` are ``plan --media SIZE``, ``get_info`` is
``info``. ``create_iso N`` and ``write_iso`` count discs from 0, as they did.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive.cli import burn as burn_command
from odarchive.cli import image as image_command
from odarchive.cli import info as info_command
from odarchive.cli import output, wishes
from odarchive.cli import plan as plan_command
from odarchive.cli import scan as scan_command
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import NotFound

if TYPE_CHECKING:
    from odarchive.catalogue.summary import SegmentLine
    from odarchive.opened import Archive

_SIZE = "cd, dvd, bluray, bd, bd-dl, bd-xl, bd-xx, bytes, or such as 25GB and 25GiB."


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@common_options()
@click.pass_context
def create_db(context: click.Context, path: Path) -> int:
    """Record the tree under PATH. The same as: scan PATH."""
    code = context.invoke(scan_command.scan, paths=(path,))
    return int(code)


@click.command()
@click.argument("size")
@click.option("--dry-run", "--pretend", "-n", is_flag=True, help="Only tell; write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Plan any number of discs without asking.")
@common_options()
@click.pass_context
def plan_iso(context: click.Context, size: str, dry_run: bool, yes: bool) -> None:
    """Plan what is new onto discs of SIZE. The same as: plan --media SIZE."""
    context.invoke(plan_command.plan, media=(size,), dry_run=dry_run, yes=yes)


@click.command()
@click.option("--media", metavar="SIZE", help=f"Count what is not planned yet, too, on discs of that size: {_SIZE}")
@common_options()
@click.pass_obj
def num_isos(settings: Settings, media: str | None) -> None:
    """Tell how many discs the archive has, planned ones included."""
    from odarchive.catalogue import summary  # noqa: PLC0415
    from odarchive.planning import make_plan  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        planned = len(summary.segments(connection))
    more = 0
    if media is not None:
        result = make_plan(archive.catalogue, *wishes.wish_of(archive, {"media": (media,)}), dry_run=True)
        more = len(result.segments) - len(result.topped_up)
    if settings.json:
        output.document({"num_isos": planned + more, "planned": planned, "new": more})
        return
    output.line(str(planned + more))


@click.command()
@click.argument("number", metavar="[N]", type=click.IntRange(0), default=0)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Where to; default: the staging folder.")
@common_options()
@click.pass_context
def create_iso(context: click.Context, number: int, out: Path | None) -> int:
    """Build the image of disc N, counted from 0. The same as: image SEGMENT."""
    archive = open_archive(context.ensure_object(Settings).root())
    segment = _numbered(archive, number)
    archive.catalogue.close()
    code = context.invoke(image_command.image, which=[segment.id], out=out)
    return int(code)


@click.command()
@click.option("--pretend", "--dry-run", "-n", is_flag=True, help="Only tell what would be burned.")
@click.option("--wait", is_flag=True, help="Wait until every disc is verified.")
@common_options()
@click.pass_context
def write_iso(context: click.Context, pretend: bool, wait: bool) -> None:
    """Burn and verify the discs whose images are built (create_iso). The same as: burn SEGMENT."""
    from odarchive.model import SegmentState  # noqa: PLC0415

    settings = context.ensure_object(Settings)
    archive = open_archive(settings.root())
    built = [line for line in _segments(archive) if line.state is SegmentState.IMAGED]
    archive.catalogue.close()
    if not pretend and built:
        context.invoke(burn_command.burn, which=[line.id for line in built], wait=wait)
        return
    if settings.json:
        output.document({"pretend": pretend, "images": [{"id": one.id, "label": one.label} for one in built]})
        return
    for line in built:
        output.line(f"would burn {line.label}, {output.size(line.image_size or 0)}")
    if not built:
        output.note("no image is built that is not burned; make one with: odarchive create_iso N")


def _segments(archive: "Archive") -> "list[SegmentLine]":
    from odarchive.catalogue import summary  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        return summary.segments(connection)


def _numbered(archive: "Archive", number: int) -> "SegmentLine":
    lines = _segments(archive)
    if number >= len(lines):
        raise NotFound(f"there is no disc {number}: {len(lines)} are planned, counted from 0; plan with: plan_iso SIZE")
    return lines[number]


get_info = info_command.info
segment = plan_iso
