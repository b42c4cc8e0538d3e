"""A catalogue from what discs say: rows of a set catalogue, then each disc's own word, then what follows from both.

Everything comes from discs and may be wrong or hostile: values are checked for kind and range as they come in, the
database's own constraints and ``check`` judge the rest. Only for a new file that nobody uses yet.
"""
# ruff: noqa: S608 - statements are put together from names of the schema; values are always bound

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table

from odarchive.catalogue import contents, schema, words
from odarchive.catalogue.database import driver
from odarchive.catalogue.publish import publish
from odarchive.catalogue.runs import arrange
from odarchive.chunks import CHUNK
from odarchive.errors import DamageFound
from odarchive.model import DiscState

BATCH = 5_000
UNKNOWN_DIGEST = bytes(32)
"""In the place of an image's digest that no disc tells: the next full verification records it."""

_TABLES = (
    "archive",
    "source",
    "snapshot",
    "segment",
    "disc",
    "content",
    "xattrs",
    "holes",
    "entry",
    "piece",
    "parity_set",
    "parity_member",
)
_ABSENT = {"shown": 0, "apart": 1, "ctime_ns": 0, "src_dev": 0, "src_ino": 0, "forgotten_ns": None}
_PROVEN = f"('{DiscState.VERIFIED}', '{DiscState.SUSPECT}', '{DiscState.MISSING}')"


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a content on a disc, as the disc says."""

    digest: bytes
    size: int
    start: int
    length: int
    sector: int
    chunks: bytes = b""
    """Chunk digests, if the disc has any."""
    stored: bytes | None = None
    """BLAKE3 of the age file there, if the disc is encrypted."""


@dataclass(frozen=True, slots=True)
class SeenDisc:
    """A disc that was met. ``digest``: of its whole image, if that was read."""

    uuid: str
    label: str
    segment: int
    segment_label: str
    capacity: int
    image_size: int
    digest: bytes | None
    state: DiscState
    note: str


def load(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Take over the rows of a set catalogue; returns how many.

    Raises:
        DamageFound: a row is not what its table wants, or the rows contradict one another.
    """
    raw = driver(connection)
    tables = {name: _Filling(raw, schema.metadata.tables[name]) for name in _TABLES if name in schema.metadata.tables}
    raw.execute("PRAGMA defer_foreign_keys = ON")
    raw.execute("DELETE FROM entry")
    raw.execute("DELETE FROM archive")
    count = 0
    try:
        for row in rows:
            filling = tables.get(row.get("table", ""))
            if filling is not None:
                filling.add(row)
                count += 1
        for filling in tables.values():
            filling.flush()
        _complete(raw)
    except (sqlite3.Error, OverflowError) as error:
        raise DamageFound(f"the catalogue on the disc contradicts itself: {error}") from error
    return count


def known(connection: Connection, uuid: str) -> tuple[DiscState, bytes, int] | None:
    """State, digest and image size of a disc by the set catalogue."""
    row = driver(connection).execute("SELECT state, digest, image_size FROM disc WHERE uuid = ?", (uuid,)).fetchone()
    return None if row is None else (DiscState(row[0]), row[1], row[2])


def knows_segment(connection: Connection, number: int) -> bool:
    """Whether the set catalogue knew a segment, and with it the names on its discs."""
    return driver(connection).execute("SELECT 1 FROM segment WHERE id = ?", (number,)).fetchone() is not None


def image_size(connection: Connection, number: int) -> int:
    """Bytes of a segment's image by the set catalogue; 0: it does not tell."""
    row = driver(connection).execute("SELECT image_size FROM segment WHERE id = ?", (number,)).fetchone()
    return 0 if row is None else row[0] or 0


def missing(connection: Connection) -> list[str]:
    """Labels of discs that should exist and were not met."""
    return [row[0] for row in driver(connection).execute("SELECT label FROM disc WHERE state = 'missing' ORDER BY id")]


def put_disc(connection: Connection, seen: SeenDisc, pieces: Sequence[Piece], *, now_ns: int) -> None:
    """Record a disc that was met, its segment and what lies on it; the disc's word about itself is the last one."""
    raw = driver(connection)
    try:
        _put_segment(raw, seen, pieces, now_ns)
        row = raw.execute("SELECT id, digest, verified_ns FROM disc WHERE uuid = ?", (seen.uuid,)).fetchone()
        digest = seen.digest or (row[1] if row else UNKNOWN_DIGEST)
        (ecc,) = raw.execute("SELECT ecc_size FROM segment WHERE id = ?", (seen.segment,)).fetchone()
        if ecc is not None and seen.digest is not None:  # it is of the image alone
            digest = UNKNOWN_DIGEST
        values = (seen.label, seen.segment, seen.state, ecc or seen.image_size, digest, seen.note)
        if row is None:
            raw.execute(
                "INSERT INTO disc (label, segment, state, image_size, digest, note, uuid, created_ns, verified_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, seen.uuid, now_ns, now_ns),
            )
        else:
            raw.execute(
                "UPDATE disc SET label = ?, segment = ?, state = ?, image_size = ?, digest = ?, note = ?,"
                " verified_ns = coalesce(verified_ns, ?) WHERE id = ?",
                (*values, now_ns, row[0]),
            )
    except sqlite3.Error as error:
        raise DamageFound(f"disc {seen.label} contradicts what other discs say: {error}") from error


