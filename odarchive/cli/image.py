"""``odarchive image``: build the images of segments, for a look or for a burner of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive.cli import output, progress, segments
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode

if TYPE_CHECKING:
    from odarchive.model import SegmentId
    from odarchive.opened import Archive


@click.command()
@click.argument("which", metavar="[N|all]", default="all", callback=segments.parse)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Where to; default: the staging folder.")
@common_options()
@click.pass_obj
def image(settings: Settings, which: "list[SegmentId] | None", out: Path | None) -> int:
    """Build LABEL.iso of each segment: one, some (3-7), or all that are not archived yet. Reads the sources again.

    In staging, images wait for the librarian, who puts error correction behind each when it is burned; with --out they
    get it at once.
    """
    from odarchive.catalogue import summary  # noqa: PLC0415
    from odarchive.correction.dvdisaster import augment  # noqa: PLC0415
    from odarchive.imaging import build_image  # noqa: PLC0415

    archive = open_archive(settings.root())
    folder = (out or archive.config.staging).absolute()
    with archive.catalogue.read() as connection:
        wanted = summary.segments_to_build(connection, which)
    folder.mkdir(parents=True, exist_ok=True)
    built, left_out = [], 0
    for segment in wanted:
        with progress.bar(segment.label) as tell:
            result = build_image(
                archive.catalogue,
                segment.id,
                folder,
                progress=lambda done, total: tell(done, total, ""),
            )
        path = folder / f"{segment.label}.iso"
        if out is not None and (room := _ecc_size(archive, segment.id)) is not None:
            augment(path, result.size, result.digest, room)
        for reason in result.left_out:
            output.note(f"odarchive: {segment.label}: left out: {reason}")
        left_out += len(result.left_out)
        built.append({"id": segment.id, "label": segment.label, "path": str(path), "bytes": path.stat().st_size})
        if not settings.json:
            output.line(f"{path}  {output.size(path.stat().st_size)}")
    if settings.json:
        output.document({"images": built, "left_out": left_out})
    elif not built:
        output.note("nothing to image; `odarchive plan` makes segments of what is new")
    return ExitCode.WARNINGS if left_out else ExitCode.OK


def _ecc_size(archive: "Archive", segment: "SegmentId") -> int | None:
    from odarchive.catalogue import discs  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        return discs.segment(connection, segment).ecc_size
