"""A smaller archive becomes a part of this one: its sources, history and burned discs; its catalogue stays as it is.

Numbers are shifted past ours; contents that both have become one. Not taken over: plans without a disc (what they hold
is planned anew here), scans that were broken off, jobs, and where its robot keeps the discs. A piece whose content is
planned here already is left with our disc, since no byte is planned twice; the disc still counts as read and verified.

Everything is recorded in one transaction.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from odarchive.catalogue import contents, sources, words
from odarchive.catalogue.archive import open_catalogue
from odarchive.catalogue.database import Catalogue, driver
from odarchive.catalogue.entries import COMPLETE, INCOMPLETE
from odarchive.catalogue.publish import publish
from odarchive.catalogue.runs import arrange
from odarchive.catalogue.shown import PROVEN
from odarchive.catalogue.sources import printable
from odarchive.errors import NoArchive, OdarchiveError
from odarchive.model import ROOT_INO

_LABEL = 32
"""Characters of a volume label."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What was taken over."""

    sources: tuple[bytes, ...]
    snapshots: int
    discs: int


@dataclass(slots=True)
class _Shift:
    """How the other's numbers become ours."""

    ino: int
    snapshot: int
    segment: int
    disc: int
    sources: dict[int, int] = field(default_factory=dict)
    contents: dict[int, int] = field(default_factory=dict)
    folders: dict[int, int] = field(default_factory=dict)
    """Inodes that are ones we have: the root and built-in folders."""

    def place(self, ino: int) -> int:
        """Our number of an inode."""
        return self.folders.get(ino, ino + self.ino)


def take_over(catalogue: Catalogue, other: Path, prefix: bytes | None, now_ns: int) -> Merged:
    """Take over the archive whose catalogue is ``other``; ``prefix``: its sources come below that name.

    Raises:
        NoArchive, DamageFound: it is no catalogue.
        OdarchiveError: it was taken over already, it is this one, or a name is taken.
    """
    if not other.is_file():
        raise NoArchive(f"{other} is not there; name the folder of an archive")
    if other.samefile(catalogue.path):
        raise OdarchiveError("an archive cannot be imported into itself; name another one")
    with (
        tempfile.TemporaryDirectory(prefix="odarchive-import-") as folder,
        _copy(other, Path(folder)) as theirs,
        catalogue.write() as connection,
    ):
        merged = _merge(connection, theirs, prefix, now_ns)
        arrange(driver(connection))
        publish(connection)
    return merged


class _copy:  # noqa: N801  used as a function
    """The other catalogue as of now, led to our schema, in a file of our own."""

    def __init__(self, other: Path, folder: Path) -> None:
        self._path = folder / "catalogue.db"
        source = sqlite3.connect(f"{other.absolute().as_uri()}?mode=ro", uri=True)
        target = sqlite3.connect(self._path)
        try:
            source.backup(target)
        except sqlite3.DatabaseError as error:
            raise NoArchive(f"{other} is not a catalogue ({error})") from error
        finally:
            source.close()
            target.close()

    def __enter__(self) -> sqlite3.Connection:
        open_catalogue(self._path).close()
        self._db = sqlite3.connect(self._path)
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _merge(connection: Connection, theirs: sqlite3.Connection, prefix: bytes | None, now_ns: int) -> Merged:
    raw = driver(connection)
    shift = _Shift(
        ino=_one(raw, "SELECT value FROM counter WHERE name = 'ino'"),
        snapshot=_one(raw, "SELECT coalesce(max(id), 0) FROM snapshot"),
        segment=max(
            _one(raw, "SELECT coalesce(max(id), 0) FROM segment"),
            _one(raw, "SELECT coalesce(max(segment), 0) FROM disc"),
        ),
        disc=_one(raw, "SELECT coalesce(max(id), 0) FROM disc"),
    )
    identity = str(theirs.execute("SELECT value FROM archive WHERE key = 'uuid'").fetchone()[0])
    _refuse_twice(raw, theirs, identity)
    names = _sources(connection, theirs, shift, prefix, now_ns)
    shift.ino = _one(raw, "SELECT value FROM counter WHERE name = 'ino'")  # new folders have taken some
    count = _snapshots(raw, theirs, shift)
    _contents(raw, theirs, shift)
    segments = _discs(raw, theirs, shift, identity)
    _folders(connection, theirs, shift, prefix)
    _entries(raw, theirs, shift, segments)
    top = _one(theirs, "SELECT value FROM counter WHERE name = 'ino'")
    raw.execute("UPDATE counter SET value = value + ? WHERE name = 'ino'", (top,))
    message = f"archive {identity} was taken over: {count} snapshots, {len(segments)} segments with discs"
    raw.execute("INSERT INTO event (at_ns, kind, message) VALUES (?, 'imported', ?)", (now_ns, message))
    return Merged(names, count, _one(theirs, f"SELECT count(*) FROM disc WHERE segment IN {PROVEN}"))


