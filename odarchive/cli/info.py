"""``odarchive info``: the archive at a glance, from the catalogue alone."""

from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.catalogue.lookup import Info
    from odarchive.catalogue.summary import SegmentLine, SourceLine


@click.command()
@common_options()
@click.pass_obj
def info(settings: Settings) -> None:
    """Show what is archived, which segments there are, and how many verified discs each has."""
    from odarchive.catalogue import archive as facts  # noqa: PLC0415
    from odarchive.catalogue import lookup, summary  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        fixed = facts.facts(connection)
        sources, segments = summary.sources(connection), summary.segments(connection)
        totals = lookup.info(connection)
    if settings.json:
        output.document(
            {
                "archive": str(archive.config.root),
                "uuid": fixed.uuid,
                "copies": archive.config.copies,
                "files": totals.files,
                "bytes": totals.bytes,
                "archived_files": totals.archived_files,
                "archived_bytes": totals.archived_bytes,
                "contents": totals.contents,
                "content_bytes": totals.content_bytes,
                "unplanned_bytes": totals.unplanned_bytes,
                "discs": {state.value: count for state, count in totals.discs.items()},
                "slots": {state.value: count for state, count in totals.slots.items()},
                "sources": [_source(line) for line in sources],
                "segments": [_segment(line) for line in segments],
            }
        )
        return
    output.line(f"archive {fixed.uuid} in {archive.config.root}")
    _print(sources, segments, totals)


def _print(sources: "list[SourceLine]", segments: "list[SegmentLine]", totals: "Info") -> None:
    for source in sources:
        when = (
            "never scanned to the end" if source.scanned_ns is None else f"scanned {output.moment(source.scanned_ns)}"
        )
        where = f"{output.visible(source.name)} (from {output.visible(source.path)})"
        output.line(f"source {where}: {source.files} files, {output.size(source.bytes)}, {when}")
    output.line(
        f"{totals.files} files, {output.size(totals.bytes)}; on verified discs: {totals.archived_files}, "
        f"{output.size(totals.archived_bytes)}"
    )
    output.line(
        f"{totals.contents} contents, {output.size(totals.content_bytes)}; not planned yet: "
        f"{output.size(totals.unplanned_bytes)}"
    )
    for segment in segments:
        copies = f"{segment.copies} verified disc" + ("" if segment.copies == 1 else "s")
        output.line(
            f"segment {segment.id:>4}  {segment.label:<20}  {segment.state.value:<8}  "
            f"{output.size(segment.payload_bytes):>8}  {copies}"
        )


def _source(line: "SourceLine") -> dict[str, object]:
    return {
        **output.named("name", line.name),
        **output.named("path", line.path),
        "scanned_ns": line.scanned_ns,
        "files": line.files,
        "bytes": line.bytes,
    }


def _segment(line: "SegmentLine") -> dict[str, object]:
    return {
        "id": line.id,
        "label": line.label,
        "state": line.state.value,
        "media": line.media,
        "payload_bytes": line.payload_bytes,
        "image_size": line.image_size,
        "copies": line.copies,
    }
