"""Names of files as a disc has them. Pure.

One name for both views: where UDF or Rock Ridge cannot hold a name (`bridge.names` knows when), both have the same
``prefix~sha8`` in its place, so that every text on the disc speaks of one path. The original is in the disc's entry
list, so nothing is lost. Not for ISO 9660 identifiers: those are numbers, the writer's.
"""

from collections.abc import Collection

from odarchive.image.bridge import Reason
from odarchive.image.bridge.names import (
    ROCK_RIDGE_BYTES,
    UDF_BYTES,
    cs0,
    mapped,
    rock_ridge_reason,
    udf_reason,
)

LONGEST_STORED = ROCK_RIDGE_BYTES
"""Bytes of the longest name on a disc."""

_ESCAPED = bytes([*range(32), *b'"\\', 127])
_LONGEST_IDENTIFIER = UDF_BYTES + 1


def part_name(name: bytes, start: int) -> bytes:
    """Name of a part of a split file: where it begins, so that sorted names are in the right order for ``cat``."""
    return name + b"~at%016d" % start


def why_mapped(name: bytes) -> Reason | None:
    """Why a disc cannot have this name; None: it has it as it is."""
    return udf_reason(name, windows=False) or rock_ridge_reason(name)


def disc_names(names: Collection[bytes]) -> dict[bytes, str]:
    """The names of one directory as the disc has them: unique, and the same whatever order they come in."""
    found: dict[bytes, str] = {}
    taken = set(names)
    for name in sorted(taken):
        stored = name
        if why_mapped(name):
            stored = mapped(name, taken)
            taken.add(stored)
        found[name] = stored.decode()
    return found


def identifier_size(name: bytes) -> int:
    """Upper bound of the bytes of its UDF file identifier, mapped or not, compression id included."""
    if name.isascii() and len(name) <= LONGEST_STORED:
        return len(name) + 1
    if why_mapped(name):
        return _LONGEST_IDENTIFIER
    return len(cs0(name.decode()))


def readable_size(name: bytes) -> int:
    """Upper bound of the bytes of its disc name in UTF-8 when each character may be escaped (JSON, SHA256SUMS)."""
    if name.isascii() and name.translate(None, _ESCAPED) == name:
        return len(name) + (200 if len(name) > LONGEST_STORED else 0)
    text = name.decode("utf-8", "surrogateescape")
    size = sum(
        6 if ord(c) < 32 or ord(c) == 127 else 2 if c in '"\\' else len(c.encode("utf-8", "replace")) for c in text
    )
    return size + (200 if why_mapped(name) else 0)