def finish(connection: Connection, seen: Iterable[str]) -> list[str]:
    """Draw the consequences: discs not met are missing, plans without a disc are given up, flags are set.

    Returns:
        Labels of discs of which no disc tells how their burn ended; they are not counted as copies.
    """
    raw = driver(connection)
    raw.execute("CREATE TEMP TABLE met (uuid TEXT PRIMARY KEY)")
    raw.executemany("INSERT OR IGNORE INTO temp.met VALUES (?)", ((uuid,) for uuid in seen))
    raw.execute(
        "UPDATE disc SET state = 'missing', note = 'not among the discs the catalogue was rebuilt from'"
        " WHERE state IN ('verified', 'suspect') AND uuid NOT IN (SELECT uuid FROM temp.met)"
    )
    open_ends = raw.execute("SELECT label FROM disc WHERE state IN ('intended', 'written') ORDER BY id").fetchall()
    raw.execute(
        "UPDATE disc SET state = 'spoiled', note = 'how its burn ended is not known'"
        " WHERE state IN ('intended', 'written')"
    )
    unproven = f"(SELECT id FROM segment WHERE id NOT IN (SELECT segment FROM disc WHERE state IN {_PROVEN}))"
    raw.execute(f"DELETE FROM piece WHERE segment IN {unproven}")
    raw.execute(f"UPDATE entry SET carrier = NULL WHERE carrier IN {unproven}")
    raw.execute(
        f"UPDATE segment SET state = 'planned', payload_bytes = 0, image_size = NULL, image_digest = NULL"
        f" WHERE id IN {unproven}"
    )
    gone = f"(SELECT id FROM segment WHERE id IN {unproven} AND id NOT IN (SELECT segment FROM disc))"
    raw.execute(f"DELETE FROM parity_member WHERE segment IN {gone}")
    # a set of whose parity no disc is left is none
    whole = "(SELECT parity_set FROM parity_member WHERE kind = 'parity')"
    raw.execute(f"DELETE FROM parity_member WHERE parity_set NOT IN {whole}")
    raw.execute("DELETE FROM parity_set WHERE id NOT IN (SELECT parity_set FROM parity_member)")
    raw.execute(f"DELETE FROM segment WHERE id IN {gone}")
    raw.execute(
        "UPDATE segment SET state = CASE WHEN (SELECT count(*) FROM disc WHERE disc.segment = segment.id"
        " AND disc.state = 'verified') >= coalesce(copies, 1) THEN 'archived' ELSE 'imaged' END"
        " WHERE image_size IS NOT NULL"
    )
    _index(raw)
    arrange(raw)
    publish(connection)
    return [row[0] for row in open_ends]


def _index(raw: sqlite3.Connection) -> None:
    """The full-text index of names, which is on no disc."""
    rows = raw.execute("SELECT DISTINCT ino, parent, name FROM entry WHERE parent <> 0 ORDER BY ino").fetchall()
    single: list[words.Named] = []
    several: list[words.Named] = []
    last = 0
    for ino, _, name in rows:
        (several if ino == last else single).append((ino, name.decode("utf-8", "replace")))
        last = ino
    words.add(raw, single, several)


