"""``odarchive find``: names in the whole archive, by words or patterns."""

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options


@click.command()
@click.argument("words", metavar="PATTERN...", nargs=-1, required=True)
@click.option("--deleted", is_flag=True, help="Names that are gone, too.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@common_options()
@click.pass_obj
def find(settings: Settings, words: tuple[str, ...], deleted: bool, limit: int) -> None:
    """Find names: by whole words (in any order, folders included), or by a pattern such as 'IMG_*.jpg' or 'a/*/b*'.

    Capitals and accents do not matter. What is on no verified disc yet is marked with `*`, what is gone with `-`.
    """
    from odarchive.catalogue import search  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        found = search.find(connection, search.Wanted(words, deleted, limit))
    if settings.json:
        output.document(
            {
                "found": [
                    {
                        **output.named("path", one.path),
                        "mode": one.mode,
                        "size": one.size,
                        "mtime_ns": one.mtime_ns,
                        "archived": one.archived,
                        "present": one.present,
                    }
                    for one in found
                ],
                "limited": len(found) == limit,
            }
        )
        return
    for one in found:
        mark = " -" if not one.present else "" if one.archived else " *"
        output.line(f"{output.visible(one.path)}{mark}")
    if len(found) == limit:
        output.note(f"odarchive: the first {limit}; there may be more (--limit)")
