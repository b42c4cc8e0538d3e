"""``odarchive web``: where the status page is, with the key that opens it."""

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ConfigError


@click.command()
@common_options()
@click.pass_obj
def web(settings: Settings) -> None:
    """Tell the address of the status page, with its key.

    Whoever knows this address sees the page and may answer on it; a new key is made when web.key is removed and
    `odarchive serve` starts again.
    """
    from odarchive import config  # noqa: PLC0415  the command line starts without it
    from odarchive.service.key import key_of  # noqa: PLC0415

    configured = config.load(settings.root())
    if not configured.web:
        raise ConfigError(
            f"{configured.root / config.FILE_NAME}: [web] listen is not set, so the status page is on the socket "
            f'alone; write listen = "127.0.0.1:8610" there and start `odarchive serve` again'
        )
    address = f"http://{configured.web}/enter?key={key_of(configured.root)}"
    if settings.json:
        output.document({"address": address})
    else:
        output.line(address)
