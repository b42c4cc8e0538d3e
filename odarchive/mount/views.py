"""``/.odarchive`` of a mount: the archive by snapshot, by date and by disc, and its state as a file.

``snapshots/N/``      everything as snapshot N left it (what has never been on a disc is missing)
``dates/YYYY-MM-DD``  a link to the last snapshot of that day (UTC)
``discs/LABEL/``      of the present union, what has bytes on that disc
``status.json``       see ``watch``

The folder can be entered and is not listed: what walks over the whole mount (rsync, updatedb, ``ls -lR``) sees each
file once. Inode numbers are made of the view and the number in the catalogue, so they last over remounts.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from stat import S_IFDIR, S_IFLNK, S_IFREG

from odarchive.catalogue.views import View, Views
from odarchive.mount.asking import AskingContents
from odfs.ports import ROOT, Attributes, Inode, Namespace, Totals

NAME = b".odarchive"
BASE = 1 << 62
"""Inode numbers from here on are of views; the catalogue's are far below."""
TOP, SNAPSHOTS, DATES, DISCS = (Inode(BASE + number) for number in range(4))
_STATUS = BASE + (1 << 30)
_DATE = BASE + (2 << 30)
_SNAPSHOT, _DISC = BASE | 1 << 60, BASE | 2 << 60
_VIEW_SHIFT, _VIEWS, _INODES = 40, 1 << 20, 1 << 40
STATUS_NAME = b"status.json"
KEPT = 16
"""Versions of the status that open files may still read."""
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """An inode of a tree: which view, and the catalogue's number."""

    view: View
    ino: int

    @property
    def base(self) -> int:
        """Of the inode numbers of its tree."""
        return (_DISC if self.view.disc else _SNAPSHOT) | self.view.number << _VIEW_SHIFT


