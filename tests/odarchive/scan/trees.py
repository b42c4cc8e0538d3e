"""What a directory holds and what the catalogue says it holds, in the same form; trees to scan."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from odarchive.catalogue import lookup
from odarchive.catalogue.database import Catalogue
from odarchive.digest import content_digest
from odarchive.scan import Options, ScanResult, scan

Tree = dict[bytes, tuple[Any, ...]]


def later() -> int:
    """A clock past every file time, so that nothing is too fresh to be trusted."""
    return time.time_ns() + 3_600_000_000_000


def scanned(catalogue: Catalogue, path: Path | bytes, name: bytes | None = None, **options: Any) -> ScanResult:
    return scan(catalogue, path, name, None, Options(**{"clock": later, **options}))


def observed(top: Path) -> Tree:
    """Relative path -> attributes; files with digest; hard links as the first path of their group."""
    found: Tree = {}
    first: dict[tuple[int, int], bytes] = {}

    def visit(path: bytes, relative: bytes) -> None:
        status = os.lstat(path)
        mode = status.st_mode
        what: Any = None
        size = 0
        if stat.S_ISLNK(mode):
            what = os.readlink(path)
            size = len(what)
        elif stat.S_ISREG(mode):
            with open(path, "rb") as file:
                data = file.read()
            what, size = content_digest(data) if data else None, len(data)
        elif not stat.S_ISDIR(mode):
            return
        link = relative if stat.S_ISDIR(mode) else first.setdefault((status.st_dev, status.st_ino), relative)
        found[relative] = (mode, status.st_uid, status.st_gid, size, status.st_mtime_ns, what, link)
        if stat.S_ISDIR(mode):
            for name in sorted(os.listdir(path)):
                visit(path + b"/" + name, relative + b"/" + name if relative else name)

    visit(os.fsencode(top), b"")
    return found


def recorded(catalogue: Catalogue, source: bytes, snapshot: Any = None) -> Tree:
    """The same of a source in the catalogue, now or at a snapshot."""
    found: Tree = {}
    first: dict[int, bytes] = {}
    with catalogue.read() as connection:
        digests = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, digest FROM content")}

        def visit(entry: lookup.Listed, relative: bytes) -> None:
            what = entry.target if entry.kind == "symlink" else digests.get(entry.content)
            link = relative if entry.kind == "directory" else first.setdefault(entry.ino, relative)
            found[relative] = (entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns, what, link)
            if entry.kind == "directory":
                for child in lookup.ls(connection, source + b"/" + relative, snapshot):
                    visit(child, relative + b"/" + child.name if relative else child.name)

        visit(lookup.resolve(connection, source, snapshot), b"")
    return found


def write(path: Path | bytes, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def patched(monkeypatch: Any, owner: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Replace ``owner.name`` by ``change(original)``."""
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
