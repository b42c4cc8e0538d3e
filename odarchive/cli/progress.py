"""Progress for a person who watches: a bar on stderr if that is a terminal, nothing otherwise."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[int, int | None, str], None]
"""Done bytes, total bytes (None: not known), and what is being done right now."""


@contextmanager
def bar(title: str) -> Iterator[Tell]:
    """Show progress while the block runs."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _silent
        return
    from rich.console import Console  # noqa: PLC0415  0.05 s, and only for terminals
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None, detail="")

        def tell(done: int, total: int | None, detail: str) -> None:
            progress.update(task, completed=done, total=total, detail=escape(detail[-60:]))

        yield tell


def _silent(_done: int, _total: int | None, _detail: str) -> None:
    pass
