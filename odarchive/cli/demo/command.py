"""``odarchive demo``: the main job with a simulated robot, shown or proven; what the person is told."""

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

import click

from odarchive.cli import output
from odarchive.cli.demo import folder, proof, selection, stage
from odarchive.cli.demo.folder import Places
from odarchive.cli.demo.processes import Ended, ending_on_signals
from odarchive.cli.demo.stage import Order, Stage
from odarchive.errors import DamageFound, ExitCode, SourceMissing

_LISTED = 50
"""Differences told one by one."""


@click.command()
@click.option("--source", metavar="DIR", type=click.Path(path_type=Path), help="Archive this; default: system files.")
@click.option("--check", is_flag=True, help="Compare the mount with the source byte by byte, then take all down.")
@click.option("--media", metavar="SIZE", help="Capacity of the discs; default: so that at least 5 are needed.")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Where to work; made anew, removed at the end.",
)
@click.option("--keep", is_flag=True, help="Leave that folder (discs, archive, logs) in place at the end.")
def demo(source: Path | None, check: bool, media: str | None, directory: Path, keep: bool) -> int:
    """Show the main job with a simulated robot of 600 slots: archive, burn, mount, read.

    With --check it prints one line, `demo: N files, M bytes, D discs, L disc loads, X differences`, and succeeds if X
    is 0. Without, everything stays up until Ctrl-C. Needs no hardware and writes nothing outside --dir.
    """
    if source is not None and not source.is_dir():
        raise SourceMissing(f"{source} is not a folder; name one with --source DIR")
    sources = selection.default() if source is None else [selection.given(os.fsencode(source))]
    try:
        with ending_on_signals(), folder.fresh(directory) as places:
            _run(Order(sources, media), places, check=check)
            if not keep:
                folder.clear(places)
                shutil.rmtree(places.root)
    except Ended:
        stage.say("ended before it was up; nothing is left running")
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _run(order: Order, places: Places, *, check: bool) -> None:
    with contextlib.ExitStack() as stack:
        capacity = stage.prepare(order, places)
        up = stage.start(order, places, capacity, stack)
        if check:
            _prove(up)
        else:
            _stay(up)
    stage.say("everything is down: no process and no mount is left")


def _stay(up: Stage) -> None:
    """Until Ctrl-C, SIGTERM or SIGHUP."""
    _invite(up)
    try:
        while True:
            up.check()
            time.sleep(0.5)
    except Ended:
        stage.say("taking everything down")


def _prove(up: Stage) -> None:
    verdict = proof.prove(up)
    tally = verdict.tally
    for difference in tally.differences[:_LISTED]:
        output.note(f"difference: {difference}")
    if len(tally.differences) > _LISTED:
        output.note(f"and {len(tally.differences) - _LISTED} more")
    output.line(
        f"demo: {tally.files} files, {tally.size} bytes, {up.discs} discs, {verdict.loads} disc loads, "
        f"{len(tally.differences)} differences"
    )
    if tally.differences:
        raise DamageFound(f"the mount differs from the source; discs and logs are in {up.places.root}")


def _invite(up: Stage) -> None:
    mount, archive = up.places.mount, up.places.archive
    first = output.visible(up.order.sources[0].name)
    program = os.path.relpath(Path(sys.executable).with_name("odarchive"))
    stage.say("everything is up. In another terminal, try:")
    for line in (
        f"ls -lR {mount}/{first} | head       (no disc moves for this)",
        f"find {mount} -type f | shuf -n 3 | xargs -d '\\n' sha256sum   (watch the robot fetch discs)",
        f"{program} -a {archive} robot status",
        f"{program} -a {archive} whereis {first}/...",
        f"{program} -a {archive} info",
    ):
        output.note(f"    {line}")
    output.note("Ctrl-C here takes all of it down.")
