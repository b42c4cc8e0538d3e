"""``odarchive prune``: which discs are nearly dead."""

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options


@click.command()
@click.option(
    "--below", type=click.IntRange(0, 100), default=20, show_default=True, help="Discs of which less than so many %."
)
@common_options()
@click.pass_obj
def prune(settings: Settings, below: int) -> None:
    """List the segments of which hardly anything is still wanted, the deadest first. Changes nothing.

    Wanted is what a present name has, and what a snapshot has that is not forgotten. Optical discs give no space back;
    what is left of such discs can be burned anew together, and the discs retired.
    """
    from odarchive.catalogue import worth  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        found = [one for one in worth.worth(connection) if one.living * 100 < below]
    if settings.json:
        output.document(
            {
                "below": below,
                "segments": [
                    {
                        "id": one.segment,
                        "label": one.label,
                        "state": one.state.value,
                        "payload_bytes": one.payload,
                        "present_bytes": one.present,
                        "kept_bytes": one.kept,
                        "dead_bytes": one.dead,
                        "discs": [{"label": label, "slot": slot} for label, slot in one.discs],
                    }
                    for one in found
                ],
            }
        )
        return
    for one in found:
        discs = ", ".join(label if slot is None else f"{label} in slot {slot}" for label, slot in one.discs)
        output.line(
            f"segment {one.segment:>4}  {one.label:<20}  {one.living:>4.0%} wanted: "
            f"{output.size(one.present)} present, {output.size(one.kept)} in snapshots, {output.size(one.dead)} dead  "
            f"{discs or 'no verified disc'}"
        )
    if not found:
        output.note(f"at least {below}% of every disc is still wanted")
