"""``odarchive notify``: the ways a person is told what needs him, and trying them."""

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ConfigError, ExitCode


@click.command()
@click.option("--test", is_flag=True, help="Send a message in each of these ways now.")
@common_options()
@click.pass_obj
def notify(settings: Settings, test: bool) -> int:
    """List the ways in which `odarchive serve` tells what needs a person: [notify] in archive.toml.

    With --test it ends with an error when a way fails; no librarian is needed.
    """
    from odarchive import config  # noqa: PLC0415  the command line starts without it
    from odarchive.service.hooks import NotTold, hooks  # noqa: PLC0415
    from odarchive.service.notices import message  # noqa: PLC0415

    configured = config.load(settings.root())
    ways = hooks(configured.root, configured.notify)
    if not ways:
        raise ConfigError(
            f"{configured.root / config.FILE_NAME}: [notify] names no way to tell a person; "
            "set command, webhook or mail_to there"
        )
    said: dict[str, str] = {}
    sample = message(f"odarchive {configured.root.name}", ["this is a test, nothing needs you"])
    for name, hook in ways.items():
        try:
            if test:
                hook(sample)
            said[name] = "told" if test else "configured"
        except NotTold as untold:
            said[name] = f"failed: {untold}"
    failed = [name for name, words in said.items() if words.startswith("failed")]
    if settings.json:
        output.document({"ways": said})
    for name, words in () if settings.json else said.items():
        output.line(f"{name:<8}  {words}")
    if failed:
        error = NotTold(f"no message by {', '.join(failed)}: {'; '.join(said[name] for name in failed)}")
        if not settings.json:
            raise error
        output.note(f"odarchive: {error}")  # stdout has its document
        return error.exit_code
    return ExitCode.OK
