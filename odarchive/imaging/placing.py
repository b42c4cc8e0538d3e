"""Where everything of a disc lies on it: files are under ``DATA/<source>/...``, with their own names where that works.

Ranges of split files lie beside where the file would be. Paths are put together when they are asked for: what is kept
of a file is two numbers, and a name if the disc has another one than its source. Not for encrypted discs
(``placing_sealed``).
"""

from array import array
from collections.abc import Collection, Iterable, Iterator
from stat import S_ISDIR, S_ISLNK
from typing import NamedTuple

from odarchive.catalogue.plans import Name
from odarchive.image.assemble import OfFile, entry_of, names_in_folder
from odarchive.image.ondisc import DATA, Entry, Placed
from odarchive.image.spec import Attributes, Directory, DiscPath, File, Inode, Symlink
from odarchive.imaging.folders import Folders, walk
from odarchive.imaging.selection import Selection
from odarchive.model import ROOT_INO, ContentId, Ino

_UNPLACED = 0xFFFFFFFF


class OnDisc(NamedTuple):
    """A folder (``ino``) or a piece under one of its names, by its name on the disc."""

    text: str
    ino: int = 0
    number: int = 0
    piece: int = 0


class InSource(NamedTuple):
    """A folder, symlink or empty file, or the number of a name, by its name in the source."""

    text: bytes
    name: Name | None = None
    number: int = -1


