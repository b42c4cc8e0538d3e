"""Names of files as a disc can hold them. Pure.

A name on a disc is Unicode: UDF stores 8-bit (Latin-1) or 16-bit characters (OSTA compressed Unicode, UDF 2.1.1). What
fits is kept as it is; what does not (not UTF-8, too long, or the same raw bytes as a sibling) becomes ``prefix~sha8``.
The original is in the disc's entry list, so nothing is lost. Not for ISO 9660 names: those are numbers, the writer's.
"""

import hashlib
from collections.abc import Collection

MAX_LATIN1 = 253
MAX_UTF16 = 126
"""Longest names every reader took; the length byte of UDF would allow one more (253 + compression id = 254)."""

_MARK = "~"


def part_name(name: bytes, start: int) -> bytes:
    """Name of a part of a split file: where it begins, so that sorted names are in the right order for ``cat``."""
    return name + b"~at%016d" % start


def disc_names(names: Collection[bytes]) -> dict[bytes, str]:
    """The names of one directory as the disc has them: unique, and the same whatever order they come in."""
    taken: set[bytes] = set()
    found: dict[bytes, str] = {}
    for name in sorted(names):
        native = _native(name)
        if native is not None and _raw(native) not in taken:
            found[name] = native
            taken.add(_raw(native))
    for name in sorted(set(names) - found.keys()):
        found[name] = _mapped(name, taken)
        taken.add(_raw(found[name]))
    return found


def identifier_size(name: bytes) -> int:
    """Upper bound of the bytes of a UDF file identifier for it, mapped or not, compression id included."""
    native = _native(name)
    if native is None:
        return MAX_LATIN1 + 1
    return max(len(_raw(native)) + 1, min(MAX_LATIN1 + 1, 2 * len(_raw(_readable(name))) + 19))


def readable_size(name: bytes) -> int:
    """Upper bound of the bytes of its disc name in UTF-8 when each character may be escaped (JSON, SHA256SUMS)."""
    text = _readable(name)
    return sum(6 if ord(c) < 32 or ord(c) == 127 else 2 if c in '"\\' else len(c.encode()) for c in text) + 9


def _native(name: bytes) -> str | None:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return None
    return text if _fits(text) else None


def _fits(text: str) -> bool:
    raw = _raw(text)
    return len(raw) <= (MAX_LATIN1 if _is_latin1(text) else 2 * MAX_UTF16)


def _is_latin1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def _raw(text: str) -> bytes:
    """What UDF stores behind the compression id. Siblings that differ only in that id confuse readers: not used."""
    return text.encode("latin-1" if _is_latin1(text) else "utf-16-be")


def _readable(name: bytes) -> str:
    return "".join("_" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in name.decode("utf-8", "surrogateescape"))


def _mapped(name: bytes, taken: set[bytes]) -> str:
    digest = hashlib.sha256(name).hexdigest()
    for length in range(8, len(digest) + 1, 8):
        text = _readable(name)
        while not _fits(f"{text}{_MARK}{digest[:length]}"):
            text = text[:-1]
        candidate = f"{text}{_MARK}{digest[:length]}"
        if _raw(candidate) not in taken:
            return candidate
    raise AssertionError("two siblings with one SHA-256")
