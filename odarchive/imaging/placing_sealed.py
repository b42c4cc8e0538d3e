"""The places of an encrypted disc: numbered files, and an entry list (itself encrypted) that says what they are.

Neither names nor the shape of the folders show; what does is how many contents there are, and how large. Not for
encrypting (``sealing``).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from odarchive.catalogue.plans import Name
from odarchive.image.assemble import OfFile
from odarchive.image.ondisc import DATA, Entry
from odarchive.image.spec import Attributes, Directory, DiscPath, Inode
from odarchive.imaging.folders import walk
from odarchive.imaging.placing import InSource, Placing, kind_of
from odarchive.imaging.selection import Selection
from odarchive.model import ContentId

PER_FOLDER = 1000
SUFFIX = ".age"


class SealedPlacing(Placing):
    """Numbers the contents in the order of their first names; ``own``: attributes of files and folders."""

    def __init__(self, selection: Selection, gone: Collection[ContentId], own: Attributes) -> None:
        self._own = own
        super().__init__(selection, gone)

    def paths(self) -> Iterator[tuple[DiscPath, int]]:
        """See `Placing`."""
        return ((_numbered(number), number) for number in range(len(self.order)))

    def inodes(self, number: int) -> tuple[Inode, ...]:
        """See `Placing`."""
        return (Inode((_numbered(number),), self._own),)

    def _place(self) -> None:
        pieces = self._selection.pieces
        for found in walk(InSource(b""), self._in_source):
            if found.name is None:
                for piece in pieces.of(self._folders.first[found.number]):
                    self._give_number(piece)
        folders = {_numbered(number)[:-1] for number in range(0, len(self.order), PER_FOLDER)}
        self.directories = [Directory(path, self._own) for path in sorted(folders)]

    def _path(self, name: int, piece: int) -> DiscPath:
        return _numbered(self._number[piece])

    def _paths(self, names: Iterable[int], piece: int) -> tuple[DiscPath, ...]:
        return (_numbered(self._number[piece]),)

    def _bare_entry(self, name: Name) -> Entry:
        kind = kind_of(name)
        return self._entry(name, kind, OfFile(0, None, ()) if kind == "file" else None)

    def _entry(self, name: Name, kind: str, file: OfFile | None = None, place: DiscPath = ()) -> Entry:
        return replace(super()._entry(name, kind, file, place), differs=())


def _numbered(number: int) -> DiscPath:
    return DATA, f"{number // PER_FOLDER:04d}", f"{number:07d}{SUFFIX}"
