"""The part of reading that is written in C (``native_c``), if it is there: it is built where there is a compiler.

Everything works without it, more slowly. ``ODARCHIVE_NATIVE=0`` in the environment leaves it alone.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from odarchive.reading.sheet import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from odarchive.reading.sheet import Sheet

SWITCH = "ODARCHIVE_NATIVE"


class Hasher(Protocol):
    """What ``blake3(data)`` gives."""

    def digest(self) -> bytes:
        """Of all the bytes."""


class Native(Protocol):
    """Functions of ``_native``; each has a twin in Python that gives equal values."""

    def read_usual(
        self, folder: int, names: "Sequence[bytes]", read_ns: int, hasher: "Callable[[bytes], Hasher]", /
    ) -> "tuple[Sheet, list[bytes]]":
        """``plain.read_usual``. Names are read in the given order. ``hasher``: ``blake3``."""

    def told_apart(self, folder: int, /) -> tuple[list[bytes], list[bytes]]:
        """``tree.told_apart``.

        Raises:
            OSError: the directory cannot be read.
        """

    def compare(
        self, folder: int, rows: "Iterable[tuple[object, ...]]", snapshot: int, limit: int, /
    ) -> "tuple[int, int, list[tuple[bytes, int, int, int]], list[tuple[bytes, list[tuple[object, ...]]]]] | None":
        """What of an open directory is as the catalogue's rows say, and what is to be looked at.

        ``rows``: ``catalogue.entries.Version`` values, ascending by name. ``snapshot``: the running one.

        Returns:
            Files as they were, their bytes; directories that are (name, ino of the row, st_dev, st_ino); names to be
            looked at, on disk or not, ascending, with their rows. None: more than ``limit`` of those.

        Raises:
            OSError: the directory cannot be read.
        """


def built(name: str) -> Any:  # noqa: ANN401  the caller knows what is in it
    """The extension of that name; None: it is not there, not wanted, or was built before a change of the layout."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        module = import_module(name)
    except ImportError:
        return None
    return module if getattr(module, "LAYOUT", None) == LAYOUT else None


functions: Native | None = built("odarchive.reading._native")
"""None: there are none."""
