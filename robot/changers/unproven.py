"""The warning of drivers that have never met their machine. Not for errors."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


def warn_unproven(machine: str) -> None:
    """Say once, when a driver is opened, that ``machine`` was never tried: its first moves want watching."""
    _log.warning(
        "the driver for %s was never tried on that machine: watch its first moves, with discs you can spare", machine
    )
