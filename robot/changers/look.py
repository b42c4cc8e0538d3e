"""Looking into a drive, for machines that cannot tell whether it holds a disc.

For drivers of stack machines. Not for knowing which disc it is. The tray is open before and after, and the arm must be
out of its way: drivers look only while the machine is at rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from robot.errors import DriveError, NoMedium
from robot.ports import Drive, DriveId, Fill

Look = Callable[[DriveId], Awaitable[Fill]]
"""Looks into a drive by its own means and leaves its tray open; UNKNOWN if it cannot tell."""


def look_into(drives: Mapping[DriveId, Drive], *, patience: float = 60.0) -> Look:
    """A look by closing the tray, asking for a medium, and opening the tray again.

    Args:
        drives: the drives of the machine, by number.
        patience: seconds a drive is given to recognise a disc. One that it cannot recognise at all counts as none.
    """

    async def look(number: DriveId) -> Fill:
        drive = drives.get(number)
        if drive is None:
            return Fill.UNKNOWN
        fill = Fill.UNKNOWN
        try:
            await drive.close_tray()
            await drive.medium(patience)
            fill = Fill.FULL
        except NoMedium:
            fill = Fill.EMPTY
        except DriveError:  # busy, stuck: nobody knows
            fill = Fill.UNKNOWN
        finally:
            with suppress(DriveError):  # the next interlock sees a tray that did not open
                await drive.open_tray()
        return fill

    return look
