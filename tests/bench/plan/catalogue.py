"""An archive whose catalogue knows a list of files that exist nowhere: for plans at full size.

``python catalogue.py DIRECTORY LIST COUNT``; the archive must be there (``odarchive init``).
"""

import sqlite3
import stat
import sys
from pathlib import Path

from lists import LISTS

_ENTRY = (
    "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino,"
    " content) VALUES (?, ?, 1, ?, ?, 1, 1000, 1000, ?, 1700000000000000000, 0, 1, 0, ?)"
)


def fill(path: Path, name: str, count: int) -> None:
    """Put the list into an empty catalogue, as one complete scan of one source."""
    connection = sqlite3.connect(path)
    root = connection.execute("SELECT ino FROM entry WHERE parent = 0").fetchone()[0]
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "INSERT INTO source (id, name, path, created_ns) VALUES (1, ?, ?, 0)", (name.encode(), b"/nowhere")
    )
    connection.execute(
        "INSERT INTO snapshot (id, source, state, started_ns, finished_ns) VALUES (1, 1, 'complete', 1, 2)"
    )
    inos = {"": root}
    entries, contents = [], []
    for number, (file, size) in enumerate(LISTS[name](count), 1):
        contents.append((number, number.to_bytes(32, "big"), size))
        folder, _, last = file.rpartition("/")
        if folder not in inos:
            above = ""
            for part in folder.split("/"):
                below = f"{above}/{part}".lstrip("/")
                if below not in inos:
                    inos[below] = 2_000_000_000 + len(inos)
                    entries.append((inos[above], part.encode(), inos[below], stat.S_IFDIR | 0o755, 0, None))
                above = below
        entries.append((inos[folder], last.encode(), 10 + number, stat.S_IFREG | 0o644, size, number))
        if len(contents) == 20_000:
            _insert(connection, contents, entries)
    _insert(connection, contents, entries)
    connection.commit()
    connection.close()


def _insert(connection: sqlite3.Connection, contents: list[tuple], entries: list[tuple]) -> None:
    connection.executemany("INSERT INTO content (id, digest, size) VALUES (?, ?, ?)", contents)
    connection.executemany(_ENTRY, entries)
    contents.clear()
    entries.clear()


if __name__ == "__main__":
    fill(Path(sys.argv[1]) / "catalogue.db", sys.argv[2], int(sys.argv[3]))
