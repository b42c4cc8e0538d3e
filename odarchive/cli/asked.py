"""``odarchive asked``: what readers of a mount with ``--recall=ask`` wait for, and a person's answer."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import NotFound, OdarchiveError

if TYPE_CHECKING:
    from odarchive.asked import Question


@click.command()
@click.argument("answer", type=click.Choice(["allow", "refuse"]), required=False)
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Answer all questions.")
@common_options()
@click.pass_obj
def asked(settings: Settings, answer: str | None, numbers: Sequence[int], everything: bool) -> None:
    """List the files whose readers wait for leave to have their discs loaded, or ANSWER those of NUMBERS.

    `odarchive recall PATH` brings a file, too, and serves who waits for it.
    """
    from odarchive.asked import Box, Verdict  # noqa: PLC0415  the command line starts without it

    box = Box(settings.root())
    questions = box.questions()
    if answer is None:
        if numbers or everything:
            raise click.UsageError("say allow or refuse")
        _show(settings, questions)
        return
    known = {question.content for question in questions}
    if unknown := sorted(set(numbers) - known):
        raise NotFound(f"nobody waits for number {unknown[0]}; `odarchive asked` lists what is asked")
    if not numbers and not everything:
        raise click.UsageError("name numbers, or --all")
    chosen = sorted(known) if everything else list(numbers)
    verdict = Verdict.ALLOWED if answer == "allow" else Verdict.REFUSED
    try:
        for number in chosen:
            box.answer(number, verdict)
    except OSError as error:
        raise OdarchiveError(f"the answer cannot be written: {error}; answer as the user of the mount") from error
    if settings.json:
        output.document({"answered": chosen})
    else:
        output.line(f"{len(chosen)} answered")


def _show(settings: Settings, found: Sequence["Question"]) -> None:
    if settings.json:
        lines = [
            {"number": one.content, "path": one.path, "size": one.size, "who": one.who, "since": one.since}
            for one in found
        ]
        output.document({"asked": lines})
        return
    for one in found:
        waited = max(0, round(time.time() - one.since))
        path = output.visible(one.path.encode("utf-8", "surrogateescape"))
        who = output.visible(one.who.encode("utf-8", "surrogateescape"))
        output.line(f"{one.content:>8}  {path}  {output.size(one.size)}, {who} waits for {waited} s")
    if not found:
        output.line("nobody waits for leave")
