"""``odarchive disc``: how each disc of the archive is and where, and telling where one is outside of the robot."""

import time
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.opened import Archive


@click.group()
@common_options()
def disc() -> None:
    """The discs of the archive."""


@disc.command("list")
@click.option("--all", "everything", is_flag=True, help="Also spoiled and abandoned ones.")
@common_options()
@click.pass_obj
def list_(settings: Settings, everything: bool) -> None:
    """List discs: label, state, place, id."""
    dead = () if everything else ("spoiled", "abandoned")
    found = [row for row in _rows(_open(settings)) if row["state"] not in dead]
    if settings.json:
        output.document({"discs": found})
        return
    for row in found:
        output.line(f"{row['label']:<20}  {row['state']:<9}  {row['place']:<24}  {row['id']}")
    if not found:
        output.note("no discs; `odarchive burn` makes them")


@disc.command()
@click.argument("name")
@common_options()
@click.pass_obj
def show(settings: Settings, name: str) -> None:
    """Show one disc, named by label or by the beginning of its id: how it has read over time, and what happened to it.

    Each verification tells drive, share, speed, sectors that came at the second try only, unreadable ones and damage.
    """
    from odarchive.catalogue import discs, fixity  # noqa: PLC0415
    from odarchive.cli.health import reading_document, reading_line  # noqa: PLC0415

    archive = _open(settings)
    with archive.catalogue.read() as connection:
        wanted = discs.find(connection, name)
        events = discs.events(connection, wanted.id)
        readings = fixity.trend(connection, wanted.id)
        known = fixity.health(connection, names=[wanted.uuid])
    advice = "".join(fixity.advice(one, readings) for one in known)
    row = next(row for row in _rows(archive) if row["id"] == wanted.uuid)
    row["events"] = [{"at": output.moment(at_ns), "kind": kind, "message": message} for at_ns, kind, message in events]
    row |= {"advice": advice, "readings": [reading_document(reading) for reading in readings]}
    if settings.json:
        output.document(row)
        return
    output.line(f"{row['label']}: {row['state']}; {row['place']}; id {row['id']}; segment {row['segment']}")
    output.line(f"{output.size(row['bytes'])}, BLAKE3 {row['digest']}")
    if advice:
        output.line(f"to do: {advice}")
    for reading in readings:
        output.line(f"read {reading_line(reading)}")
    for event in row["events"]:
        output.line(f"{event['at']}  {event['kind']:<12}  {event['message']}")


@disc.command()
@click.argument("name")
@click.argument("place")
@common_options()
@click.pass_obj
def move(settings: Settings, name: str, place: str) -> None:
    """Tell that disc NAME is outside of the robot now, at PLACE: a shelf, a box, another house.

    A disc that comes back into the robot is recognised by its own label.
    """
    from odarchive.catalogue import discs  # noqa: PLC0415

    with _open(settings).catalogue.write() as connection:
        wanted = discs.find(connection, name)
        discs.put_outside(connection, wanted.id, place, now_ns=time.time_ns())
        discs.event(connection, "moved", f"disc {wanted.label} is at: {place}", now_ns=time.time_ns(), disc=wanted.id)
    if settings.json:
        output.document({"id": wanted.uuid, "label": wanted.label, "place": place})
    else:
        output.line(f"{wanted.label} is at: {place}")


def _open(settings: Settings) -> "Archive":
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages

    return open_archive(settings.root())


def _rows(archive: "Archive") -> list[dict[str, Any]]:
    from odarchive.catalogue import discs  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        outside = discs.outside(connection)
        return [
            {
                "label": one.label,
                "state": one.state.value,
                "place": f"slot {one.slot}" if one.slot is not None else outside.get(one.id, "not known"),
                "id": one.uuid,
                "segment": one.segment,
                "bytes": one.image_size,
                "digest": one.digest.hex(),
            }
            for one in discs.everyone(connection)
        ]
