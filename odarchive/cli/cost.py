"""``odarchive cost``: what the discs cost, from the prices in ``archive.toml``."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from odarchive.cli import output, wishes
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.opened import Archive


@click.command()
@click.option("--media", metavar="SIZE", help="Count what is not planned yet, too, on discs of that kind.")
@common_options()
@click.pass_obj
def cost(settings: Settings, media: str | None) -> None:
    """Tell what the burned discs cost, spoiled ones included, and what those cost that are still to be burned."""
    archive = open_archive(settings.root())
    prices = dict(archive.config.prices)
    kinds = sorted(_discs(archive, media).items())
    spent = sum(burned * prices.get(kind, 0.0) for kind, (burned, _) in kinds)
    due = sum(wanted * prices.get(kind, 0.0) for kind, (_, wanted) in kinds)
    if settings.json:
        lines = [
            {"media": kind, "burned": burned, "to_burn": wanted, "price": prices.get(kind)}
            for kind, (burned, wanted) in kinds
        ]
        currency = archive.config.currency
        output.document({"currency": currency, "media": lines, "spent": round(spent, 2), "due": round(due, 2)})
        return
    for kind, (burned, wanted) in kinds:
        price = f"{prices[kind]:.2f} each" if kind in prices else "no price"
        output.line(f"{kind:<12}  burned {burned:>5}, to burn {wanted:>5}, {price}")
    output.line(f"spent {spent:.2f} {archive.config.currency}, still to spend {due:.2f}")
    if any(kind not in prices for kind, _ in kinds):
        output.note(
            f"odarchive: write prices into [prices] of {archive.config.root / 'archive.toml'}, such as bd = 0.80"
        )


def _discs(archive: "Archive", media: str | None) -> dict[str, tuple[int, int]]:
    """Burned discs and discs to burn, by kind of medium."""
    from odarchive.catalogue import summary  # noqa: PLC0415
    from odarchive.planning import make_plan  # noqa: PLC0415

    burned: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    with archive.catalogue.read() as connection:
        copies = archive.config.copies
        used = summary.discs_used(connection)
        for line in summary.segments(connection):
            burned[line.media] += used.get(line.id, 0)
            wanted[line.media] += max(0, (line.wanted or copies) - line.copies)
    if media is not None:
        result = make_plan(archive.catalogue, *wishes.wish_of(archive, {"media": (media,)}), dry_run=True)
        for segment in result.segments[len(result.topped_up) :]:
            wanted[segment.medium.name] += copies
    return {kind: (burned[kind], wanted[kind]) for kind in {*burned, *wanted}}
