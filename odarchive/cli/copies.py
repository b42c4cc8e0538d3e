"""``odarchive copies``: what has too few verified copies, or all of them in one place."""

from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.catalogue.summary import SegmentLine


@click.command()
@click.option("--min", "least", type=click.IntRange(1), help="Copies wanted; default: as plan and archive.toml say.")
@click.option("--places", "apart", type=click.IntRange(1), help="Places they are to lie in; default: as the plan says.")
@common_options()
@click.pass_obj
def copies(settings: Settings, least: int | None, apart: int | None) -> None:
    """List the segments with fewer verified discs, or discs in fewer places, than wanted, and what is on none yet.

    The robot is one place; `odarchive disc move` tells of others.
    """
    from odarchive.catalogue import lookup, summary  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        lines = summary.segments(connection)
        totals = lookup.info(connection)

    def wanted(line: "SegmentLine") -> int:
        return least or line.wanted or archive.config.copies

    few = [line for line in lines if line.copies < wanted(line) or line.places < (apart or line.places_wanted)]
    if settings.json:
        rows = [
            {
                "id": line.id,
                "label": line.label,
                "state": line.state.value,
                "copies": line.copies,
                "wanted": wanted(line),
                "places": line.places,
                "places_wanted": apart or line.places_wanted,
                "payload_bytes": line.payload_bytes,
            }
            for line in few
        ]
        unplanned = {"unplanned_contents": totals.unplanned_contents, "unplanned_bytes": totals.unplanned_bytes}
        output.document({"min": least or archive.config.copies, "segments": rows, **unplanned})
        return
    for line in few:
        places = apart or line.places_wanted
        where = f", in {line.places} of {places} places" if line.places < places else ""
        output.line(
            f"segment {line.id:>4}  {line.label:<20}  {line.copies} of {wanted(line)} copies{where}, "
            f"{output.size(line.payload_bytes)}"
        )
    if any(line.copies >= wanted(line) for line in few):
        output.hint("next: take discs to another place, then tell it: odarchive disc move DISC PLACE")
    if totals.unplanned_contents:
        output.line(
            f"on no disc and in no plan: {totals.unplanned_contents} contents, {output.size(totals.unplanned_bytes)}"
        )
    if not few and not totals.unplanned_contents:
        said = "as many" if least is None else f"{least}"
        output.note(f"everything has {said} verified copies{' as wanted' if least is None else ''}")
