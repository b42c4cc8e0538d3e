"""``odarchive check``: the catalogue's invariants, asked of the catalogue that is there."""

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import DamageFound


@click.command()
@common_options()
@click.pass_obj
def check(settings: Settings) -> None:
    """Check that the catalogue is sound. Reads no disc; changes nothing."""
    from odarchive.catalogue import check as checking  # noqa: PLC0415

    archive = open_archive(settings.root())
    violations = checking.check(archive.catalogue)
    if settings.json:
        output.document(
            {"sound": not violations, "violations": [{"rule": one.rule, "detail": one.detail} for one in violations]}
        )
        if violations:
            raise click.exceptions.Exit(DamageFound.exit_code)
        return
    for one in violations:
        output.line(f"{one.rule}: {one.detail}")
    if violations:
        raise DamageFound(
            f"{len(violations)} rules of the catalogue do not hold; restore it from a copy or report this"
        )
    output.line("the catalogue is sound")
