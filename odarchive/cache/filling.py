"""A content on its way into the cache that can be judged only as a whole.

Large contents whose chunks have digests come by ``parts``.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from blake3 import blake3

from odarchive.cache.files import digest_of, let_go, throw_out, translated, writing
from odarchive.errors import DamageFound


class Filling:
    """A content on its way into the cache; a context manager that leaves nothing behind unless admitted."""

    def __init__(self, digest: bytes, size: int, path: Path, descriptor: int, admitted: Callable[[], None]) -> None:
        """``admitted``: gives the checked file at ``path`` its name."""
        self._admitted = admitted
        self._digest = digest
        self._size = size
        self._path = path
        self._descriptor = descriptor
        self._hasher = blake3()
        self._hashed = 0
        self._checked = False
        self._committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset; hashing keeps up for free as long as they come in order."""
        view = memoryview(data)
        if offset < self._hashed:
            self._hasher, self._hashed = blake3(), -1  # what was hashed is replaced: all of it is hashed at the end
        if offset == self._hashed:
            self._hasher.update(view)
            self._hashed += len(view)
        try:
            while view:
                done = os.pwrite(self._descriptor, view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise translated(error, self._path.parent.parent) from error

    def check(self) -> None:
        """Compare the digest of everything written with the name; may hash again what came out of order.

        Touches nothing but this filling, so it may run in a thread.

        Raises:
            DamageFound: the bytes are not the content.
            NoSpace: the disk does not give them.
        """
        directory = self._path.parent.parent
        found = self._hasher.digest()
        if self._hashed != self._size:
            found = digest_of(self._descriptor, self._size, directory)
        with writing(directory):
            size = os.fstat(self._descriptor).st_size
        if found != self._digest or size != self._size:
            raise DamageFound(f"content {self._digest.hex()[:16]}: the bytes read from disc have another digest")
        self._checked = True

    def admit(self) -> None:
        """Let the checked content in under its name.

        Raises:
            NoSpace: the disk is full, or gone.
        """
        if not self._checked:
            raise DamageFound(f"content {self._digest.hex()[:16]} was not checked")
        self._admitted()
        self._committed = True
        self._close()

    def abort(self) -> None:
        """Forget it; harmless after ``admit``."""
        self._close()
        if not self._committed:
            throw_out(self._path)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        let_go(descriptor)
