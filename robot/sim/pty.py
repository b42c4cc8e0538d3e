"""A pseudo-terminal as the machine's end of a serial line.

For letting a driver open a simulated machine with pyserial like any port. Not for what is said on the line.
Rules: the line outlives the host (this side keeps the slave end open, so a host that closes the port is no hang-up),
and bytes nobody reads are lost, as on a cable without flow control.
"""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from robot.transport import DescriptorStream

_PATIENCE = 0.2
"""Seconds a full buffer is waited for before the bytes are lost."""


class PtyLine(DescriptorStream):
    """The master side of a new pseudo-terminal; ``path`` is what a host opens."""

    def __init__(self) -> None:
        master, self._slave = os.openpty()
        self.path = os.ttyname(self._slave)
        tty.setraw(self._slave)
        os.set_blocking(master, False)
        super().__init__(master, self.path)

    async def send(self, data: bytes) -> None:
        """Write ``data``, or lose what the host does not take in time."""
        with trio.move_on_after(_PATIENCE):
            await super().send(data)

    def _close(self) -> None:
        super()._close()
        slave, self._slave = self._slave, -1
        if slave >= 0:
            os.close(slave)


@contextmanager
def published(line: PtyLine, link: Path) -> Iterator[None]:
    """Keep ``link`` pointing at the line's port; removed at the end unless somebody else has replaced it."""
    temporary = link.with_name(f"{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(line.path)
    temporary.replace(link)
    try:
        yield
    finally:
        with suppress(OSError):
            if str(link.readlink()) == line.path:
                link.unlink()
