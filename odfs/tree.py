"""What a directory listing and a ``stat`` look like, free of FUSE. Pure: no I/O but the ``Namespace`` it is given.

Rules kept here:

- A directory is read in pages, so that one of 100,000 entries costs the memory of one page.
- A cookie says where to go on. It is (page, index in the page), and a page is a fixed range of *names*: entries that
  appear or vanish meanwhile, in a page read before, never make others come twice or get lost.
- Cookies 1 and 2 are never given out: NFS reserves them (RFC 8881, section 18.23.3). Up to 2**31 they stay
  usable for 32-bit programs, which is about 30 million entries.
- A file with bytes never shows 0 blocks: ``tar -S`` takes such a file for one hole and stores nothing of it.
"""

import stat
from collections.abc import Iterator
from typing import NamedTuple

from odfs.ports import ROOT, Attributes, Inode, Namespace

PAGE = 1024
"""Entries fetched at once."""
BLOCK = 512
"""Unit of ``st_blocks`` in bytes (stat(2))."""
BEST_IO = 4096
"""``st_blksize`` in bytes."""

_AFTER_DOT = 3
_AFTER_DOTDOT = 4
_PAGE_BITS = 16


class Entry(NamedTuple):
    """One line of a listing; ``cookie`` resumes after it. A tuple, as a listing makes hundreds of thousands."""

    name: bytes
    attributes: Attributes
    cookie: int


def blocks(mode: int, size: int, resident: bool) -> int:
    """``st_blocks``: what the file takes up here. One block stands for bytes that are on a disc elsewhere."""
    if size == 0 or not stat.S_ISREG(mode):
        return 0
    return -(-size // BLOCK) if resident else 1


class Listing:
    """One open directory: entries from any cookie given out before, or from 0, the start (which looks afresh)."""

    def __init__(self, namespace: Namespace, ino: Inode) -> None:
        self._namespace = namespace
        self._ino = ino
        self._starts: list[bytes] = [b""]
        """``_starts[n]``: the name after which page n begins; known as far as the listing has been read."""
        self._last: int | None = None
        """The number of the page the directory ended with, once seen."""
        self._number = -1
        self._page: list[tuple[bytes, Attributes]] = []

    def entries(self, cookie: int) -> Iterator[Entry]:
        """The entries after ``cookie``, ``.`` and ``..`` first.

        Raises:
            ValueError: no listing gives out such a cookie.
        """
        if cookie < 0 or 0 < cookie < _AFTER_DOT:
            raise ValueError(f"{cookie} is no position in a directory")
        if cookie == 0:
            self._rewind()
        if cookie < _AFTER_DOT:
            yield from self._dot(b".", self._ino, _AFTER_DOT)
        if cookie < _AFTER_DOTDOT:
            yield from self._dot(b"..", self._namespace.parent(self._ino) or ROOT, _AFTER_DOTDOT)
        number, index = divmod(max(0, cookie - _AFTER_DOTDOT), 1 << _PAGE_BITS)
        while self._load(number):
            base = _AFTER_DOTDOT + (number << _PAGE_BITS) + 1
            for position, (name, attributes) in enumerate(self._page[index:], base + index):
                yield Entry(name, attributes, position)
            number, index = number + 1, 0

    def _rewind(self) -> None:
        self._starts, self._last, self._number = [b""], None, -1

    def _dot(self, name: bytes, ino: Inode, cookie: int) -> Iterator[Entry]:
        attributes = self._namespace.attributes(ino)
        if attributes is not None:
            yield Entry(name, attributes, cookie)

    def _load(self, number: int) -> bool:
        """Make page ``number`` the current one, walking there if need be; False if the directory ends before it."""
        if number == self._number:
            return True
        if self._last is not None and number > self._last:
            return False
        while len(self._starts) <= number:
            if not self._fetch(len(self._starts) - 1):
                return False
        return self._fetch(number)

    def _fetch(self, number: int) -> bool:
        """Read page ``number``, whose start is known; a page whose end is known too is read up to that name."""
        start = self._starts[number]
        if number + 1 < len(self._starts):
            page = self._between(start, self._starts[number + 1])
        else:
            page = list(self._namespace.children(self._ino, start, PAGE))
            if len(page) < PAGE:
                self._last = number if page else number - 1
            if not page:
                return False
            self._starts.append(page[-1][0])
        self._number, self._page = number, page
        return True

    def _between(self, start: bytes, end: bytes) -> list[tuple[bytes, Attributes]]:
        found: list[tuple[bytes, Attributes]] = []
        while start < end and len(found) < (1 << _PAGE_BITS) - PAGE:
            more = self._namespace.children(self._ino, start, PAGE)
            found += [entry for entry in more if entry[0] <= end]
            if len(more) < PAGE:
                break
            start = more[-1][0]
        return found
