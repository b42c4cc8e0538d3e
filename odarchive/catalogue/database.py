"""Opening the catalogue: engine, pragmas, transactions.

Not for queries: those live in the modules named for their subject (``entries``, ``plans``, ``discs``, ``jobs``,
``motions`` ...), as functions that take a Connection.

Concurrency: SQLite in WAL mode: many readers, one writer, across processes. ``write()`` takes the write lock at once
(BEGIN IMMEDIATE), so a transaction never fails half-way for lack of it; it waits up to ``BUSY_SECONDS``.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from odarchive.errors import DamageFound, Locked, NoSpace

BUSY_SECONDS = 30
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
_CHECKPOINT = "wal_autocheckpoint=8000"
"""Pages of the write-ahead log, 32 MB, before they are moved: those that every batch changes are moved less often."""
_CACHE = "cache_size=-48000"
"""KiB of pages one connection may keep, taken as needed; with the default of 2,000 a large scan reads pages again."""

_SPARSE = 4
"""A part of so many of all pages is many."""

__all__ = ["BUSY_SECONDS", "Catalogue", "Connection"]


class Catalogue:
    """A handle on the catalogue's database; cheap to pass around, safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; ends with the block."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, durable (synchronous=FULL) when the block ends, undone if it raises.

        Raises:
            Locked: another process has held the write lock for more than ``BUSY_SECONDS``.
            NoSpace: the disk of the catalogue is full.
        """
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
        except (OperationalError, sqlite3.OperationalError) as error:
            raise _translate(error, self.path) from error

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """``write`` for migrations: tables may be replaced, references are looked at when all is done.

        Raises:
            Locked, NoSpace: as ``write``.
            DamageFound: a row refers to one that is not there.
        """
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # means nothing inside of a transaction
                try:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    yield connection
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                    if broken is not None:
                        raise DamageFound(
                            f"{self.path}: a row of {broken[0]} refers to a row of {broken[2]} that is not there"
                        )
                    connection.commit()
                finally:
                    connection.rollback()
                    connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        except (OperationalError, sqlite3.OperationalError) as error:
            raise _translate(error, self.path) from error

    def compact(self) -> None:
        """Give empty pages back to the disk, if they are many; where there is no room for doing so they stay."""
        with self._engine.connect() as connection, suppress(sqlite3.OperationalError):
            raw = driver(connection)
            pages, free = (raw.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count"))
            if free * _SPARSE < pages:
                return
            raw.execute("PRAGMA temp_store = FILE")  # else a copy of everything is in memory for a while
            try:
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.execute("PRAGMA temp_store = MEMORY")

    @contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """The driver's own connection outside of any transaction: every statement sees the newest committed state.

        For loops that ask many small questions (five times cheaper than through SQLAlchemy). Not for writing.
        """
        with self._engine.connect() as connection:
            yield driver(connection)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


def driver(connection: Connection) -> sqlite3.Connection:
    """The sqlite3 connection below a SQLAlchemy one, in the same transaction; for loops over many rows."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(f"the catalogue needs the sqlite3 driver, not {type(raw).__name__}")
    return raw


def _translate(error: OperationalError | sqlite3.OperationalError, path: Path) -> Exception:
    words = str(error.orig if isinstance(error, OperationalError) else error)
    if "locked" in words:
        return Locked(f"the catalogue {path} is locked by another process; wait for it or stop it, then try again")
    if "full" in words:
        return NoSpace(f"the disk of the catalogue {path} is full; free some space and try again")
    return error


def let_go(connection: Connection) -> None:
    """Give back the memory of what was read of the catalogue; for work that goes on long after that."""
    driver(connection).execute("PRAGMA shrink_memory")


def _engine(path: Path) -> Engine:
    # ``autocommit=False`` of the driver would begin transactions of its own; None leaves BEGIN to us.
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            _CACHE,
            _CHECKPOINT,
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
