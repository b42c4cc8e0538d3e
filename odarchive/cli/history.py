"""``odarchive history``: every version a path ever had."""

from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.browse import BytesPath
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.catalogue.history import PathVersion


@click.command()
@click.argument("path", type=BytesPath())
@common_options()
@click.pass_obj
def history(settings: Settings, path: bytes) -> None:
    """List the versions of PATH, oldest first: since which snapshot, until which, and whether it is on a disc."""
    from odarchive.catalogue import history as past  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        versions = past.versions(connection, path)
    if settings.json:
        output.document({**output.named("path", path), "versions": [_document(one) for one in versions]})
        return
    for one in versions:
        since = "built in" if one.began_ns is None else f"snapshot {one.since} ({output.moment(one.began_ns)})"
        until = "now" if one.until is None else f"snapshot {one.until}"
        if one.until is not None and one.ended_ns is not None:
            until += f" ({output.moment(one.ended_ns)})"
        what = "" if one.digest is None else f"  blake3 {one.digest.hex()[:16]}"
        what += "" if one.target is None else f"  -> {output.visible(one.target)}"
        output.line(f"{since} to {until}: {output.size(one.size)}, {output.moment(one.mtime_ns)}{what}")


def _document(one: "PathVersion") -> dict[str, object]:
    return {
        "since": one.since,
        "until": one.until,
        "began_ns": one.began_ns,
        "ended_ns": one.ended_ns,
        "mode": one.mode,
        "size": one.size,
        "mtime_ns": one.mtime_ns,
        "blake3": None if one.digest is None else one.digest.hex(),
        **({} if one.target is None else output.named("target", one.target)),
        "shown": bool(one.archived),
    }
