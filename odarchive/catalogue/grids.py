"""Chunk digests in the catalogue: kept with the image that brought them, found by content.

Not on discs in the catalogue of the set, where they would take more room than the names: each disc's own
``catalogue.json`` has those of what lies on it.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from odarchive.catalogue import schema
from odarchive.chunks import CHUNK, Grid, Part
from odarchive.model import ContentId

PartKey = tuple[ContentId, int, int]
"""Content, start and length of a range."""


def put(connection: Connection, found: Mapping[PartKey, bytes]) -> None:
    """Keep the chunk digests of ranges; what is known of a range already stays."""
    rows = [
        {"content": content, "start": start, "length": length, "digests": digests}
        for (content, start, length), digests in found.items()
    ]
    if rows:
        connection.execute(insert(schema.chunks).on_conflict_do_nothing(), rows)


def grid(connection: Connection, content: ContentId, size: int) -> Grid | None:
    """The chunks of a content; None if it is one, or not all of them are known."""
    if size <= CHUNK:
        return None
    c = schema.chunks.c
    rows = connection.execute(select(c.start, c.length, c.digests).where(c.content == content))
    return Grid.of(size, [Part(*row) for row in rows])


def forget(connection: Connection, content: ContentId) -> None:
    """Chunk digests that did not agree with the content's own: they came from a disc that told wrong ones."""
    connection.execute(delete(schema.chunks).where(schema.chunks.c.content == content))


def by_digest(connection: Connection, digest: bytes) -> Grid | None:
    """The chunks of the content with a digest."""
    c = schema.content.c
    first = func.substr(c.digest, 1, 4) == digest[:4]  # what the index has
    row = connection.execute(select(c.id, c.size).where(first, c.digest == digest)).one_or_none()
    return None if row is None else grid(connection, ContentId(row[0]), row[1])
