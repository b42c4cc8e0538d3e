"""The part of reading that is written in C (``_native.c``), if it is there: it is built where there is a compiler.

Everything works without it, more slowly. ``ODARCHIVE_NATIVE=0`` in the environment leaves it alone.
"""

import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from odarchive.reading.plain import Plain

SWITCH = "ODARCHIVE_NATIVE"


class Hasher(Protocol):
    """What ``blake3(data)`` gives."""

    def digest(self) -> bytes:
        """Of all the bytes."""


class Native(Protocol):
    """Functions of ``_native``; each has a twin in Python that gives equal values."""

    def read_usual(
        self, folder: int, names: "Sequence[bytes]", read_ns: int, hasher: "Callable[[bytes], Hasher]", /
    ) -> "tuple[list[Plain], list[bytes]]":
        """``plain.read_usual``. Names are read in the given order. ``hasher``: ``blake3``."""

    def told_apart(self, folder: int, /) -> tuple[list[bytes], list[bytes]]:
        """``tree.told_apart``.

        Raises:
            OSError: the directory cannot be read.
        """


def _found() -> Native | None:
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        from odarchive.reading import _native  # noqa: PLC0415  it may not be there
    except ImportError:
        return None
    return _native


functions = _found()
"""None: there are none."""
