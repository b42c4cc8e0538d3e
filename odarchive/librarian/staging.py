"""What the disk of staging says when it is full, gone or broken: the burn waits, and everything else goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from odarchive.errors import NoSpace, is_full


@contextmanager
def using(staging: Path) -> Iterator[None]:
    """Work on images in staging.

    Raises:
        NoSpace: its disk is full, gone or broken.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise NoSpace(f"staging in {staging} is full; free some space, it is tried again") from error
        what = f"{error.filename or staging}: {error.strerror}"
        raise NoSpace(f"staging cannot be used: {what}; see to its disk, it is tried again") from error
