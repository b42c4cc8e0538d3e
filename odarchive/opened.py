"""An archive as commands have it: its configuration and its catalogue, without the parts that move discs.

By itself, because it is imported by nearly every command: ``bootstrap`` brings the robot and its framework.
"""

from dataclasses import dataclass
from pathlib import Path

from odarchive import config as configuration
from odarchive.catalogue import archive
from odarchive.catalogue.database import Catalogue
from odarchive.config import Config


@dataclass(frozen=True, slots=True)
class Archive:
    """An opened archive, for commands."""

    config: Config
    catalogue: Catalogue


def open_archive(root: Path) -> Archive:
    """Open an archive for a command.

    Raises:
        NoArchive, ConfigError: there is none, or its configuration is wrong.
    """
    config = configuration.load(root)
    return Archive(config, archive.open_catalogue(config.catalogue))
