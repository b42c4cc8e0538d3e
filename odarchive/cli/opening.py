"""Opening the archive for one command; its catalogue is closed when the command ends, however it ends."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from odarchive.opened import Archive


def open_archive(root: Path) -> "Archive":
    """See ``opened.open_archive``. Only inside a command."""
    from odarchive import opened  # noqa: PLC0415  the command line starts without the catalogue's packages

    archive = opened.open_archive(root)
    click.get_current_context().call_on_close(archive.catalogue.close)
    return archive
