"""When a burn counts as stalled: the time since it last advanced. Pure: told the time, asks no clock."""

from dataclasses import dataclass

from robot.ports import BurnProgress


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds a burn may go on without a sign of advance. Lines that repeat the same figure are none."""

    stall: float = 120.0
    """While data is being written."""
    finish: float = 1_800.0
    """Before the first byte (calibration, lead-in, formatting) and while closing: a full BD-R takes minutes."""


class Advance:
    """Remembers when a burn last advanced. Pure: told the time, asks no clock.

    The program's own patience lines (``Thank you for being patient``) appear even while the drive hangs, so only a
    higher count of bytes or the beginning of a phase counts.
    """

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self._since = now
        self._written = -1
        self._writing = False

    def feed(self, progress: BurnProgress | None, now: float, *, closing: bool = False) -> None:
        """Take in what a line said that arrived at ``now`` (seconds on any steady clock).

        ``closing``: the drive is at something long that writes no data.
        """
        if progress is not None and progress.written > self._written:
            self._written, self._writing, self._since = progress.written, 0 < progress.written < progress.total, now
        elif self._writing and closing:
            self._writing, self._since = False, now

    def deadline(self) -> float:
        """The time at which the burn counts as stalled if nothing advances until then."""
        return self._since + (self._patience.stall if self._writing else self._patience.finish)
