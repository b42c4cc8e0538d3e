"""Contents by their digest, and names by their content.

A content takes the number of the inode that brings it, so that names need no second index to be found by content: the
one by inode number leads there, and only further names of the same bytes are in an index of their own
(``entry_content``). Digests are found by their first four bytes (``content_digest``), a third of whole ones in size;
so two contents with one digest are prevented here, not by the database, and looked for by a rule.
"""

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from array import array
from collections.abc import Iterable, Iterator

from odarchive.catalogue.runs import by_numbers

HAS_DIGEST = "substr(content.digest, 1, 4) = substr(?1, 1, 4) AND content.digest = ?1"
"""SQL condition on ``content``; the digest is parameter 1."""

_FIND = f"SELECT id FROM content WHERE {HAS_DIGEST}"
_BITS = 27
"""Of the filter: 16 MiB; with a million contents one question in 130 is asked in vain, with ten million one in 14."""


def ways(columns: str, contents: str, where: str = "1") -> tuple[str, str, str]:
    """SELECTs that together find the entries that have one of the contents.

    ``contents``: a table or query in parentheses, known as ``wanted``, whose column ``id`` has them. ``content = ?``
    and a join by content would mean the same and read every entry. An entry comes as often as its content does.
    """
    return (
        *by_numbers(columns, contents, f"content = entry.ino AND {where}"),
        f"SELECT {columns} FROM {contents} AS wanted CROSS JOIN entry"
        f" WHERE content = wanted.id AND content <> entry.ino AND {where}",
    )


def named_by(columns: str, contents: str, where: str = "1") -> str:
    """All of ``ways`` in one SELECT."""
    return " UNION ALL ".join(ways(columns, contents, where))


def on_segment(columns: str, where: str = "1") -> str:
    """SELECT of the entries that the disc of a segment, parameter ``:segment``, has the bytes of or carries."""
    held = "(SELECT DISTINCT content AS id FROM piece WHERE segment = :segment)"
    carried = f"SELECT {columns} FROM entry WHERE content IS NULL AND carrier = :segment AND {where}"
    return f"{named_by(columns, held, where)} UNION ALL {carried}"


def number_of(raw: sqlite3.Connection, digest: bytes) -> int | None:
    """The content with a digest."""
    row = raw.execute(_FIND, (digest,)).fetchone()
    return None if row is None else int(row[0])


def keep(raw: sqlite3.Connection, digest: bytes, size: int, number: int | None = None) -> tuple[int, bool]:
    """The content with a digest, recorded if it is new, and whether it was; ``number``: an inode's that is free."""
    known = number_of(raw, digest)
    if known is not None:
        return known, False
    if number is None:
        taken = "UPDATE counter SET value = value + 1 WHERE name = 'ino' RETURNING value - 1"
        number = int(raw.execute(taken).fetchall()[0][0])
    raw.execute("INSERT INTO content (id, digest, size) VALUES (?, ?, ?)", (number, digest, size))
    return number, True


class Filter:
    """Tells of most new digests that they are new, without asking the database (a Bloom filter of one bit each)."""

    def __init__(self, digests: Iterable[tuple[bytes]]) -> None:
        self._bits = bytearray(1 << (_BITS - 3))
        self.doubted(digest for (digest,) in digests)

    @classmethod
    def of(cls, raw: sqlite3.Connection) -> "Filter":
        """Of all contents; a third of a second per million."""
        return cls(raw.execute("SELECT substr(digest, 1, 4) FROM content"))

    def doubted(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those of the digests that may have been put in before; all of them are from now on."""
        bits = self._bits
        some = list(digests)
        # All at once: to take a number out of each digest by itself would be half of the work.
        heads = array("I", b"".join([digest[:4] for digest in some]))
        found = []
        for digest, head in zip(some, heads, strict=True):
            place = head >> (35 - _BITS)
            bit = 1 << (head >> (32 - _BITS) & 7)
            if bits[place] & bit:
                found.append(digest)
            else:
                bits[place] |= bit
        return found


def doubtful(raw: sqlite3.Connection, digests: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Those of the digests that are recorded, with their numbers."""
    for digest in digests:
        number = number_of(raw, digest)
        if number is not None:
            yield digest, number