def _put_segment(raw: sqlite3.Connection, seen: SeenDisc, pieces: Sequence[Piece], now_ns: int) -> None:
    payload = sum(piece.length for piece in pieces)
    raw.execute(
        "INSERT OR IGNORE INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns)"
        " VALUES (?, ?, 'imaged', ?, ?, ?, ?, ?)",
        (seen.segment, seen.segment_label, str(seen.capacity), seen.capacity, seen.image_size, payload, now_ns),
    )
    raw.execute(
        "UPDATE segment SET state = 'imaged', image_size = ?, image_digest = coalesce(image_digest, ?),"
        " payload_bytes = ? WHERE id = ?",
        (seen.image_size, UNKNOWN_DIGEST, payload, seen.segment),
    )
    there = set(
        raw.execute(
            "SELECT content.digest, content.size, start, length, sector, stored_digest FROM piece"
            " JOIN content ON content.id = piece.content WHERE segment = ?",
            (seen.segment,),
        )
    )
    same = there == {(p.digest, p.size, p.start, p.length, p.sector, p.stored) for p in pieces}
    for piece in () if same else pieces:
        contents.keep(raw, piece.digest, piece.size)
    raw.executemany(
        "INSERT OR IGNORE INTO chunks (content, start, length, digests) SELECT id, ?2, ?3, ?4 FROM content"
        f" WHERE {contents.HAS_DIGEST} AND size = ?5",
        (
            (piece.digest, piece.start, piece.length, piece.chunks, piece.size)
            for piece in pieces
            if piece.chunks and (piece.start, piece.length) != (0, min(piece.size, CHUNK))
        ),
    )
    if same:
        return
    raw.execute("DELETE FROM piece WHERE segment = ?", (seen.segment,))
    raw.executemany(
        "INSERT INTO piece (content, segment, start, length, sector, stored_digest)"
        f" SELECT id, ?2, ?3, ?4, ?5, ?6 FROM content WHERE {contents.HAS_DIGEST}",
        ((p.digest, seen.segment, p.start, p.length, p.sector, p.stored) for p in pieces),
    )


class _Filling:
    """Rows on their way into one table."""

    def __init__(self, raw: sqlite3.Connection, table: Table) -> None:
        self._raw = raw
        self._name = table.name
        self._columns = [_Kind.of(column) for column in table.columns]
        self._wanted = [kind.name for kind in self._columns], [kind.absent for kind in self._columns]
        names = ", ".join(column.name for column in table.columns)
        marks = ", ".join("?" * len(self._columns))
        self._statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """One row; it is checked with others, a column at a time, which takes a third of the time."""
        self._rows.append(tuple(map(row.get, *self._wanted)))
        if len(self._rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Insert what waits. Raises DamageFound."""
        if not self._rows:
            return
        try:
            by_column = zip(self._columns, zip(*self._rows, strict=True), strict=True)
            columns = [kind.convert(values) for kind, values in by_column]
        except (ValueError, TypeError) as error:
            raise DamageFound(f"a row of {self._name} in the catalogue on the disc is broken: {error}") from None
        self._raw.executemany(self._statement, zip(*columns, strict=True))
        self._rows.clear()


_Values = Sequence[Any]
"""One column of some rows."""


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    absent: Any
    convert: Callable[[_Values], _Values]

    @classmethod
    def of(cls, column: Column[Any]) -> "_Kind":
        convert: Callable[[_Values], _Values]
        if isinstance(column.type, LargeBinary):
            convert = _digests if "digest" in column.name else _names
        else:
            convert = _integers if isinstance(column.type, Integer) else _texts
        absent: Any = _ABSENT.get(column.name)
        if absent is None and column.server_default is not None:
            absent = 0 if convert is _integers else ""
        return cls(column.name, absent, convert)


def _integers(values: _Values) -> _Values:
    if not set(map(type, values)) <= {int, NoneType}:
        raise ValueError("a number is none")
    return values


def _texts(values: _Values) -> _Values:
    if not set(map(type, values)) <= {str, NoneType}:
        raise ValueError("a text is none")
    "".join(filter(None, values)).encode()  # no lone surrogates
    return values


def _names(values: _Values) -> _Values:
    if not set(map(type, values)) <= {str, NoneType}:
        raise ValueError("a name is none")
    return [None if value is None else value.encode("utf-8", "surrogateescape") for value in values]


def _digests(values: _Values) -> _Values:
    return [None if value is None else bytes.fromhex(value) for value in values]


def _complete(raw: sqlite3.Connection) -> None:
    """What is not on discs: counters, problems of scans, and scans that were under way."""
    unfinished = "(SELECT id FROM snapshot WHERE state <> 'complete')"
    raw.execute(f"DELETE FROM entry WHERE since IN {unfinished}")
    raw.execute(f"UPDATE entry SET until = NULL WHERE until IN {unfinished}")
    raw.execute(f"DELETE FROM snapshot WHERE id IN {unfinished}")
    raw.execute("UPDATE snapshot SET problems = 0")
    raw.execute(
        "UPDATE counter SET value = 1 + max((SELECT coalesce(max(ino), 1) FROM entry),"
        " (SELECT coalesce(max(id), 1) FROM content)) WHERE name = 'ino'"
    )
    raw.execute("UPDATE entry SET shown = 1 WHERE parent = 0")
    if "xattrs" in schema.metadata.tables:
        raw.execute(
            "UPDATE entry SET xattrs = NULL WHERE xattrs IS NOT NULL AND xattrs NOT IN (SELECT key FROM xattrs)"
        )
