"""Asking the librarian to do something by hand, and waiting for it: shared by the commands ``robot`` and ``drive``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import RobotTrouble

if TYPE_CHECKING:
    from odarchive.service.client import Client

_POLL = 20.0
"""Seconds one question waits for its answer."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--wait/--no-wait``, ``--archive``, ``--json`` and the settings."""
    wait = click.option(
        "--wait/--no-wait", default=True, help="Wait until it is done (a burn in the drive ends first)."
    )
    return wait(common_options()(click.pass_obj(command)))


def librarian(settings: Settings) -> "Client":
    """The archive's librarian, as a context manager."""
    from odarchive import config  # noqa: PLC0415
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    return Client(config.load(settings.root()).socket)


def do(settings: Settings, what: str, *, wait: bool, **numbers: int | str) -> None:
    """Ask for something and tell how it went.

    Raises:
        RobotTrouble: it failed; the message says why.
    """
    with librarian(settings) as client:
        asked = client.errand(what, **numbers)
        states = [client.errand_state(number, 0.0) for number in asked]
        while wait and any(state["state"] in ("waiting", "running") for state in states):
            states = [client.errand_state(number, _POLL) for number in asked]
    failed = [state for state in states if state["state"] == "failed"]
    if failed:
        raise RobotTrouble(f"{failed[0]['what']}: {failed[0]['said']}")
    if settings.json:
        output.document({"errands": states})
        return
    for state in states:
        output.line(state["said"] or f"{state['what']}: {state['state']}")
