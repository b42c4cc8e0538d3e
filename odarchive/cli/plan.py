"""``odarchive plan``: put everything that is new on segments, one for each disc to be."""

from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.planning import PlanResult


@click.command()
@click.option("--media", required=True, metavar="SIZE", help="cd, dvd, bd, bd-dl, bd-xl, bd-xx, or such as 25GB.")
@click.option("--ecc", metavar="auto|N%|none", help="Error correction on these discs; default: as archive.toml says.")
@click.option("--dry-run", "-n", is_flag=True, help="Only tell; write nothing.")
@common_options()
@click.pass_obj
def plan(settings: Settings, media: str, ecc: str | None, dry_run: bool) -> None:
    """Plan what is new onto discs of one kind.

    With --ecc each disc carries error correction by dvdisaster (RS03) behind its image: as much as the medium has room
    for (auto; the plan keeps 20 % free for it), or just so much. 20 % bring back about a sixth of a disc's sectors.
    """
    from odarchive.correction.room import LAYERS, layers  # noqa: PLC0415
    from odarchive.media import parse_medium  # noqa: PLC0415
    from odarchive.planning import Wish, make_plan  # noqa: PLC0415

    medium = parse_medium(media)
    archive = open_archive(settings.root())
    result = make_plan(archive.catalogue, medium, Wish.of(archive.config, ecc=ecc), dry_run=dry_run)
    if settings.json:
        output.document(_document(result, dry_run=dry_run))
        return
    for segment in result.segments:
        number = "new" if segment.id is None else str(segment.id)
        fill = f"{segment.planned_bytes * 100 // segment.capacity}%"
        payload = output.size(segment.payload_bytes)
        line = f"{number:>5}  {segment.label:<32}  {payload:>8}  {fill:>4}  {segment.files} files"
        if segment.ecc_size is not None:
            parity = layers(segment.planned_bytes, segment.ecc_size)
            line += f", error correction {parity * 100 // (LAYERS - parity)}%"
        output.line(line)
    output.line(f"{len(result.segments)} discs for {output.size(result.new_bytes)} that are new")
    if result.segments and not dry_run:
        output.hint("next: odarchive burn all")


def _document(result: "PlanResult", *, dry_run: bool) -> dict[str, object]:
    segments = [
        {
            "id": segment.id,
            "label": segment.label,
            "files": segment.files,
            "payload_bytes": segment.payload_bytes,
            "planned_bytes": segment.planned_bytes,
            "capacity": segment.capacity,
            "ecc_size": segment.ecc_size,
        }
        for segment in result.segments
    ]
    return {"dry_run": dry_run, "new_bytes": result.new_bytes, "segments": segments}
