r"""What is printed, and how names that are bytes become text. The only place that knows these rules.

For people: a name goes out as it is when it is printable UTF-8; control characters, and bytes that are not UTF-8, are
shown as ``\xNN``, a backslash as ``\\``: a hostile name cannot talk to the terminal, and no two names look alike.

In JSON: a name is a string; bytes that are not UTF-8 become ``\udcNN`` (Python's surrogateescape), and beside such a
``path`` stands ``path_b64``, the exact bytes in base64, for readers that do not know this rule.
"""

import base64
import json
import sys
import time
from collections.abc import Mapping
from typing import Any


class ReaderLeft(Exception):
    """The reader of stdout has gone, as ``head`` does."""


_ESCAPED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


def visible(name: bytes) -> str:
    """A name for people, on one line, harmless to a terminal."""
    return "".join(map(_visible, name.decode("utf-8", "surrogateescape")))


def _visible(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def named(key: str, name: bytes) -> dict[str, str]:
    """The JSON members for a name: ``key``, and ``key_b64`` when it is not UTF-8."""
    text = name.decode("utf-8", "surrogateescape")
    members = {key: text}
    if not text.isascii():
        try:
            name.decode("utf-8")
        except UnicodeDecodeError:
            members[f"{key}_b64"] = base64.b64encode(name).decode("ascii")
    return members


def size(count: int) -> str:
    """Bytes for people, decimal as disc makers count: ``25.0 GB``."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.3g} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return f"{value:.0f} EB"


def moment(at_ns: int) -> str:
    """A time for people, local, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_ns // 1_000_000_000))


def document(data: Mapping[str, Any]) -> None:
    """Print the one JSON document of a run, in ASCII."""
    line(json.dumps(data, indent=2))


def line(text: str = "") -> None:
    """Print a line of data to stdout.

    Raises:
        ReaderLeft: nobody reads it any more.
    """
    try:
        sys.stdout.write(f"{_encodable(text)}\n")
    except BrokenPipeError:
        raise ReaderLeft from None  # click would make an exit code of its own of the other


def note(text: str) -> None:
    """Print a line for the person to stderr."""
    sys.stderr.write(f"{text.encode('utf-8', 'backslashreplace').decode()}\n")
    sys.stderr.flush()


def hint(text: str) -> None:
    """What a person may do next; scripts and pipes are spared it."""
    if sys.stdout.isatty():
        note(text)


def _encodable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