def _refuse_twice(raw: sqlite3.Connection, theirs: sqlite3.Connection, identity: str) -> None:
    if raw.execute("SELECT 1 FROM archive WHERE key = 'uuid' AND value = ?", (identity,)).fetchone() is not None:
        raise OdarchiveError(f"archive {identity} is this archive, or a copy of it; it cannot be imported")
    for (uuid,) in theirs.execute("SELECT uuid FROM disc"):
        if raw.execute("SELECT 1 FROM disc WHERE uuid = ?", (uuid,)).fetchone() is not None:
            raise OdarchiveError(f"archive {identity} was imported already: its disc {uuid} is known here")


def _sources(
    connection: Connection, theirs: sqlite3.Connection, shift: _Shift, prefix: bytes | None, now_ns: int
) -> tuple[bytes, ...]:
    raw = driver(connection)
    names = []
    for number, name, path in theirs.execute("SELECT id, name, path FROM source ORDER BY name").fetchall():
        ours = name if prefix is None else prefix.strip(b"/") + b"/" + name
        if raw.execute("SELECT 1 FROM source WHERE name = ?", (ours,)).fetchone() is not None:
            raise OdarchiveError(
                f"this archive has a source {printable(ours)} already; import with --as NAME to have the other's "
                "sources below NAME"
            )
        shift.sources[number] = sources.claim(connection, path, ours, ours, now_ns).id
        names.append(ours)
    return tuple(names)


def _snapshots(raw: sqlite3.Connection, theirs: sqlite3.Connection, shift: _Shift) -> int:
    rows = theirs.execute(
        "SELECT id, source, state, started_ns, finished_ns, files, bytes, new_bytes, problems, forgotten_ns"
        " FROM snapshot WHERE state = 'complete' ORDER BY id"
    ).fetchall()
    raw.executemany(
        "INSERT INTO snapshot (id, source, state, started_ns, finished_ns, files, bytes, new_bytes, problems,"
        " forgotten_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((row[0] + shift.snapshot, shift.sources[row[1]], *row[2:]) for row in rows),
    )
    raw.executemany(
        "INSERT INTO problem (snapshot, path, reason) VALUES (?, ?, ?)",
        (
            (row[0] + shift.snapshot, row[1], row[2])
            for row in theirs.execute(
                f"SELECT snapshot, path, reason FROM problem WHERE snapshot NOT IN {INCOMPLETE} ORDER BY id"
            )
        ),
    )
    raw.executemany(
        "INSERT INTO forgotten (source, path, at_ns) VALUES (?, ?, ?)",
        ((shift.sources[row[0]], *row[1:]) for row in theirs.execute("SELECT source, path, at_ns FROM forgotten")),
    )
    return len(rows)


def _contents(raw: sqlite3.Connection, theirs: sqlite3.Connection, shift: _Shift) -> None:
    for number, digest, size in theirs.execute("SELECT id, digest, size FROM content"):
        shift.contents[number], _ = contents.keep(raw, digest, size, number + shift.ino)
    raw.executemany("INSERT OR IGNORE INTO xattrs VALUES (?, ?)", theirs.execute("SELECT key, data FROM xattrs"))
    raw.executemany(
        "INSERT OR IGNORE INTO holes VALUES (?, ?)",
        ((shift.contents[row[0]], row[1]) for row in theirs.execute("SELECT content, data FROM holes")),
    )
    raw.executemany(
        "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?)",
        ((shift.contents[row[0]], *row[1:]) for row in theirs.execute("SELECT * FROM chunks")),
    )
    discs: dict[int, int] = {}
    for number, *row in theirs.execute("SELECT id, label, origin, imported_ns FROM foreign_disc").fetchall():
        discs[number] = (
            raw.execute("INSERT INTO foreign_disc (label, origin, imported_ns) VALUES (?, ?, ?)", row).lastrowid or 0
        )
    raw.executemany(
        "INSERT OR IGNORE INTO foreign_place VALUES (?, ?, ?, ?)",
        (
            (shift.contents[row[0]], discs[row[1]], row[2], row[3])
            for row in theirs.execute("SELECT content, disc, path, checked_ns FROM foreign_place")
        ),
    )
    raw.executemany(
        "INSERT OR IGNORE INTO content_alias VALUES (?, ?, ?, ?)",
        (
            (row[0], row[1], shift.contents[row[2]], row[3])
            for row in theirs.execute("SELECT algorithm, digest, content, unread FROM content_alias")
        ),
    )


