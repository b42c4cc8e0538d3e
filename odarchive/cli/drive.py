"""``odarchive drive``: what is in the robot's drives, how they have done, and putting them back into service."""

from collections.abc import Mapping
from typing import Any

import click

from odarchive.cli import errand, output
from odarchive.cli.settings import Settings, common_options


@click.group()
@common_options()
def drive() -> None:
    """The drives of the robot."""


@drive.command("list")
@common_options()
@click.pass_obj
def list_(settings: Settings) -> None:
    """List drives: what each holds and does, and its burns, spoiled discs and failures so far."""
    from odarchive.catalogue import machine  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages

    with errand.librarian(settings) as librarian:
        bays = librarian.status()["drives"]
    with open_archive(settings.root()).catalogue.read() as connection:
        records = machine.drives(connection)
    for bay in bays:
        record = records.get(bay["drive"])
        bay |= {
            "burns": record.burns if record else 0,
            "spoiled": record.spoiled if record else 0,
            "failures": record.failures if record else 0,
            "out_of_service": record.why if record else "",
        }
    if settings.json:
        output.document({"drives": bays})
        return
    for bay in bays:
        home = "" if bay["slot"] is None else f" of slot {bay['slot']}"
        doing = f"; {bay['doing']}{_pace(bay)}" if bay["doing"] else ""
        output.line(
            f"drive {bay['drive']}: {bay['holds']}{home}{doing}; {bay['burns']} burns, {bay['spoiled']} spoiled; "
            f"{output.size(bay['bytes_read'])} read since the librarian began"
        )
        if bay["out_of_service"]:
            output.line(
                f"  out of service: {bay['out_of_service']}; put it back: odarchive drive release {bay['drive']}"
            )


def _pace(bay: Mapping[str, Any]) -> str:
    """How far a drive is with what it does, in brackets; empty if that is not known."""
    if not bay["total_bytes"] or not bay["done_bytes"]:
        return ""
    parts = [
        f"{100 * bay['done_bytes'] // bay['total_bytes']} %",
        f"{bay['bytes_per_second'] / 1e6:.1f} MB/s",
        "" if bay["buffer_percent"] is None else f"buffer {bay['buffer_percent']} %",
        "" if bay["seconds_left"] is None else f"{-(-bay['seconds_left'] // 60)} min left",
    ]
    return f" ({', '.join(part for part in parts if part)})"


@drive.command()
@click.argument("number", type=click.IntRange(min=0))
@errand.options
def eject(settings: Settings, number: int, wait: bool) -> None:
    """Empty a drive and leave its tray open."""
    errand.do(settings, "eject", wait=wait, drive=number)


@drive.command()
@click.argument("number", type=click.IntRange(min=0))
@errand.options
def release(settings: Settings, number: int, wait: bool) -> None:
    """Put a drive back into service that failed too often."""
    errand.do(settings, "release", wait=wait, drive=number)
