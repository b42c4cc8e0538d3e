"""Digests: BLAKE3 is the identity of contents and images, SHA-256 is what people check in 2070.

Measured on one core: BLAKE3 about 4 GB/s, SHA-256 about 1.3 GB/s, so the scan uses BLAKE3 alone and SHA-256 is taken
in the pass that writes an image. Not for FUSE or drives; knows only readable file objects and buffers.
"""

from collections.abc import Callable
from typing import BinaryIO

from blake3 import blake3

DIGEST_SIZE = 32
BLOCK = 1 << 20


def content_digest(data: bytes | memoryview) -> bytes:
    """BLAKE3 of a buffer, 32 bytes."""
    return blake3(data).digest()


def stream_digest(file: BinaryIO, size: int, progress: Callable[[int], None] | None = None) -> tuple[bytes, int]:
    """BLAKE3 of at most ``size`` bytes from the file's position on, and how many bytes there were.

    Memory does not grow with the size. ``progress`` is told the bytes of each block.
    """
    hasher = blake3()
    buffer = memoryview(bytearray(min(BLOCK, max(size, 1))))
    left = size
    while left > 0:
        got = file.readinto(buffer[: min(len(buffer), left)])  # type: ignore[attr-defined]  # raw and buffered files both have it
        if not got:
            break
        hasher.update(buffer[:got])
        left -= got
        if progress is not None:
            progress(got)
    return hasher.digest(), size - left
