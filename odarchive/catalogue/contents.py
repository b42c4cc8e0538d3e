"""Contents by their digest, and names by their content.

A content takes the number of the inode that brings it, so that names need no second index to be found by content: the
one by inode number leads there, and only further names of the same bytes are in an index of their own
(``entry_content``). Digests are found by their first four bytes (``content_digest``), a third of whole ones in size;
so two contents with one digest are prevented here, not by the database, and looked for by a rule.
"""

# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import sqlite3
from array import array
from collections.abc import Iterable, Sequence

from odarchive.catalogue.runs import by_numbers

HAS_DIGEST = "substr(content.digest, 1, 4) = substr(?1, 1, 4) AND content.digest = ?1"
"""SQL condition on ``content``; the digest is parameter 1."""

_FIND = f"SELECT id FROM content WHERE {HAS_DIGEST}"
FILTER_PAYS = 1_000
"""New digests in one transaction from which on it pays to read all recorded ones into a filter."""
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
        self.bits = bytearray(1 << (_BITS - 3))
        self.doubted(digest for (digest,) in digests)

    @classmethod
    def of(cls, raw: sqlite3.Connection) -> "Filter":
        """Of all contents; a third of a second per million."""
        return cls(raw.execute("SELECT substr(digest, 1, 4) FROM content"))

    def doubted(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those of the digests that may have been put in before; all of them are from now on."""
        bits = self.bits
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


class Known:
    """Which digests are recorded, for one who records many: a filter, as long as nobody else records any beside him."""

    def __init__(self) -> None:
        self._filter: Filter | None = None
        self._count = 0
        self._seen: tuple[sqlite3.Connection, int] | None = None
        self._alone = True

    def filter(self, raw: sqlite3.Connection, many: int) -> Filter | None:
        """In a transaction that will record at most ``many`` contents; None: each is to be asked for."""
        if self._filter is None:
            if many < FILTER_PAYS or not self._alone:
                return None
            self._filter = Filter.of(raw)
            self._count, self._seen = _count(raw), _version(raw)
        elif (seen := _version(raw)) != self._seen:  # somebody has written something
            self._seen = seen
            if _count(raw) != self._count:
                self._filter, self._alone = None, False  # from now on each is asked for
        return self._filter

    def recorded(self, new: int) -> None:
        """So many contents were recorded, and put into the filter. Contents are never taken away again."""
        self._count += new


def _count(raw: sqlite3.Connection) -> int:
    """Of all contents: 10 ms per million."""
    return int(raw.execute("SELECT count(*) FROM content").fetchone()[0])


def _version(raw: sqlite3.Connection) -> tuple[sqlite3.Connection, int]:
    """Changes when another connection commits (sqlite.org/pragma.html#pragma_data_version)."""
    return raw, int(raw.execute("PRAGMA data_version").fetchone()[0])


def record(
    raw: sqlite3.Connection, rows: Sequence[tuple[bytes, int, int]], known: Filter | None
) -> tuple[dict[bytes, int], int, int]:
    """Record contents of which many are new.

    Args:
        raw: the catalogue.
        rows: digest, number of the inode that brings it, size.
        known: a filter that every recorded content is in, and these are afterwards; None: there is none.

    Returns:
        The number of every digest, how many are new, their bytes.
    """
    # Nothing here looks at a row by itself, which would take as long as writing it.
    new = {row[0]: row for row in reversed(rows)}  # the first one of each
    numbers = {digest: number for digest, number, _ in new.values()}
    for digest in list(new) if known is None else known.doubted(new):
        number = number_of(raw, digest)
        if number is not None:
            numbers[digest] = number
            del new[digest]
    ordered = sorted((number, digest, size) for digest, number, size in new.values())  # they fill their pages
    raw.executemany("INSERT INTO content (id, digest, size) VALUES (?, ?, ?)", ordered)
    return numbers, len(ordered), sum(size for _, _, size in ordered)