class Placing:
    """Places of files, folders and symlinks.

    Attributes:
        order: The pieces in the order of the disc; the place in it is a piece's *number*.
        directories: All but ``DATA`` itself.
        symlinks: Those that the disc shows.
        empty: The empty files that the disc shows.
    """

    def __init__(self, selection: Selection, gone: Collection[ContentId], *, udf_symlinks: bool = False) -> None:
        self._selection, self._udf_symlinks = selection, udf_symlinks
        self._folders = Folders(selection, gone)
        self.order = array("I")
        self._number = array("I", [_UNPLACED]) * len(selection.pieces)
        self.directories: list[Directory] = []
        self.symlinks: list[Symlink] = []
        self.empty: list[File] = []
        self._place()
        if len(self.order) != sum(content not in gone for content in selection.pieces.content):
            raise AssertionError("a piece has no name on the disc")

    def paths(self) -> Iterator[tuple[DiscPath, int]]:
        """Every path of every piece and the piece's number, in order."""
        for name, piece in zip(self._leaf_name, self._leaf_piece, strict=True):
            yield self._path(name, piece), self._number[piece]

    def inodes(self, number: int) -> tuple[Inode, ...]:
        """The files that a piece is."""
        piece, selection = self.order[number], self._selection
        found = ((name, selection.name(name)) for name in self._names(piece))
        return _inodes((name.ino, self._path(at, piece), selection.attributes(name)) for at, name in found)

    def placed(self, number: int) -> Placed:
        """What the catalogue of the disc tells of a piece."""
        piece, pieces, names = self.order[number], self._selection.pieces, self._names(self.order[number])
        start = None if pieces.is_whole(piece) else pieces.start(piece)
        when, paths = self._selection.names.mtime_ns[names[0]], self._paths(names, piece)
        return Placed(pieces.digest(piece), pieces.size(piece), when, start, pieces.length[piece], paths)

    def entries(self) -> Iterator[Entry]:
        """The entry list, in the order of the paths."""
        for found in walk(InSource(b""), self._in_source):
            yield self._file_entry(found.number) if found.name is None else self._bare_entry(found.name)

    def _paths(self, names: Iterable[int], piece: int) -> tuple[DiscPath, ...]:
        return tuple(sorted(self._path(name, piece) for name in names))

    def _path(self, name: int, piece: int) -> DiscPath:
        names = self._selection.names
        text = self._renamed.get((name, piece)) or names.name(name).decode()
        return (*self._places[Ino(names.parent[name])], text)

    def _names(self, piece: int) -> list[int]:
        """The names of a piece by their paths."""
        selection = self._selection
        found = selection.names.from_place(self._folders.begin[piece], ContentId(selection.pieces.content[piece]))
        return sorted(found, key=selection.path_text) if len(found) > 1 else list(found)

    def _place(self) -> None:
        """Go through all folders in the order of the disc's names."""
        self._places: dict[Ino, DiscPath] = {ROOT_INO: (DATA,)}
        self._renamed: dict[tuple[int, int], str] = {}
        self._bare: dict[tuple[Ino, bytes], DiscPath] = {}
        self._leaf_name, self._leaf_piece = array("I"), array("I")
        for found in walk(OnDisc("", ROOT_INO), self._on_disc):
            if not found.ino:
                self._leaf_name.append(found.number)
                self._leaf_piece.append(found.piece)
                self._give_number(found.piece)
        self.directories.sort(key=lambda directory: directory.path)
        self.symlinks.sort(key=lambda link: link.path)
        empty = [name for names in self._folders.empty.values() for name in names]
        empty.sort(key=self._selection.path)
        about = self._selection.attributes
        inodes = _inodes((name.ino, self._bare[name.parent, name.name], about(name)) for name in empty)
        self.empty = [File((inode,), 0) for inode in inodes]

    def _give_number(self, piece: int) -> None:
        if self._number[piece] == _UNPLACED:
            self._number[piece] = len(self.order)
            self.order.append(piece)

    def _on_disc(self, folder: OnDisc) -> Iterator[OnDisc]:
        """What is in a folder, by the names on the disc."""
        if not folder.ino:
            return iter(())
        ino, starts, name_of = Ino(folder.ino), self._selection.pieces.start, self._selection.names.name
        inner, empty = self._folders.inner.get(ino, []), self._folders.empty.get(ino, [])
        whole, parts = self._divided(ino)
        bare = [name.name for name in (*inner, *empty)]
        found, of_parts = names_in_folder(
            (name_of(name) for name, _ in whole), ((name_of(name), starts(piece)) for name, piece in parts), bare
        )
        content = [OnDisc(found[name_of(name)], 0, name, piece) for name, piece in whole]
        content += [OnDisc(of_parts[name_of(name), starts(piece)], 0, name, piece) for name, piece in parts]
        for text, _, name, piece in content:
            if text.encode() != name_of(name):
                self._renamed[name, piece] = text
        place = self._places[ino]
        for one in (*inner, *empty):
            self._put(one, (*place, found[one.name]))
        content += [OnDisc(found[one.name], one.ino) for one in inner if S_ISDIR(one.mode)]
        return iter(sorted(content))

    def _divided(self, folder: Ino) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The (name, piece) of a folder's files: those that are here as a whole, and parts."""
        whole, parts = [], []
        names, pieces = self._selection.names, self._selection.pieces
        for name in self._folders.files.get(folder, ()):
            of = pieces.of(self._folders.first[name])
            first = of[0]
            if len(of) == 1 and pieces.start(first) == 0 and pieces.length[first] == names.size[name]:
                whole.append((name, first))
            else:
                parts += [(name, piece) for piece in of]
        return whole, parts

    def _put(self, name: Name, place: DiscPath) -> None:
        about = self._selection.attributes(name)
        if S_ISDIR(name.mode):
            self._places[name.ino] = place
            self.directories.append(Directory(place, about))
            return
        self._bare[name.parent, name.name] = place
        if S_ISLNK(name.mode) and name.target is not None:
            self.symlinks.append(Symlink(place, name.target, about))

    def _in_source(self, folder: InSource) -> Iterator[InSource]:
        """What is in a folder, by the names in the source."""
        ino = ROOT_INO
        if folder.text:
            if folder.name is None or not S_ISDIR(folder.name.mode):
                return iter(())
            ino = folder.name.ino
        bare = (*self._folders.inner.get(ino, ()), *self._folders.empty.get(ino, ()))
        content = [InSource(name.name, name) for name in bare]
        names = self._selection.names
        content += [InSource(names.name(name), None, name) for name in self._folders.files.get(ino, ())]
        content.sort(key=lambda one: one.text)
        return iter(content)

    def _file_entry(self, name: int) -> Entry:
        selection = self._selection
        about = selection.name(name)
        parts = self._parts(name)
        digest = selection.pieces.digest(self._folders.first[name])
        return self._entry(about, "file", OfFile(about.size, digest, parts))

    def _parts(self, name: int) -> tuple[tuple[int, int, DiscPath], ...]:
        pieces = self._selection.pieces
        of = pieces.of(self._folders.first[name])
        return tuple((pieces.start(piece), pieces.length[piece], self._path(name, piece)) for piece in of)

    def _bare_entry(self, name: Name) -> Entry:
        if S_ISDIR(name.mode):
            return self._entry(name, "dir", place=self._places[name.ino])
        place = self._bare[name.parent, name.name]
        if S_ISLNK(name.mode):
            return self._entry(name, "symlink", place=place)
        return self._entry(name, "file", OfFile(0, None, ((0, 0, place),)))

    def _entry(self, name: Name, kind: str, file: OfFile | None = None, place: DiscPath = ()) -> Entry:
        udf_symlinks = self._udf_symlinks and kind == "symlink"
        return entry_of(self._selection.node(name), kind, place=place, udf_symlinks=udf_symlinks, file=file)


def kind_of(name: Name) -> str:
    """What the entry list calls it."""
    return "dir" if S_ISDIR(name.mode) else "symlink" if S_ISLNK(name.mode) else "file"


def _inodes(names: Iterable[tuple[int, DiscPath, Attributes]]) -> tuple[Inode, ...]:
    """Names by inode number, in order."""
    found: dict[int, tuple[list[DiscPath], Attributes]] = {}
    for ino, path, attributes in names:
        found.setdefault(ino, ([], attributes))[0].append(path)
    return tuple(Inode(tuple(paths), attributes) for paths, attributes in found.values())