class ViewsNamespace:
    """``odfs.ports.Namespace`` with the folder beside an inner one."""

    def __init__(self, inner: Namespace, views: Views) -> None:
        self._inner = inner
        self._views = views
        self._began = time.time_ns()
        self._texts: dict[int, bytes] = {_STATUS: b"{}\n"}
        self.totals: Callable[[], Totals] = inner.totals

    def lookup(self, parent: Inode, name: bytes) -> Attributes | None:
        """See the port."""
        if parent < BASE:
            if parent == ROOT and name == NAME:
                return self._folder(TOP)
            return self._inner.lookup(parent, name)
        place = place_of(parent)
        if place is not None:
            row = self._views.lookup(place.view, place.ino, name)
            return None if row is None else _of(place, row)
        return next((found for known, found in self._listed(parent) if known == name), None)

    def attributes(self, ino: Inode) -> Attributes | None:
        """See the port."""
        if ino < BASE:
            return self._inner.attributes(ino)
        place = place_of(ino)
        if place is not None and place.ino == ROOT:
            return self._folder(ino)
        if place is not None:
            row = self._views.attributes(place.view, place.ino)
            return None if row is None else _of(place, row)
        if ino in self._texts:
            return self._status(ino)
        return self._folder(ino) if ino in (TOP, SNAPSHOTS, DATES, DISCS) else self._date(ino)

    def parent(self, ino: Inode) -> Inode | None:
        """See the port."""
        if ino < BASE:
            return self._inner.parent(ino)
        place = place_of(ino)
        if place is None:
            return ROOT if ino == TOP else TOP
        if place.ino == ROOT:
            return DISCS if place.view.disc else SNAPSHOTS
        above = self._views.place(place.ino)
        return None if above is None else Inode(place.base | above[0])

    def children(self, parent: Inode, after: bytes, limit: int) -> Sequence[tuple[bytes, Attributes]]:
        """See the port."""
        if parent < BASE:
            return self._inner.children(parent, after, limit)
        place = place_of(parent)
        if place is not None:
            rows = self._views.children(place.view, place.ino, after, limit)
            return [(name, _of(place, row)) for name, row in rows]
        return [line for line in self._listed(parent) if line[0] > after][:limit]

    def readlink(self, ino: Inode) -> bytes | None:
        """See the port."""
        if ino < BASE:
            return self._inner.readlink(ino)
        place = place_of(ino)
        if place is not None:
            return self._views.target(place.ino)
        return next((b"../snapshots/%d" % number for day, number in self._days().items() if _DATE + day == ino), None)

    def path(self, ino: Inode) -> bytes:
        """See the port."""
        if ino < BASE:
            return self._inner.path(ino)
        parts: list[bytes] = []
        place = place_of(ino)
        while place is not None and place.ino != ROOT and (above := self._views.place(place.ino)) is not None:
            parts.append(above[1])
            place = Place(place.view, above[0])
        if place is None:
            return NAME
        return b"/".join([NAME, *self._shown_as(place.view), *reversed(parts)])

    def _shown_as(self, view: View) -> tuple[bytes, bytes]:
        """Folder and name of a tree; of several discs that hold the same, one."""
        if not view.disc:
            return b"snapshots", b"%d" % view.number
        return b"discs", next((label for label, number in self._views.discs().items() if number == view.number), b"?")

    # The status

    def tell(self, text: bytes) -> bool:
        """The status as it is now; whether it is another one than before."""
        newest = max(self._texts)
        if self._texts[newest] == text:
            return False
        self._texts[newest + 1] = text
        self._texts.pop(newest + 1 - KEPT, None)
        return True

    def text(self, ino: Inode) -> bytes | None:
        """The bytes of a file that is not in the catalogue."""
        return self._texts.get(ino)

    # What is not in the catalogue

    def _listed(self, folder: Inode) -> list[tuple[bytes, Attributes]]:
        """All in one of the four folders, in byte order."""
        if folder == TOP:
            folders = ((b"dates", DATES), (b"discs", DISCS), (b"snapshots", SNAPSHOTS))
            lines = [(name, self._folder(ino)) for name, ino in folders]
            return [*lines, (STATUS_NAME, self._status(max(self._texts)))]
        if folder == SNAPSHOTS:
            found = [(b"%d" % number, _SNAPSHOT | number << _VIEW_SHIFT | ROOT) for number in self._views.snapshots()]
        elif folder == DISCS:
            discs = self._views.discs().items()
            found = [(label, _DISC | segment << _VIEW_SHIFT | ROOT) for label, segment in discs if segment < _VIEWS]
        elif folder == DATES:
            days = [(_day(day), self._date(Inode(_DATE + day))) for day in sorted(self._days())]
            return [(name, link) for name, link in days if link is not None]
        else:
            return []
        return sorted((name, self._folder(Inode(ino))) for name, ino in found)

    def _days(self) -> dict[int, int]:
        """Days since the epoch with the last snapshot of each."""
        return {finished // _DAY_NS: number for number, finished in self._views.snapshots().items() if number < _VIEWS}

    def _date(self, ino: Inode) -> Attributes | None:
        number = self._days().get(ino - _DATE)
        if number is None:
            return None
        return Attributes(ino, S_IFLNK | 0o777, 1, 0, 0, len(b"../snapshots/%d" % number), self._began, self._began)

    def _folder(self, ino: Inode) -> Attributes:
        return Attributes(ino, S_IFDIR | 0o755, 2, 0, 0, 0, self._began, self._began)

    def _status(self, ino: int) -> Attributes:
        return Attributes(Inode(ino), S_IFREG | 0o444, 1, 0, 0, len(self._texts[ino]), self._began, self._began)


def place_of(ino: int) -> Place | None:
    """Of an inode in a tree; None for the folder's own."""
    if not ino & 3 << 60:
        return None
    return Place(View(ino >> _VIEW_SHIFT & _VIEWS - 1, disc=bool(ino & 2 << 60)), ino & _INODES - 1)


def _of(place: Place, row: Sequence[int | None]) -> Attributes:
    return Attributes(Inode(place.base | (row[0] or 0)), *row[1:])  # type: ignore[arg-type]  # a row of the catalogue


def _day(day: int) -> bytes:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400)).encode()


class WithStatus:
    """``odfs.ports.Contents`` and ``Backing`` of an inner one, and the files that only the views have."""

    def __init__(self, inner: AskingContents, views: ViewsNamespace) -> None:
        self._inner = inner
        self._text = views.text
        self.read = inner.read
        self.resident = inner.resident
        self.forget = inner.forget

    def read_now(self, file: Attributes, offset: int, length: int) -> bytes | memoryview | None:
        """See the port."""
        if file.ino >= BASE and (text := self._text(file.ino)) is not None:
            return text[offset : offset + length]
        return self._inner.read_now(file, offset, length)

    def backing(self, file: Attributes) -> int | None:
        """See the port."""
        return None if file.content is None else self._inner.backing(file)
