"""``odarchive copies``: what has too few verified copies."""

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options


@click.command()
@click.option("--min", "least", type=click.IntRange(1), help="Copies wanted; default: as many as the archive asks for.")
@common_options()
@click.pass_obj
def copies(settings: Settings, least: int | None) -> None:
    """List the segments with fewer verified discs than wanted, and what is on no segment yet."""
    from odarchive.catalogue import archive as facts  # noqa: PLC0415
    from odarchive.catalogue import lookup, summary  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        wanted = least or facts.facts(connection).copies
        few = [line for line in summary.segments(connection) if line.copies < wanted]
        totals = lookup.info(connection)
    if settings.json:
        output.document(
            {
                "min": wanted,
                "segments": [
                    {
                        "id": line.id,
                        "label": line.label,
                        "state": line.state.value,
                        "copies": line.copies,
                        "payload_bytes": line.payload_bytes,
                    }
                    for line in few
                ],
                "unplanned_contents": totals.unplanned_contents,
                "unplanned_bytes": totals.unplanned_bytes,
            }
        )
        return
    for line in few:
        output.line(
            f"segment {line.id:>4}  {line.label:<20}  {line.copies} of {wanted} copies, "
            f"{output.size(line.payload_bytes)}"
        )
    if totals.unplanned_contents:
        output.line(
            f"on no disc and in no plan: {totals.unplanned_contents} contents, {output.size(totals.unplanned_bytes)}"
        )
    if not few and not totals.unplanned_contents:
        output.note(f"everything has {wanted} verified copies")
