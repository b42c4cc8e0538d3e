"""The librarian's unix socket, whatever the length of its path.

``sun_path`` holds 107 bytes (unix(7)). A longer path is reached through a descriptor of its folder:
``/proc/self/fd/N/name`` names the same socket and is short.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A short name for the socket, valid inside the block.

    Raises:
        OSError: its folder cannot be opened.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
