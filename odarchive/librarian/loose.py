"""Chunks in memory, for readers while the cache has no room: straight from the drive, and gone soon. Pure."""

from collections import OrderedDict

from odarchive.model import ContentId

MOST = 64 << 20
"""Bytes kept; readers come for theirs within moments."""


class Loose:
    """The last chunks that were read for nowhere."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._bytes = most, 0
        self._chunks: OrderedDict[tuple[ContentId, int], bytes] = OrderedDict()

    def put(self, content: ContentId, number: int, data: bytes) -> None:
        """Keep a checked chunk; the oldest go."""
        self._bytes += len(data) - len(self._chunks.pop((content, number), b""))
        self._chunks[content, number] = data
        while self._bytes > self._most:
            self._bytes -= len(self._chunks.popitem(last=False)[1])

    def get(self, content: ContentId, number: int) -> bytes | None:
        """A chunk, if it is still here."""
        return self._chunks.get((content, number))

    def forget(self, content: ContentId, number: int) -> None:
        """Somebody found it wrong."""
        self._bytes -= len(self._chunks.pop((content, number), b""))
