"""``odarchive serve``: be the librarian."""

import logging
import os
import sys

import click

from odarchive.cli.settings import Settings, common_options


@click.command()
@click.option("--verbose", "-v", is_flag=True, help="Log every step.")
@common_options(json=False)
@click.pass_obj
def serve(settings: Settings, verbose: bool) -> None:
    """Be the librarian: own the robot, burn what is queued, bring what readers ask for. Ends on SIGTERM or Ctrl-C."""
    from odarchive import bootstrap  # noqa: PLC0415  needs nearly everything

    start_log(verbose=verbose)
    bootstrap.serve(settings.root())


def start_log(*, verbose: bool) -> None:
    """Log to stderr; without times of its own under systemd, whose journal has them."""
    in_journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if in_journal else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG if verbose else logging.INFO, format=form)
    for talkative in ("alembic.runtime.plugins", "httpx", "httpcore", "hypercorn"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