def _discs(raw: sqlite3.Connection, theirs: sqlite3.Connection, shift: _Shift, identity: str) -> dict[int, int]:
    """Segments that have a proven disc, with their pieces and discs; ours by theirs."""
    found: dict[int, int] = {}
    rows = theirs.execute(
        "SELECT id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns, image_size, image_digest,"
        f" ecc_size FROM segment WHERE id IN {PROVEN} ORDER BY id"
    ).fetchall()
    for number, label, *rest in rows:
        found[number] = number + shift.segment
        taken = raw.execute("SELECT 1 FROM segment WHERE label = ?", (label,)).fetchone() is not None
        ours = f"{label[: _LABEL - 5]}_{identity[:4].upper()}" if taken else label
        raw.execute(
            "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns,"
            " image_size, image_digest, ecc_size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (found[number], ours, *rest),
        )
    columns = _columns(theirs, "disc")
    for row in theirs.execute(f"SELECT {', '.join(columns)} FROM disc WHERE segment IN {PROVEN}").fetchall():
        values = dict(zip(columns, row, strict=True))
        values["id"] += shift.disc
        values["segment"] = found[values["segment"]]
        raw.execute(
            f"INSERT INTO disc ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", tuple(values.values())
        )
    _pieces(raw, theirs, shift, found)
    return found


def _columns(theirs: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in theirs.execute(f"PRAGMA table_info({table})")]


def _pieces(raw: sqlite3.Connection, theirs: sqlite3.Connection, shift: _Shift, segments: Mapping[int, int]) -> None:
    ours = {row[0] for row in raw.execute("SELECT DISTINCT content FROM piece")}
    rows = (
        (shift.contents[content], segments[segment], start, length, sector)
        for content, segment, start, length, sector in theirs.execute(
            f"SELECT content, segment, start, length, sector FROM piece WHERE segment IN {PROVEN}"
        )
        if shift.contents[content] not in ours
    )
    raw.executemany("INSERT INTO piece (content, segment, start, length, sector) VALUES (?, ?, ?, ?, ?)", rows)
    raw.executemany(
        "UPDATE segment SET payload_bytes ="
        " (SELECT coalesce(sum(length), 0) FROM piece WHERE piece.segment = segment.id) WHERE id = ?",
        ((number,) for number in segments.values()),
    )


def _folders(connection: Connection, theirs: sqlite3.Connection, shift: _Shift, prefix: bytes | None) -> None:
    """The root and the built-in folders that lead to sources: ``claim`` has made ours where they were missing."""
    raw = driver(connection)
    root = int(ROOT_INO)
    for name in [] if prefix is None else prefix.strip(b"/").split(b"/"):
        root = _one(raw, "SELECT ino FROM entry WHERE parent = ? AND name = ? AND until IS NULL", root, name)
    shift.folders[ROOT_INO] = root
    waiting = [int(ROOT_INO)]
    while waiting:
        parent = waiting.pop()
        rows = theirs.execute(f"SELECT name, ino FROM entry WHERE parent = ? AND since = 0 AND {COMPLETE}", (parent,))
        for name, ino in rows.fetchall():
            ours = raw.execute(
                "SELECT ino FROM entry WHERE parent = ? AND name = ? AND since = 0", (shift.place(parent), name)
            ).fetchone()
            if ours is not None:
                shift.folders[ino] = ours[0]
            waiting.append(ino)


def _entries(raw: sqlite3.Connection, theirs: sqlite3.Connection, shift: _Shift, segments: Mapping[int, int]) -> None:
    columns = _columns(theirs, "entry")
    at = {name: place for place, name in enumerate(columns)}
    insert = f"INSERT INTO entry ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    incomplete = {row[0] for row in theirs.execute("SELECT id FROM snapshot WHERE state <> 'complete'")}
    names: set[tuple[int, int, bytes]] = set()

    def moved() -> Iterator[tuple[object, ...]]:
        for found in theirs.execute(f"SELECT * FROM entry WHERE parent <> 0 AND {COMPLETE} ORDER BY ino"):
            row = list(found)
            if row[at["since"]] == 0 and row[at["ino"]] in shift.folders:
                continue
            for column in ("parent", "ino"):
                row[at[column]] = shift.place(row[at[column]])
            row[at["since"]] += shift.snapshot if row[at["since"]] else 0
            until = row[at["until"]]
            row[at["until"]] = None if until is None or until in incomplete else until + shift.snapshot
            if row[at["content"]] is not None:
                row[at["content"]] = shift.contents[row[at["content"]]]
            carrier = row[at["carrier"]]
            row[at["carrier"]] = segments.get(carrier) if carrier else carrier
            row[at["shown"]], row[at["apart"]] = 0, 1
            names.add((row[at["ino"]], row[at["parent"]], bytes(row[at["name"]])))
            yield tuple(row)

    raw.executemany(insert, moved())
    seen: set[int] = set()
    single: list[words.Named] = []
    several: list[words.Named] = []
    for ino, _, name in sorted(names):
        (several if ino in seen else single).append((ino, name.decode("utf-8", "replace")))
        seen.add(ino)
    words.add(raw, single, several)


def _one(raw: sqlite3.Connection, statement: str, *values: object) -> int:
    return int(raw.execute(statement, values).fetchone()[0])
