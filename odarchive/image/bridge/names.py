"""How names are stored: UDF's compressed Unicode, Rock Ridge's bytes, and mapped names where a view cannot hold one.

Not for ISO 9660 identifiers (they are positions, see `isodir`). A name is stored natively unless the view, or its most
used reader, cannot hold it; then it becomes ``prefix~sha8`` (digest of the original bytes), longer if a sibling has
that.

Facts: UDF 1.02 2.1.1 (one byte 8 or 16, then Latin-1 or UTF-16BE; L_FI is one byte). Linux gives up names over 254
bytes of UTF-8 in udf (UDF_NAME_LEN) and cuts Rock Ridge names from 254 bytes on (fs/isofs/rock.c).
"""

import enum
import hashlib
from collections.abc import Collection

UDF_BYTES, UDF_UNITS, ROCK_RIDGE_BYTES = 254, 127, 253
_ILLEGAL_WINDOWS = frozenset('<>:"\\|?*') | {chr(c) for c in range(32)}
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL"} | {f"{d}{n}" for d in ("COM", "LPT") for n in range(1, 10)})
_DIGITS = range(8, 65, 4)
_PREFIX = 60


class View(enum.StrEnum):
    """The two trees on the disc."""

    UDF = "udf"
    ROCK_RIDGE = "rock-ridge"


class Reason(enum.StrEnum):
    """Why a view does not show the archive's own name, entry or attribute."""

    TOO_LONG = "too-long"
    NOT_UNICODE = "not-unicode"
    WINDOWS = "illegal-in-windows"
    SYMLINK = "symlink-left-out"
    TARGET = "symlink-target-normalised"
    LINKS = "link-count-over-65535"
    TIME = "time-out-of-range"
    TIME_IN_LINUX = "time-right-on-disc-but-wraps-in-linux-before-6.15"


def cs0(name: str) -> bytes:
    """UDF's compressed Unicode: Latin-1 when it fits, else UTF-16BE."""
    try:
        return b"\x08" + name.encode("latin-1")
    except UnicodeEncodeError:
        return b"\x10" + name.encode("utf-16-be")


def udf_identifier(name: bytes) -> bytes:
    """The stored form of a name that `udf_reason` finds nothing against."""
    return b"\x08" + name if name.isascii() else cs0(name.decode())


def udf_reason(name: bytes, *, windows: bool) -> Reason | None:
    """Why UDF cannot store this name natively; None if it can."""
    if name.isascii() and not windows:
        return Reason.TOO_LONG if len(name) > UDF_BYTES else None
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return Reason.NOT_UNICODE
    if len(name) > UDF_BYTES or (len(name) > UDF_UNITS and len(cs0(text)) > UDF_BYTES + 1):
        return Reason.TOO_LONG
    return Reason.WINDOWS if windows and _bad_in_windows(text) else None


def rock_ridge_reason(name: bytes) -> Reason | None:
    """Why Rock Ridge cannot store these bytes; None if it can."""
    return Reason.TOO_LONG if len(name) > ROCK_RIDGE_BYTES else None


def mapped(name: bytes, taken: Collection[bytes]) -> bytes:
    """A UTF-8 name in place of one that cannot be stored, which no name of ``taken`` equals."""
    digest = hashlib.sha256(name).hexdigest()
    text = "".join(_plain(c) for c in name[:_PREFIX].decode("utf-8", "replace"))
    for digits in _DIGITS:
        candidate = f"{text}~{digest[:digits]}".encode()
        if candidate not in taken:
            return candidate
    raise AssertionError(f"two names of one directory with the SHA-256 {digest}")


def _plain(char: str) -> str:
    return char if char.isprintable() and char not in _ILLEGAL_WINDOWS and char != "\ufffd" else "_"


def _bad_in_windows(text: str) -> bool:
    stem = text.split(".", 1)[0].rstrip().upper()
    return not _ILLEGAL_WINDOWS.isdisjoint(text) or text[-1] in ". " or stem in _DEVICES
