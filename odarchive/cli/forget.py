"""``odarchive forget``: hide names and snapshots; discs and history keep them."""

import time
from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.browse import BytesPath
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.opened import Archive


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=BytesPath())
@click.option("--snapshot", "-s", "numbers", multiple=True, metavar="N", help="Hide a snapshot; repeat.")
@click.option("--undo", is_flag=True, help="Take it back; a name returns with the next scan of its source.")
@click.option("--list", "listing", is_flag=True, help="List the names that are forgotten.")
@click.option("--dry-run", "-n", is_flag=True, help="Only tell.")
@common_options()
@click.pass_obj
def forget(
    settings: Settings, paths: tuple[bytes, ...], numbers: tuple[str, ...], undo: bool, listing: bool, dry_run: bool
) -> None:
    """Hide names (PATH and all below it) from the mount, ls and find, now and in later scans; or snapshots from lists.

    No disc changes. `history`, `find --deleted` and earlier snapshots still know a forgotten name; `prune` tells which
    discs hold hardly anything that is still wanted.
    """
    if not (paths or numbers or listing):
        raise click.UsageError("name a PATH, --snapshot N, or --list")
    archive = open_archive(settings.root())
    hidden = [_name(archive, path, undo=undo, dry_run=dry_run) for path in paths]
    snapshots = _snapshots(archive, numbers, undo=undo, dry_run=dry_run)
    listed = _listed(archive) if listing else []
    if settings.json:
        output.document(
            {
                "dry_run": dry_run,
                "names": [{**output.named("path", path), "files": files} for path, files in hidden],
                "snapshots": snapshots,
                "forgotten": [output.named("path", path) for path in listed],
            }
        )
        return
    done = "taken back" if undo else "would be forgotten" if dry_run else "forgotten"
    for path, files in hidden:
        output.line(f"{output.visible(path)}: {done}{'' if undo else f', {files} files'}")
    for number in snapshots:
        output.line(f"snapshot {number}: {done}")
    for path in listed:
        output.line(output.visible(path))


def _name(archive: "Archive", path: bytes, *, undo: bool, dry_run: bool) -> tuple[bytes, int]:
    from odarchive.catalogue import forget as forgetting  # noqa: PLC0415
    from odarchive.scan.lock import scanning  # noqa: PLC0415

    if undo:
        with archive.catalogue.write() as connection:
            forgetting.remember_name(connection, path)
            if dry_run:
                connection.rollback()
        return path, 0
    with archive.catalogue.read() as connection:
        what = forgetting.target(connection, path)
        if dry_run:
            return path, forgetting.files_below(connection, what)
    with scanning(archive.catalogue.path, what.source, output.visible(path)):
        _, files = forgetting.forget_name(archive.catalogue, what, time.time_ns())
    return path, files


def _snapshots(archive: "Archive", words: tuple[str, ...], *, undo: bool, dry_run: bool) -> list[int]:
    from odarchive.catalogue import forget as forgetting  # noqa: PLC0415
    from odarchive.catalogue import history  # noqa: PLC0415

    if not words:
        return []
    with archive.catalogue.write() as connection:
        numbers = history.latest(connection, words)
        for number in numbers:
            forgetting.forget_snapshot(connection, number, None if undo else time.time_ns())
        if dry_run:
            connection.rollback()
    return list(numbers)


def _listed(archive: "Archive") -> list[bytes]:
    from odarchive.catalogue import forget as forgetting  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        return forgetting.forgotten_names(connection)
