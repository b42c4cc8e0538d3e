"""How one run of a helper program ended, as a value both the drivers and the simulated programs use. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Completed:
    """Exit status and everything written; text that is not UTF-8 holds surrogates."""

    status: int
    """Negative: the number of the signal that ended it."""
    out: str = ""
    err: str = ""
