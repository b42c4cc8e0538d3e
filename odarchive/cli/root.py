"""The program's entry: the group of all commands, its help, and the way from an exception to an exit code.

Every failure ends as one line ``odarchive: ...`` on stderr and a code of the table in ``--help``; with ``--json`` also
as ``{"error": {"code", "kind", "message"}}`` on stdout, so that a script reads one document whatever happens.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from odarchive import __version__
from odarchive.cli import exits, output
from odarchive.cli.lazy import LazyGroup
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode

_PLACES = {
    "init": "odarchive.cli.init:init",
    "scan": "odarchive.cli.scan:scan",
    "plan": "odarchive.cli.plan:plan",
    "image": "odarchive.cli.image:image",
    "archive": "odarchive.cli.archive:archive",
    "burn": "odarchive.cli.burn:burn",
    "serve": "odarchive.cli.serve:serve",
    "web": "odarchive.cli.web:web",
    "notify": "odarchive.cli.notify:notify",
    "mount": "odarchive.cli.mount:mount",
    "umount": "odarchive.cli.mount:umount",
    "recall": "odarchive.cli.cache:recall",
    "cache": "odarchive.cli.cache:cache",
    "asked": "odarchive.cli.asked:asked",
    "ls": "odarchive.cli.browse:ls",
    "whereis": "odarchive.cli.browse:whereis",
    "find": "odarchive.cli.find:find",
    "snapshots": "odarchive.cli.snapshots:snapshots",
    "diff": "odarchive.cli.diff:diff",
    "history": "odarchive.cli.history:history",
    "copies": "odarchive.cli.copies:copies",
    "cost": "odarchive.cli.cost:cost",
    "forget": "odarchive.cli.forget:forget",
    "prune": "odarchive.cli.prune:prune",
    "robot": "odarchive.cli.robot:robot",
    "drive": "odarchive.cli.drive:drive",
    "disc": "odarchive.cli.disc:disc",
    "label": "odarchive.cli.label:label",
    "queue": "odarchive.cli.queue:queue",
    "job": "odarchive.cli.job:job",
    "restore": "odarchive.cli.restore:restore",
    "rebuild-catalog": "odarchive.cli.rebuild_catalog:rebuild_catalog",
    "verify": "odarchive.cli.verify:verify",
    "scrub": "odarchive.cli.verify:scrub",
    "health": "odarchive.cli.health:health",
    "status": "odarchive.cli.status:status",
    "parity": "odarchive.cli.parity:parity",
    "parity-set": "odarchive.cli.parity_set:parity_set",
    "repair": "odarchive.cli.parity:repair",
    "key": "odarchive.cli.key:key",
    "info": "odarchive.cli.info:info",
    "check": "odarchive.cli.check:check",
    "import": "odarchive.cli.import_:import_",
    "demo": "odarchive.cli.demo.command:demo",
    "create-db": "odarchive.cli.ancestor:create_db",
    "plan-iso": "odarchive.cli.ancestor:plan_iso",
    "segment": "odarchive.cli.ancestor:segment",
    "num-isos": "odarchive.cli.ancestor:num_isos",
    "create-iso": "odarchive.cli.ancestor:create_iso",
    "write-iso": "odarchive.cli.ancestor:write_iso",
    "get-info": "odarchive.cli.ancestor:get_info",
}


@click.group(
    cls=LazyGroup,
    places=_PLACES,
    epilog=exits.table(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common_options()
@click.version_option(__version__, prog_name="odarchive")
def cli() -> None:
    """Turn drives into optical discs, and discs back into one mounted read-only drive.

    The archive is the folder given with --archive, else $ODARCHIVE, else `archive` in
    ~/.config/odarchive/config.toml or /etc/odarchive/config.toml.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code and never raises."""
    settings = Settings()
    try:
        result = cli.main(args=arguments, prog_name="odarchive", standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        output.note("odarchive: interrupted")
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, output.ReaderLeft):
        return _reader_left()
    except Exception as error:  # noqa: BLE001  the last frame of the program: nothing may end without its code
        return _failed(error, settings)
    return result if isinstance(result, int) else ExitCode.OK


def _failed(error: Exception, settings: Settings) -> int:
    failure = exits.describe(error)
    if failure.is_bug:
        traceback.print_exception(error)
    output.note(f"odarchive: {failure.message}")
    if settings.json:
        try:
            output.document({"error": {"code": failure.code, "kind": failure.kind, "message": failure.message}})
        except output.ReaderLeft:
            _reader_left()
    return failure.code


def _reader_left() -> int:
    """The reader of stdout (``head``) has gone: end quietly, and let nothing be flushed into the pipe at exit."""
    nowhere = os.open(Path(os.devnull), os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return ExitCode.OK
