"""What lies on a segment, each range with a name: to tell what is lost with a disc that can say nothing itself."""

from dataclasses import dataclass

from sqlalchemy import Connection

from odarchive.catalogue import seals
from odarchive.catalogue.contents import named_by
from odarchive.catalogue.database import driver
from odarchive.catalogue.paths import Paths, join
from odarchive.model import SECTOR, SegmentId
from odarchive.seal.sizes import sealed_size


@dataclass(frozen=True, slots=True)
class Carried:
    """A content, or a range of one, on every disc of a segment."""

    path: bytes
    """One of its names, below the mount's root: one of now if there is any. Empty: nothing names it any more."""
    begin: int | None
    """Its first byte on the disc; None: the image was not built when this catalogue was written."""
    length: int
    """Bytes it takes on the disc."""


def carried(connection: Connection, segment: SegmentId) -> list[Carried]:
    """Everything on a segment, by its place; nothing for one that is not known."""
    names = _names(connection, segment)
    recipients = len(seals.recipients(connection))
    asked = "SELECT content, sector, length, stored_digest IS NOT NULL FROM piece WHERE segment = ? ORDER BY sector"
    rows = driver(connection).execute(asked, (segment,))
    return [
        Carried(
            names.get(content, b""),
            None if sector is None else sector * SECTOR,
            sealed_size(length, recipients) if sealed else length,
        )
        for content, sector, length, sealed in rows.fetchall()
    ]


def _names(connection: Connection, segment: SegmentId) -> dict[int, bytes]:
    """One path for each content of a segment."""
    held = "(SELECT DISTINCT content AS id FROM piece WHERE segment = ?1)"
    named = named_by("content, parent, name, until, ino", held)
    asked = f"SELECT content, parent, name FROM ({named}) ORDER BY until IS NOT NULL, ino"  # noqa: S608  constants
    paths = Paths(connection)
    found: dict[int, bytes] = {}
    for content, parent, name in driver(connection).execute(asked, (segment,)).fetchall():
        if content not in found:
            found[content] = join(paths.of(parent), name)
    return found
