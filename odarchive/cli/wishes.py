"""Options of the commands that plan, and asking before a plan becomes very many discs."""

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output

if TYPE_CHECKING:
    from odarchive.media import Medium
    from odarchive.opened import Archive
    from odarchive.planning import PlanResult, Wish

MANY = 100
"""A plan of more discs is asked about."""
_PERCENT = re.compile(r"([0-9]{1,3})%?")


def _percent(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> float:
    match = _PERCENT.fullmatch(value or "0")
    if match is None or int(match[1]) > 100:
        raise click.BadParameter(f"{value!r} is no share of a disc; write for example 80%")
    return int(match[1]) / 100


_OPTIONS = (
    click.option(
        "--media",
        required=True,
        multiple=True,
        metavar="SIZE",
        help="cd, dvd, dvd-dl, bd, bd-dl, bd-xl, bd-xx, or such as 25GB; bd-managed and so on: formatted with spare "
        "area. Give it again for a kind of disc that may take what is left over.",
    ),
    click.option("--copies", type=click.IntRange(1, 99), help="Verified discs of each; default: as archive.toml says."),
    click.option("--places", type=click.IntRange(1, 99), help="Places these are to lie in; the robot is one."),
    click.option("--first", multiple=True, metavar="PATH", help="On the first discs: photos/2023/ or '*.raw'; repeat."),
    click.option(
        "--min-last-fill",
        "least_fill",
        callback=_percent,
        metavar="PERCENT",
        help="What would fill a last disc less waits for a later plan.",
    ),
    click.option("--ecc", metavar="auto|N%|none", help="Error correction on the discs; default: as archive.toml says."),
    click.option(
        "--parity", metavar="D+P|none", help="P parity discs for each D discs; default: as archive.toml says."
    ),
    click.option("--yes", "-y", is_flag=True, help=f"Plan more than {MANY} discs without asking."),
)


def wish_options() -> "Callable[[Callable[..., Any]], Callable[..., Any]]":
    """The options that say how to plan, in one place for all commands that do; read them with :func:`wish_of`."""

    def add(command: "Callable[..., Any]") -> "Callable[..., Any]":
        for option in reversed(_OPTIONS):
            command = option(command)
        return command

    return add


def medium_of(archive: "Archive", text: str) -> "Medium":
    """The medium of this name or size, as the archive's burner leaves it: with ``[burn] defects``, formatted.

    Raises:
        OdarchiveError: it is none.
    """
    from odarchive.media import parse_medium  # noqa: PLC0415

    medium = parse_medium(text)
    return medium.formatted if archive.config.defects else medium


def wish_of(archive: "Archive", given: dict[str, Any]) -> "tuple[Medium, Wish]":
    """The first medium, and everything else, from these options.

    Raises:
        OdarchiveError: a size is none.
    """
    from odarchive.correction.room import parse_ecc  # noqa: PLC0415
    from odarchive.parity.layout import parse_shape  # noqa: PLC0415
    from odarchive.planning import Wish  # noqa: PLC0415

    medium, *others = (medium_of(archive, text) for text in given["media"])
    copies, places = given.get("copies"), given.get("places")
    if (places or 1) > (copies or archive.config.copies):
        raise click.UsageError(f"{places} places need as many copies; say --copies {places}")
    wish = Wish(
        others=tuple(others),
        prices=dict(archive.config.prices),
        first=tuple(given.get("first") or ()),
        least_fill=given.get("least_fill") or 0.0,
        copies=copies,
        places=places,
        ecc=parse_ecc(given.get("ecc") or archive.config.ecc),
        parity=parse_shape(given.get("parity") or archive.config.parity),
    )
    return medium, wish


def made(
    archive: "Archive", medium: "Medium", wish: "Wish", *, dry_run: bool, yes: bool, asking: bool = True
) -> "PlanResult":
    """The plan; more than ``MANY`` discs are told and asked about first. ``asking``: somebody could answer.

    Raises:
        UsageError: there would be so many, and nobody said yes.
    """
    from odarchive.catalogue import lookup  # noqa: PLC0415
    from odarchive.planning import make_plan  # noqa: PLC0415

    if not dry_run and not yes:
        with archive.catalogue.read() as connection:
            new_bytes = lookup.info(connection).unplanned_bytes
        copies = wish.copies or archive.config.copies
        data, parity = wish.parity or (1, 0)
        if new_bytes * copies * (data + parity) / data > MANY * wish.usable(medium) * 0.9:
            before = make_plan(archive.catalogue, medium, wish, dry_run=True)
            if (len(before.segments) + before.parity) * copies > MANY:
                _ask(before, medium, copies, asking=asking)
    return make_plan(archive.catalogue, medium, wish, dry_run=dry_run)


def _ask(result: "PlanResult", medium: "Medium", copies: int, *, asking: bool) -> None:
    count = len(result.segments) + result.parity
    parity = f"{result.parity} of them for parity; " if result.parity else ""
    each = f"{copies} copies of {count}; " if copies > 1 else ""
    text = f"{output.size(result.new_bytes)} take {count * copies} discs ({each}{parity}{medium.name}, of which each "
    text += f"holds {output.size(medium.usable)})"
    if not (asking and sys.stdin.isatty()):
        raise click.UsageError(f"{text}; say --yes if that is meant, or name a larger medium")
    output.note(f"{text}.")
    if not click.confirm("Plan them?", err=True):
        raise click.Abort
