"""``odarchive parity-set``: the sets of discs that parity was planned for, and closing one before it is full."""

import time

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options


@click.group("parity-set")
@common_options()
def parity_set() -> None:
    """Sets of discs with parity discs, as `plan --parity` makes them."""


@parity_set.command("list")
@common_options()
@click.pass_obj
def list_(settings: Settings) -> None:
    """List the sets: which discs they have, and what each waits for."""
    from odarchive.catalogue import paritysets  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        found = paritysets.every(connection)
    if settings.json:
        rows = [
            {
                "set": one.id,
                "uuid": one.uuid,
                "data": [segment.label for segment in one.data],
                "room": one.size - len(one.data),
                "parity": [segment.label for segment in one.parity],
                "closed": one.closed,
                "made": one.made,
            }
            for one in found
        ]
        output.document({"sets": rows})
        return
    for one in found:
        state = "whole" if one.made else "its parity is to be burned" if one.closed else "takes more discs"
        labels = ", ".join(segment.label for segment in one.data)
        parity = ", ".join(segment.label for segment in one.parity)
        output.line(f"set {one.id}: {len(one.data)} of {one.size} data discs ({labels}) + {parity}: {state}")
    if not found:
        output.note("there is no parity set; `odarchive plan --parity 16+4` begins one")


@parity_set.command()
@click.argument("number", type=click.IntRange(1))
@common_options()
@click.pass_obj
def close(settings: Settings, number: int) -> None:
    """Let set NUMBER take no more data discs, so that its parity discs can be burned: `odarchive burn`."""
    from odarchive.catalogue import paritysets  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.write() as connection:
        paritysets.close(connection, number, now_ns=time.time_ns())
    if settings.json:
        output.document({"set": number, "closed": True})
    else:
        output.line(f"set {number} is closed")
        output.hint("next: odarchive burn all")
