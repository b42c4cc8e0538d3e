"""``odarchive status``: how safe each source is, on a scale that archivists share."""

import time
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.catalogue.fixity import Health, Standing

_DAY_NS = 86_400 * 10**9


@click.command()
@click.option("--levels", is_flag=True, help="NDSA Levels of Digital Preservation of each source, and why not more.")
@click.option("--days", type=click.IntRange(1, 36_500), default=365, show_default=True, help="How long a check counts.")
@common_options()
@click.pass_obj
def status(settings: Settings, levels: bool, days: int) -> None:
    """Show how many verified copies each source has, how many were checked in time, and which discs are at risk."""
    from odarchive.catalogue import fixity  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        sources = fixity.standings(connection, time.time_ns() - days * _DAY_NS)
        discs = [(one, fixity.advice(one, fixity.trend(connection, one.id))) for one in fixity.health(connection)]
    risks = [(one, advice) for one, advice in discs if advice]
    if settings.json:
        output.document(
            {
                "days": days,
                "sources": [_document(one) for one in sources],
                "at_risk": [{"label": one.label, "state": one.state.value, "advice": text} for one, text in risks],
            }
        )
        return
    for one in sources:
        output.line(
            f"{output.visible(one.source)}: {one.files} files, at least {one.copies} verified copies of each; "
            f"{one.checked} of {one.discs} discs read completely in the last {days} days"
        )
        if one.copies == 0 and one.by_copies:
            output.line(f"  at risk: {one.by_copies[0]} files are on no verified disc")
        if levels:
            output.line(f"  NDSA storage level {one.storage_level}: {_storage(one)}")
            output.line(f"  NDSA integrity level {one.integrity_level}: {_integrity(one, days)}")
    _risks(risks)


def _risks(risks: "list[tuple[Health, str]]") -> None:
    for disc, advice in risks:
        output.line(f"at risk: disc {disc.label} is {disc.state.value}: {advice}")


def _storage(one: "Standing") -> str:
    if one.copies < 2:
        return "level 1 needs two complete copies; set `copies` and burn again"
    return "two copies or more; level 2 needs three, one of them in another place, which is not recorded here"


def _integrity(one: "Standing", days: int) -> str:
    if not one.discs:
        return "nothing is on a verified disc"
    if one.checked < one.discs:
        rest = one.discs - one.checked
        return f"every disc was read back after burning; {rest} were not in the last {days} days: `odarchive scrub`"
    return "every disc was read back in time; level 4 also wants that no one person can write all copies"


def _document(one: "Standing") -> dict[str, Any]:
    return {
        **output.named("source", one.source),
        "files": one.files,
        "copies": one.copies,
        "files_by_copies": {str(copies): count for copies, count in sorted(one.by_copies.items())},
        "discs": one.discs,
        "checked": one.checked,
        "storage_level": one.storage_level,
        "integrity_level": one.integrity_level,
    }
