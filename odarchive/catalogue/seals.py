"""What the catalogue knows of encryption: for whom, the secrets of images that may be built again, stored digests.

A seed is drawn when an image is first made and forgotten when its segment is archived: from then on this catalogue
opens no disc. It is never on a disc.
"""

import os
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from odarchive.catalogue import schema
from odarchive.model import ContentId, SegmentId

RECIPIENTS = "recipients"
"""The fact: age recipients, with blanks between them."""
SEED = 32
_s, _p = schema.segment.c, schema.piece.c


def recipients(connection: Connection) -> tuple[str, ...]:
    """Whom the archive is encrypted to; none: it is not encrypted."""
    c = schema.archive.c
    value = connection.execute(select(c.value).where(c.key == RECIPIENTS)).scalar()
    return tuple((value or "").split())


def encrypted_to(connection: Connection, texts: Sequence[str]) -> None:
    """Record whom the archive is encrypted to, as a disc says, if nothing is known."""
    if texts and not recipients(connection):
        connection.execute(insert(schema.archive).values(key=RECIPIENTS, value=" ".join(texts)))


def seed(connection: Connection, number: SegmentId) -> bytes | None:
    """The secret of a segment's image; None: there is none (any more)."""
    return connection.execute(select(_s.seal).where(_s.id == number)).scalar()


def draw_seed(connection: Connection, number: SegmentId) -> bytes:
    """The secret of a segment's image, drawn if there is none."""
    found = seed(connection, number)
    if found is None:
        found = os.urandom(SEED)
        connection.execute(update(schema.segment).where(_s.id == number).values(seal=found))
    return found


def forget_seed(connection: Connection, number: SegmentId) -> None:
    """The image is not to be built again with the same keys."""
    connection.execute(update(schema.segment).where(_s.id == number).values(seal=None))


def store(connection: Connection, number: SegmentId, digests: Mapping[tuple[ContentId, int], bytes]) -> None:
    """Record what stands on the disc in the place of each piece, by (content, start)."""
    rows = [{"b_content": content, "b_start": start, "b_digest": found} for (content, start), found in digests.items()]
    if rows:
        key = (_p.content == bindparam("b_content"), _p.segment == number, _p.start == bindparam("b_start"))
        connection.execute(update(schema.piece).where(*key).values(stored_digest=bindparam("b_digest")), rows)
