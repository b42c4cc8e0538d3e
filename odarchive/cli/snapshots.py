"""``odarchive snapshots``: the points in time that can be looked at."""

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options


@click.command()
@click.option("--all", "everything", is_flag=True, help="Forgotten and unfinished ones, too.")
@common_options()
@click.pass_obj
def snapshots(settings: Settings, everything: bool) -> None:
    """List the scans of all sources, oldest first. Their numbers go with ls --snapshot, diff and forget."""
    from odarchive.catalogue import lookup  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        lines = lookup.snapshots(connection)
    if not everything:
        lines = [line for line in lines if line.finished_ns is not None and not line.forgotten]
    if settings.json:
        output.document(
            {
                "snapshots": [
                    {
                        "id": line.id,
                        **output.named("source", line.source),
                        "state": line.state,
                        "started_ns": line.started_ns,
                        "finished_ns": line.finished_ns,
                        "files": line.files,
                        "bytes": line.size,
                        "new_bytes": line.new_bytes,
                        "problems": line.problems,
                        "forgotten": bool(line.forgotten),
                    }
                    for line in lines
                ]
            }
        )
        return
    for line in lines:
        mark = " (forgotten)" if line.forgotten else "" if line.finished_ns is not None else f" ({line.state})"
        output.line(
            f"{line.id:>5}  {output.moment(line.finished_ns or line.started_ns)}  {output.visible(line.source):<16}  "
            f"{line.files:>9} files  {output.size(line.size):>8}  new {output.size(line.new_bytes):>8}{mark}"
        )
