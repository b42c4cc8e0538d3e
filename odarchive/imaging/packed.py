"""A long text that waits to be written, compressed: an entry list of a million names is 200 MB as it stands."""

import zlib
from collections.abc import Iterable, Iterator

_BLOCK = 1 << 18
"""Bytes that are compressed together."""


class PackedText:
    """A text in pieces, as often as it is called. ``size``: its bytes."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.size = 0
        self._blocks: list[bytes] = []
        block = bytearray()
        for part in parts:
            block += part
            if len(block) >= _BLOCK:
                self._pack(block)
                block = bytearray()
        self._pack(block)

    def __call__(self) -> Iterator[bytes]:
        """The text."""
        return map(zlib.decompress, self._blocks)

    def _pack(self, block: bytearray) -> None:
        self.size += len(block)
        self._blocks.append(zlib.compress(block, 1))
