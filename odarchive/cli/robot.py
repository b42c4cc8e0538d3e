"""``odarchive robot``: the machine, through the librarian, its one owner: what it says, and moving discs by hand."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from odarchive.cli import errand, output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import NoLibrarian, NotFound

_SIGNS = {
    "": "·",
    "empty": ".",
    "blank": "o",
    "disc": "D",
    "stale": "d",
    "unknown": "?",
    "foreign": "F",
    "spoiled": "x",
    "unreadable": "!",
}
"""One character for each state of a slot in ``robot map``; the first: a disc nobody has looked at."""
_ROW = 50


@click.group()
@common_options()
def robot() -> None:
    """The disc robot."""


@robot.command()
@common_options()
@click.pass_obj
def status(settings: Settings) -> None:
    """Show the machine, its drives and slots as it sees them and as the archive believes, and its move counter."""
    with errand.librarian(settings) as librarian:
        report = librarian.robot()
    if settings.json:
        output.document(report)
    else:
        _print(report)


@robot.command("map")
@common_options()
@click.pass_obj
def map_(settings: Settings) -> None:
    """Show every slot as one character."""
    with errand.librarian(settings) as librarian:
        report = librarian.robot()
    slots = report["slots"]
    if settings.json:
        output.document({"slots": slots})
        return
    if not slots:
        output.line("this machine has bins in place of slots: of what lies in them, it tells nothing")
        for drive in report["drives"]:
            output.line(f"drive {drive['drive']}: {drive['holds']}")
        for other in report["other"]:
            if not other["element"].startswith("drive"):
                output.line(f"{other['element']}: {other['machine']}")
        return
    for first in range(0, len(slots), _ROW):
        row = slots[first : first + _ROW]
        output.line(f"{row[0]['slot']:>4}  {''.join(_sign(slot) for slot in row)}")
    output.line("      " + "  ".join(f"{sign} {state or 'not looked at'}" for state, sign in _SIGNS.items()))


def _sign(slot: Mapping[str, Any]) -> str:
    if slot["machine"] == "empty" and not slot["out"]:
        return _SIGNS["empty"]
    return _SIGNS.get(slot["recorded"], "?")


@robot.command()
@click.option("--read", is_flag=True, help="Read the labels of doubtful slots as soon as a drive is idle.")
@click.option("--all", "everything", is_flag=True, help="With --read: of all slots that hold a disc.")
@common_options()
@click.pass_obj
def inventory(settings: Settings, read: bool, everything: bool) -> None:
    """Compare what the machine sees with what the catalogue believes; correct what the sensors prove.

    Beliefs about which disc is where are corrected by labels alone: --read has them read.
    """
    with errand.librarian(settings) as librarian:
        report = librarian.inventory()
        if read:
            numbers = librarian.errand("look", everything=int(everything))
            report["said"] = [librarian.errand_state(number, 30.0)["said"] for number in numbers]
    if settings.json:
        output.document(report)
        return
    for difference in report["differences"]:
        output.line(f"{difference} (corrected)")
    for slot in report["doubtful"]:
        output.line(f"slot {slot['slot']}: {slot['state']}; its label decides: odarchive robot inventory --read")
    for disc in report["missing"]:
        output.line(f"missing: {disc}; look for it: --read --all; or tell where it is: odarchive disc move")
    for label, place in report["outside"]:
        output.line(f"outside: {label}: {place}")
    for line in report.get("said", []):
        output.line(line)
    if not (report["differences"] or report["doubtful"] or report["missing"]):
        output.line(f"{len(report['slots'])} slots: machine and catalogue agree")


class SlotOrNext(click.ParamType[int]):
    """The number of a slot, or ``next``, which is 0."""

    name = "slot"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if isinstance(value, int):  # converted before
            return value
        text = str(value)
        if text == "next":
            return 0
        if not _is_number(text) or int(text) == 0:
            self.fail(f"{text!r}: write a slot's number, or next", param, ctx)
        return int(text)


def _is_number(text: str) -> bool:
    """No machine has ten million places."""
    return text.isascii() and text.isdigit() and len(text) < 8


class Place(click.ParamType[str]):
    """A slot's number, ``drive:0``, or a bin: ``input``, ``output``, ``reject``, with ``:2`` for the second of them."""

    name = "place"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The place as the librarian calls it."""
        kind, _, number = value.partition(":")
        if _is_number(value):
            return f"slot {int(value)}"
        known = {"slot": "slot", "drive": "drive", "input": "input-bin", "output": "output-bin", "reject": "reject-bin"}
        number = number or ("" if kind in ("slot", "drive") else "1")
        if kind not in known or not _is_number(number):
            self.fail(f"{value!r}: write a slot's number, drive:0, input, output or reject", param, ctx)
        return f"{known[kind]} {int(number)}"


@robot.command()
@click.argument("slot", type=SlotOrNext(), default="next")
@click.argument("drive", type=click.IntRange(min=0), default=0)
@errand.options
def load(settings: Settings, slot: int, drive: int, wait: bool) -> None:
    """Bring the disc of SLOT into DRIVE and read its label.

    A machine with bins in place of slots takes the next disc of its input bin: robot load, or robot load next DRIVE.
    """
    if slot:
        errand.do(settings, "load", wait=wait, slot=slot, drive=drive)
    else:
        errand.do(settings, "next", wait=wait, drive=drive)


@robot.command()
@click.argument("drive", type=click.IntRange(min=0), default=0)
@errand.options
def unload(settings: Settings, drive: int, wait: bool) -> None:
    """Take the disc of DRIVE home."""
    errand.do(settings, "unload", wait=wait, drive=drive)


@robot.command()
@click.argument("source", type=Place())
@click.argument("destination", type=Place())
@errand.options
def move(settings: Settings, source: str, destination: str, wait: bool) -> None:
    """Move a disc from SOURCE to DESTINATION, each the number of a slot.

    A machine with bins in place of slots has input, output, reject and drive:0; of a bin it moves the top disc.
    """
    errand.do(settings, "carry", wait=wait, source=source, destination=destination)


@robot.command()
@errand.options
def park(settings: Settings, wait: bool) -> None:
    """Empty the picker and all drives."""
    errand.do(settings, "park", wait=wait)


@robot.command()
@click.argument("answer", required=False)
@click.argument("words", nargs=-1)
@common_options()
@click.pass_obj
def asked(settings: Settings, answer: str | None, words: tuple[str, ...]) -> None:
    """Show what you are asked to carry, if you are the robot; with ANSWER, say how it went: done, empty, stop..."""
    with errand.librarian(settings) as librarian:
        now = librarian.asked()
        if answer is not None and now["number"] is None:
            raise NotFound("nothing is asked of you now")
        if answer is not None and answer not in now["answers"]:
            raise click.UsageError(f"{answer!r}: write one of {', '.join(now['answers'])}")
        if answer is not None:
            librarian.answer(now["number"], answer, " ".join(words))
    if settings.json:
        output.document(now)
    elif answer is None:
        output.line(now["sentence"] or "nothing is asked of you now")
        for word, meaning in now["answers"].items():
            output.line(f"  {word:<7} {meaning}")


@robot.command()
@click.argument("bin_", metavar="BIN", type=click.Choice(("output", "reject")))
@click.argument("place")
@click.option("--number", type=click.IntRange(min=1), default=1, help="If it has several of them.")
@common_options()
@click.pass_obj
def emptied(settings: Settings, bin_: str, place: str, number: int) -> None:
    """Tell that you have emptied the output or reject BIN and that its discs are at PLACE now."""
    from odarchive.catalogue import bins  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    archive = open_archive(settings.root())
    with archive.catalogue.write() as connection:
        count = bins.emptied(connection, f"{bin_}-bin {number}", place, now_ns=time.time_ns())
    with suppress(NoLibrarian), Client(archive.config.socket) as librarian:
        librarian.wake()
    if settings.json:
        output.document({"discs": count, "place": place})
    else:
        output.line(f"{count} disc{'' if count == 1 else 's'} of the archive are at: {place}")


@robot.command("import")
@click.argument("mailslot", type=click.IntRange(min=1), default=1)
@errand.options
def import_(settings: Settings, mailslot: int, wait: bool) -> None:
    """Take the disc of MAILSLOT into a free slot and read its label."""
    errand.do(settings, "import", wait=wait, mailslot=mailslot)


@robot.command()
@click.argument("slot", type=click.IntRange(min=1))
@click.argument("mailslot", type=click.IntRange(min=1), default=1)
@errand.options
def export(settings: Settings, slot: int, mailslot: int, wait: bool) -> None:
    """Put the disc of SLOT into MAILSLOT, to be taken out."""
    errand.do(settings, "export", wait=wait, slot=slot, mailslot=mailslot)


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
    if kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        output.line(f"{len(report['slots'])} slots: {counts}")
    for slot in report["slots"]:
        if slot["disc"]:
            output.line(f"slot {slot['slot']}: {slot['disc']}")
