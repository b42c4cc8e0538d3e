"""Leads an older catalogue to the present schema, by alembic, without a configuration file.

A migration is never changed once released; a change of ``schema`` comes with a new file in ``versions/`` and a new
``archive.REVISION``.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def configuration(connection: Connection | None = None) -> Config:
    """alembic's view of this folder; ``env.py`` takes the connection from it."""
    config = Config()
    # ConfigParser reads % as the start of a reference.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's write transaction."""
    command.upgrade(configuration(connection), "head")
