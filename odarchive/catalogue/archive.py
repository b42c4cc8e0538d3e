"""The catalogue as a whole: making one, opening one (leading an older one here), facts about the archive.

Not for the folder around it and its ``archive.toml`` (``config``).
"""

import logging
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_IFDIR

from sqlalchemy import Connection, insert, select

from odarchive.catalogue import schema
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.seals import RECIPIENTS
from odarchive.errors import DamageFound, NoArchive, OdarchiveError
from odarchive.model import ROOT_INO

REVISION = "0014"
"""The migration this program's schema corresponds to; the last one under ``migrations/versions``."""


_LARGE = 64_000_000
"""Bytes of a catalogue from which on somebody waiting is told why."""
UDF_SYMLINKS, YES = "udf_symlinks", "yes"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is fixed when an archive is made.

    ``udf_symlinks``: discs show symlinks in UDF too. ``recipients``: age recipients that all discs are encrypted to;
    none: they are not encrypted.
    """

    uuid: str
    label_prefix: str
    created_ns: int
    udf_symlinks: bool = False
    recipients: tuple[str, ...] = ()


def create(path: Path, facts: Facts) -> Catalogue:
    """Make a catalogue. It appears complete or not at all.

    Raises:
        OdarchiveError: there is one already.
    """
    new = path.with_name(path.name + ".new")
    _remove(new)
    catalogue = Catalogue(new)
    try:
        with catalogue.write() as connection:
            _migrate(connection)
            _begin(connection, facts)
    finally:
        catalogue.close()
    try:
        os.link(new, path)  # unlike a rename it never replaces
    except FileExistsError:
        raise OdarchiveError(f"{path} exists already; use it, or choose another folder") from None
    finally:
        _remove(new)
    return Catalogue(path)


def create_or_resume(path: Path, facts: Facts) -> Facts:
    """Make a catalogue, or take the one that an earlier attempt left without its ``archive.toml``.

    An empty one is made anew with ``facts``; one that knows sources or discs is kept, and its own facts are returned.

    Raises:
        DamageFound: the file is not a catalogue.
        OdarchiveError: a newer program made it.
    """
    kept = left_behind(path)
    if kept is not None:
        return kept
    _remove(path)
    create(path, facts).close()
    return facts


def left_behind(path: Path) -> Facts | None:
    """The facts of a catalogue that knows sources or discs; None: there is none, or it is empty.

    Raises:
        DamageFound, OdarchiveError: as :func:`create_or_resume`.
    """
    if not path.exists():
        return None
    there = open_catalogue(path)
    try:
        with there.read() as connection:
            tables = (schema.source, schema.segment, schema.disc)
            used = any(connection.execute(select(table.c.id).limit(1)).first() is not None for table in tables)
            return _facts_of(connection) if used else None
    finally:
        there.close()


def open_catalogue(path: Path) -> Catalogue:
    """Open a catalogue; an older one is led to this program's schema first.

    Raises:
        NoArchive: there is none.
        DamageFound: the file is not a catalogue.
        OdarchiveError: a newer program made it.
    """
    if not path.is_file():
        raise NoArchive(f"{path.parent} has no catalogue ({path.name}); make an archive with: odarchive init")
    revision = _revision(path)
    catalogue = Catalogue(path)
    if revision == REVISION:
        return catalogue
    if revision > REVISION:
        catalogue.close()
        raise OdarchiveError(
            f"{path} was made by a newer odarchive (catalogue {revision}, this one knows {REVISION}); update odarchive"
        )
    size = path.stat().st_size
    if size > _LARGE:
        log.warning(
            "%s, %d MB, is led to the form of this odarchive; that takes some seconds per 100 MB, may be stopped and"
            " begun again, and needs as much room beside it",
            path,
            size // 1_000_000,
        )
    with catalogue.rebuild() as connection:
        _migrate(connection)
    catalogue.compact()
    return catalogue


def facts(connection: Connection) -> Facts:
    """The archive's facts."""
    return _facts_of(connection)


def _facts_of(connection: Connection) -> Facts:
    table = schema.archive
    values: Mapping[str, str] = {row.key: row.value for row in connection.execute(select(table))}
    return Facts(
        uuid=values["uuid"],
        label_prefix=values["label_prefix"],
        created_ns=int(values["created_ns"]),
        udf_symlinks=values.get(UDF_SYMLINKS) == YES,
        recipients=tuple(values.get(RECIPIENTS, "").split()),
    )


def _begin(connection: Connection, facts: Facts) -> None:
    rows = {name: str(getattr(facts, name)) for name in ("uuid", "label_prefix", "created_ns")}
    if facts.udf_symlinks:
        rows[UDF_SYMLINKS] = YES
    if facts.recipients:
        rows[RECIPIENTS] = " ".join(facts.recipients)
    connection.execute(insert(schema.archive), [{"key": key, "value": value} for key, value in rows.items()])
    connection.execute(insert(schema.counter).values(name="ino", value=ROOT_INO + 1))
    root = {"parent": 0, "name": b"", "since": 0, "ino": ROOT_INO, "mode": S_IFDIR | 0o755, "nlink": 2, "size": 0}
    root |= {"uid": 0, "gid": 0, "mtime_ns": facts.created_ns, "ctime_ns": facts.created_ns}
    connection.execute(insert(schema.entry).values(**root, src_dev=0, src_ino=0, carrier=0, shown=1))


def _revision(path: Path) -> str:
    """The revision recorded in the file, without changing the file."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise DamageFound(f"{path} is not a catalogue ({error}); restore it from a copy or rebuild it") from error
    return str(row[0]) if row is not None else ""


def _migrate(connection: Connection) -> None:
    # alembic takes 0.2 s to import, and only a new or an old catalogue needs it.
    from odarchive.catalogue.migrations import upgrade  # noqa: PLC0415

    upgrade(connection)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
