"""The contents below a path, in the order in which their discs give them: what a recall of a folder asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from stat import S_ISDIR

from sqlalchemy import Connection, text

from odarchive.catalogue.lookup import Listed, resolve
from odarchive.model import ContentId, SegmentId


@dataclass(frozen=True, slots=True)
class Placed:
    """A content that the mount shows, and where its first piece lies."""

    content: ContentId
    digest: bytes
    size: int
    segment: SegmentId | None
    sector: int | None

    @property
    def order(self) -> tuple[int, int]:
        """By segment, then along the disc."""
        return self.segment or 0, self.sector or 0


_CHILDREN = text("SELECT ino, mode, content FROM entry WHERE parent = :parent AND shown = 1")
_PLACE = text(
    "SELECT digest, content.size, piece.segment, piece.sector FROM content"
    " LEFT JOIN piece ON piece.content = content.id AND piece.start = 0"
    " WHERE content.id = :content ORDER BY piece.segment LIMIT 1"
)


def contents_below(connection: Connection, path: bytes) -> list[Placed]:
    """Every content at or below a path as the mount shows it, each once.

    Raises:
        NotFound: there is no such path.
    """
    top = resolve(connection, path)
    found = {content: _placed(connection, content) for content in set(_numbers(connection, top))}
    return sorted(found.values(), key=lambda placed: placed.order)


def _numbers(connection: Connection, top: Listed) -> Iterator[ContentId]:
    if not S_ISDIR(top.mode):
        if top.content is not None:
            yield top.content
        return
    waiting: list[int] = [top.ino]
    while waiting:
        for row in connection.execute(_CHILDREN, {"parent": waiting.pop()}):
            if S_ISDIR(row.mode):
                waiting.append(row.ino)
            elif row.content is not None:
                yield ContentId(row.content)


def _placed(connection: Connection, content: ContentId) -> Placed:
    row = connection.execute(_PLACE, {"content": content}).one()
    return Placed(content, row.digest, row.size, row.segment, row.sector)
