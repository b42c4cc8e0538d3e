"""``odarchive diff``: what changed between two snapshots."""

from collections import Counter

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

_MARKS = {"added": "+", "removed": "-", "changed": "M", "attributes": "U", "moved": ">"}


@click.command()
@click.argument("earlier", metavar="A", default="last-1")
@click.argument("later", metavar="B", default="last")
@common_options()
@click.pass_obj
def diff(settings: Settings, earlier: str, later: str) -> None:
    """Tell what changed in the archive from snapshot A to snapshot B (numbers, last, last-1).

    + added, - removed, M other bytes, U other attributes, > moved (the same bytes under another name).
    """
    from odarchive.catalogue import history  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        first, second = history.latest(connection, [earlier, later])
        changes = history.diff(connection, first, second)
    if settings.json:
        output.document(
            {
                "from": first,
                "to": second,
                "changes": [
                    {
                        "kind": one.kind,
                        **output.named("path", one.path),
                        "size": one.size,
                        **({} if one.origin is None else output.named("origin", one.origin)),
                    }
                    for one in changes
                ],
            }
        )
        return
    for one in changes:
        origin = "" if one.origin is None else f"{output.visible(one.origin)} -> "
        output.line(f"{_MARKS[one.kind]} {origin}{output.visible(one.path)}")
    counts = Counter(one.kind for one in changes)
    output.note(", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing changed")
