"""What is set for a whole run: which archive, JSON or text. Options of the program and of every command alike.

The archive is found in this order: ``--archive``, ``$ODARCHIVE``, the key ``archive`` in
``$XDG_CONFIG_HOME/odarchive/config.toml`` (``~/.config`` by default), the same in ``/etc/odarchive/config.toml``. The
first that says anything decides.
"""

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from odarchive.errors import ConfigError, NoArchive

C = TypeVar("C", bound=Callable[..., Any])
_SYSTEM = Path("/etc/odarchive/config.toml")


@dataclass(slots=True)
class Settings:
    """Filled while the command line is parsed, then only read; lives as click's ``obj``."""

    archive: Path | None = None
    json: bool = False

    def root(self) -> Path:
        """The archive's folder; whether it is one is for the caller to find out.

        Raises:
            NoArchive: nobody has named one.
            ConfigError: a configuration file cannot be understood.
        """
        if self.archive is not None:
            return self.archive
        if named := os.environ.get("ODARCHIVE"):
            return Path(named)
        for file in (_personal(), _SYSTEM):
            if (configured := _configured(file)) is not None:
                return configured
        raise NoArchive(
            'no archive was named: use --archive DIR, set $ODARCHIVE, or write archive = "DIR" into '
            f"{_personal()}; `odarchive init DIR` makes one"
        )


def _personal() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "odarchive" / "config.toml"


def _configured(path: Path) -> Path | None:
    try:
        with path.open("rb") as file:
            value = tomllib.load(file).get("archive")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}; correct the file or name the archive with --archive") from error
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}: archive must be the path of a folder in quotes")
    return Path(path.parent, Path(value).expanduser())


def _set_archive(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Settings).archive = value


def _set_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Settings).json = True


def common_options(*, json: bool = True) -> Callable[[C], C]:
    """``--archive`` and, for commands that print data, ``--json``; good before and after the command's name."""

    def decorate(command: C) -> C:
        if json:
            command = click.option(
                "--json",
                is_flag=True,
                expose_value=False,
                callback=_set_json,
                help="Print one JSON document instead of text.",
            )(command)
        return click.option(
            "--archive",
            "-a",
            metavar="DIR",
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_set_archive,
            help="The archive's folder.",
        )(command)

    return decorate
