"""``odarchive plan``: put everything that is new on segments, one for each disc to be."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output, wishes
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options

if TYPE_CHECKING:
    from odarchive.opened import Archive
    from odarchive.planning import PlannedSegment, PlanResult

_SHOWN = 40
"""Of more discs only the first and the last are listed; --json has them all."""
_LAST = 5
_HANDLING = 120
"""Seconds for each disc: the arm, lead-in and lead-out."""


@click.command()
@wishes.wish_options()
@click.option("--dry-run", "-n", is_flag=True, help="Only tell; write nothing. Sizes are upper bounds then.")
@common_options()
@click.pass_obj
def plan(settings: Settings, /, *, dry_run: bool, yes: bool, **given: Any) -> None:  # noqa: ANN401  options of wishes
    """Plan what is new onto discs: folders kept together, discs full.

    Tells which discs there will be, how full, what they cost and how long burning and verifying takes. Plans that
    nobody began to burn are topped up.
    """
    archive = open_archive(settings.root())
    medium, wish = wishes.wish_of(archive, given)
    result = wishes.made(archive, medium, wish, dry_run=dry_run, yes=yes, asking=not settings.json)
    copies = wish.copies or archive.config.copies
    if settings.json:
        output.document(_document(archive, result, copies, dry_run=dry_run))
        return
    _print(archive, result, copies)
    if result.segments and not dry_run:
        output.hint("next: odarchive burn all")


def _print(archive: "Archive", result: "PlanResult", copies: int) -> None:
    segments = result.segments
    listed = range(len(segments))
    shown = [*listed[: _SHOWN - _LAST], *listed[-_LAST:]] if len(segments) > _SHOWN else listed
    for place in shown:
        if place and place - 1 not in shown:
            output.line(f"  ...  {len(segments) - _SHOWN} more")
        output.line(_line(segments[place]))
    _discs(archive, result, copies)
    if result.topped_up:
        output.line(f"planned anew with it, not being burned yet: {_numbers(result.topped_up)}")
    if result.parity:
        output.line(f"and {result.parity} parity discs, made when the data discs of their set are burned")
    if result.waiting_bytes:
        output.line(f"{output.size(result.waiting_bytes)} wait for a fuller last disc")
    for pattern in result.unmet:
        output.note(f"odarchive: --first {pattern}: nothing new is called so")


def _line(segment: "PlannedSegment") -> str:
    number = "new" if segment.id is None else str(segment.id)
    fill = f"{segment.planned_bytes * 100 // segment.capacity}%"
    payload = output.size(segment.payload_bytes)
    kind = segment.medium.name if not segment.medium.name.isdigit() else ""
    files = f"{segment.files} files{_correction(segment)}"
    return f"{number:>5}  {segment.label:<32}  {kind:<6}  {payload:>8}  {fill:>4}  {files}"


def _discs(archive: "Archive", result: "PlanResult", copies: int) -> None:
    count = len(result.segments)
    fill = ""
    if count:
        used = sum(one.planned_bytes for one in result.segments)
        fill = f", {used * 100 / sum(one.medium.usable for one in result.segments):.1f}% full"
    output.line(f"{count} discs for {output.size(result.new_bytes)} that are new{fill}")
    if not count:
        return
    kinds = Counter(one.medium.name for one in result.segments)
    bought = " and ".join(f"{number * copies} {kind}" for kind, number in kinds.items() if not kind.isdigit())
    price, hours = _price(archive, result, copies), _hours(archive, result, copies)
    money = "" if price is None else f", {price:.2f} {archive.config.currency}"
    drives = max(1, len(archive.config.drives))
    times = "" if copies == 1 else f"{copies} copies: "
    blanks = f"{bought or f'{count * copies} discs'}{money}, "
    output.line(f"{times}{blanks}about {hours:.1f} hours of burning and verifying with {drives} drive(s)")


def _price(archive: "Archive", result: "PlanResult", copies: int) -> float | None:
    """What the discs cost; None: a price is missing."""
    prices = dict(archive.config.prices)
    kinds = [one.medium.name for one in result.segments]
    return round(copies * sum(prices[kind] for kind in kinds), 2) if all(kind in prices for kind in kinds) else None


def _hours(archive: "Archive", result: "PlanResult", copies: int) -> float:
    """Writing and reading back, at the rate of this archive's burns so far, or the usual one of the medium."""
    from odarchive.catalogue import summary  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        rates = summary.burn_rates(connection)
    seconds = sum(
        2 * one.planned_bytes / rates.get(one.medium.name, one.medium.rate) + _HANDLING for one in result.segments
    )
    return copies * seconds / 3600 / max(1, len(archive.config.drives))


def _numbers(numbers: "tuple[int, ...]") -> str:
    return ("segment " if len(numbers) == 1 else "segments ") + ", ".join(map(str, numbers))


def _document(archive: "Archive", result: "PlanResult", copies: int, *, dry_run: bool) -> dict[str, object]:
    segments = [
        {
            "id": segment.id,
            "label": segment.label,
            "media": segment.medium.name,
            "files": segment.files,
            "payload_bytes": segment.payload_bytes,
            "planned_bytes": segment.planned_bytes,
            "ecc_size": segment.ecc_size,
            "capacity": segment.capacity,
        }
        for segment in result.segments
    ]
    return {
        "dry_run": dry_run,
        "new_bytes": result.new_bytes,
        "parity_discs": result.parity,
        "waiting_bytes": result.waiting_bytes,
        "copies": copies,
        "cost": _price(archive, result, copies),
        "currency": archive.config.currency,
        "hours": round(_hours(archive, result, copies), 2),
        "planned_anew": list(result.topped_up),
        "segments": segments,
    }


def _correction(segment: "PlannedSegment") -> str:
    """How much error correction a disc gets, as dvdisaster counts it."""
    from odarchive.correction.room import LAYERS, layers  # noqa: PLC0415

    if segment.ecc_size is None:
        return ""
    parity = layers(segment.planned_bytes, segment.ecc_size)
    return f", error correction {parity * 100 // (LAYERS - parity)}%"
