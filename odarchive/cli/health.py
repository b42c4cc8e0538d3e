"""``odarchive health``: how discs have read over time, and what to do about each."""

from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.catalogue.fixity import Health, Reading


@click.command()
@click.argument("names", nargs=-1, metavar="[DISC...]")
@common_options()
@click.pass_obj
def health(settings: Settings, names: tuple[str, ...]) -> None:
    """Show when discs last read right and what to do; of those named, every verification: drive, speed, damage."""
    from odarchive.catalogue import fixity  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        found = [(one, fixity.trend(connection, one.id)) for one in fixity.health(connection, names=names)]
    told = [(one, readings, fixity.advice(one, readings)) for one, readings in found]
    if settings.json:
        output.document({"discs": [_document(*one) for one in told]})
        return
    for one, readings, advice in told:
        output.line(_line(one, advice))
        for reading in readings if names else ():
            output.line(f"  {reading_line(reading)}")
    if not told:
        output.note("no disc was verified yet")


def _line(one: "Health", advice: str) -> str:
    seen = "never" if one.verified_ns is None else output.moment(one.verified_ns)
    slot = "-" if one.slot is None else f"slot {one.slot}"
    said = "; ".join(part for part in (one.note, advice) if part)
    return f"{one.label:<24}  {one.state.value:<9}  {slot:<9}  read right {seen}  {said}".rstrip()


def reading_line(reading: "Reading") -> str:
    """One verification for a person."""
    drive = "by hand" if reading.drive is None else f"drive {reading.drive}"
    share = "all" if reading.sample is None else f"{reading.sample}%"
    counts = f"{reading.retries} retried, {reading.unreadable} unreadable sectors, {reading.damaged} damaged files"
    return (
        f"{output.moment(reading.at_ns)}  {drive:<8}  {share:<4}  {reading.speed / 1e6:>6.1f} MB/s  "
        f"{reading.outcome.value:<8}  {counts}"
    )


def _document(one: "Health", readings: "list[Reading]", advice: str) -> dict[str, Any]:
    return {
        "label": one.label,
        "uuid": one.uuid,
        "segment": one.segment,
        "state": one.state.value,
        "slot": one.slot,
        "profile": one.profile,
        "burned_ns": one.burned_ns,
        "verified_ns": one.verified_ns,
        "note": one.note,
        "advice": advice,
        "readings": [reading_document(reading) for reading in readings],
    }


def reading_document(reading: "Reading") -> dict[str, Any]:
    """One verification for a program."""
    return {
        "at_ns": reading.at_ns,
        "drive": reading.drive,
        "sample": reading.sample,
        "outcome": reading.outcome.value,
        "bytes": reading.bytes_read,
        "bytes_per_second": round(reading.speed),
        "retries": reading.retries,
        "unreadable_sectors": reading.unreadable,
        "damaged": reading.damaged,
        "note": reading.note,
    }
