"""Digests: BLAKE3 is the identity of contents and images, SHA-256 is what people check in 2070.

Measured on one core: BLAKE3 about 4 GB/s, SHA-256 about 1.3 GB/s, so the scan uses BLAKE3 alone and SHA-256 is taken
in the pass that writes an image. Not for FUSE or drives; knows only readable file objects and buffers.
"""

import mmap
from collections.abc import Callable
from typing import BinaryIO

from blake3 import blake3

DIGEST_SIZE = 32
BLOCK = 1 << 20
_WINDOW = 1 << 28
"""Bytes of a mapped file hashed between two words of progress."""
_MANY = 1 << 23
"""Bytes from which several threads pay."""


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


def mapped_digest(fd: int, size: int, progress: Callable[[int], None]) -> bytes:
    """BLAKE3 of the first ``size`` bytes of an open file through a memory map, on all cores.

    5.6 GB/s and core from the page cache, where reading gives 3.2 to 4.1 (the copy). The process gets SIGBUS if the
    file becomes shorter or cannot be read.
    """
    hasher = blake3(max_threads=blake3.AUTO if size >= _MANY else 1)
    with mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ) as mapping, memoryview(mapping) as view:
        mapping.madvise(mmap.MADV_SEQUENTIAL)
        for start in range(0, size, _WINDOW):
            with view[start : start + _WINDOW] as window:
                hasher.update(window)
                progress(len(window))
    return hasher.digest()
