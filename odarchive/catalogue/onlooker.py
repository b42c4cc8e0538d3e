"""The catalogue opened by those who only look: the mount's threads. Plain sqlite3, for their questions are prepared.

Not for commands and the librarian: ``database.Catalogue``.
"""

import sqlite3
from pathlib import Path

from odarchive.errors import NoArchive


def look_into(path: Path, *, busy: float, any_thread: bool = False) -> sqlite3.Connection:
    """A connection that can write nothing; ``busy``: seconds a question waits for a lock.

    Raises:
        NoArchive: there is no catalogue at the path.
    """
    if not path.is_file():
        raise NoArchive(f"{path} does not exist; make an archive with: odarchive init")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy, check_same_thread=not any_thread)
