"""A click group that imports a command's module when the command is asked for; ``_`` and ``-`` are the same."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """``places`` maps each command's name to ``module:attribute``."""

    def __init__(self, *args: Any, places: Mapping[str, str], **options: Any) -> None:  # noqa: ANN401  click's own
        super().__init__(*args, **options)
        self._places = dict(places)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a first use, not of the alphabet."""
        return [*self._places, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and answer the command."""
        name = cmd_name.replace("_", "-")
        place = self._places.get(name)
        if place is None:
            return super().get_command(ctx, name)
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command
