"""``odarchive robot``: what the machine says, through the librarian, its one owner. Moves nothing."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options


@click.group()
@common_options()
def robot() -> None:
    """The disc robot."""


@robot.command()
@common_options()
@click.pass_obj
def status(settings: Settings) -> None:
    """Show the machine, its drives and slots as it sees them and as the archive believes, and its move counter."""
    from odarchive import config  # noqa: PLC0415
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    with Client(config.load(settings.root()).socket) as librarian:
        report = librarian.robot()
    if settings.json:
        output.document(report)
    else:
        _print(report)


def _print(report: Mapping[str, Any]) -> None:
    moves = "not counted" if report["moves"] is None else report["moves"]
    output.line(
        f"{report['vendor']} {report['model']} (firmware {report['firmware']}): {report['state']}; moves: {moves}"
    )
    for drive in report["drives"]:
        home = "" if drive["slot"] is None else f" (of slot {drive['slot']})"
        doing = f"; {drive['doing']}" if drive["doing"] else ""
        output.line(f"drive {drive['drive']}: {drive['holds']}{home}{doing}")
    for other in report["other"]:
        if not other["element"].startswith("drive"):
            output.line(f"{other['element']}: {other['machine']}")
    kinds = Counter(slot["believed"] or slot["machine"] for slot in report["slots"])
    output.line(f"{len(report['slots'])} slots: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    for slot in report["slots"]:
        if slot["disc"]:
            output.line(f"slot {slot['slot']}: {slot['disc']}")
