"""What belongs on the disc of a segment: names, directories, links, and where bytes can be read.

A content gets all names that were current when the plan was made, since these are what the plan has room for. If all of
them are gone by now (the file was moved), the first of its present names takes their place.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from stat import S_IMODE

from sqlalchemy import Connection

from odarchive.catalogue import plans, seals
from odarchive.catalogue.plans import Name, Piece, Planned
from odarchive.errors import SourceMissing
from odarchive.image.assemble import Node, SourcePath
from odarchive.image.sources import Expected, Unreadable, open_first, range_digest
from odarchive.image.spec import Attributes
from odarchive.imaging.columns import Names, Pieces
from odarchive.model import ROOT_INO, ContentId, Ino


@dataclass(slots=True)
class Selection:
    """What one disc is to carry. ``names`` has at least one name for each content that can be read."""

    segment: Planned
    facts: Mapping[str, str]
    pieces: Pieces
    names: Names
    carried: list[Name]
    paths: dict[Ino, SourcePath]
    """Of every current directory."""
    directories: Mapping[Ino, Name]
    sources: Mapping[bytes, bytes]
    seed: bytes | None = None
    """The secret of an encrypted image; None before one is drawn."""

    def is_empty(self, lost: Iterable[ContentId]) -> bool:
        """Whether nothing is left for the disc."""
        gone = set(lost)
        return not self.carried and all(content in gone for content in self.pieces.contents())

    def path_of(self, content: ContentId) -> bytes:
        """A path for messages."""
        names = self.names.of(content)
        return self.path_text(names[0]) if names else b"content %d" % content

    def path(self, name: Name) -> SourcePath:
        """The source's name and what is below it."""
        return (*self.paths[name.parent], name.name)

    def open(self, content: ContentId) -> int:
        """A descriptor of the first of its names that still is what was scanned.

        Raises:
            Unreadable: none is.
        """
        return open_first(self._candidates(content))

    def _candidates(self, content: ContentId) -> Iterator[tuple[bytes, bytes, Expected]]:
        for name in map(self.name, self.names.of(content)):
            source, below = self._origin(self.path(name))
            if source in self.sources and below:
                yield self.sources[source], below, Expected(name.size, name.mtime_ns)

    def _origin(self, path: SourcePath) -> tuple[bytes, bytes]:
        """The source a path is of, the innermost one, and what is below it."""
        for depth in range(len(path) - 1, 1, -1):
            if b"/".join(path[:depth]) in self.sources:
                return b"/".join(path[:depth]), b"/".join(path[depth:])
        return path[0], b"/".join(path[1:])

    def unreadable(self) -> dict[ContentId, str]:
        """Contents that no name leads to any more, and why; opens each file once, reads nothing."""
        lost: dict[ContentId, str] = {}
        for content in self.pieces.contents():
            try:
                os.close(self.open(content))
            except Unreadable as error:
                lost[content] = str(error)
        return lost

    def require_sources(self) -> None:
        """See that the sources' directories are there before any file counts as gone.

        Raises:
            SourceMissing: one is not there or is empty, as the mount point of a drive that is not connected.
        """
        parents = {Ino(self.names.parent[number]): number for number in self.names.numbers()}
        for source in sorted({self._origin(self.path(self.name(number)))[0] for number in parents.values()}):
            root = self.sources.get(source, b"")
            try:
                with os.scandir(root) as names:
                    there = next(names, None) is not None
            except OSError:
                there = False
            if not there:
                raise SourceMissing(
                    f"{os.fsdecode(root)!r}, the place of source {os.fsdecode(source)!r}, is not there or empty; "
                    "connect its drive or scan it again"
                )

    def range_digest(self, piece: Piece) -> bytes:
        """BLAKE3 of the bytes of a piece. Reads the whole file if the piece is a part of it, to know it is right.

        Raises:
            Unreadable: the file is not what was scanned.
        """
        if (piece.start, piece.length) == (0, piece.size):
            return piece.digest
        descriptor = self.open(piece.content)
        try:
            return range_digest(descriptor, piece.start, piece.length, piece.size, piece.digest)
        finally:
            os.close(descriptor)

    def name(self, number: int) -> Name:
        """One of `names`."""
        names = self.names
        mode, uid, gid = names.manner(number)
        content = ContentId(names.content[number])
        parent, ino, when = Ino(names.parent[number]), Ino(names.ino[number]), names.mtime_ns[number]
        return Name(parent, names.name(number), ino, mode, uid, gid, names.size[number], when, content, None, 0, 0)

    def path_text(self, number: int) -> bytes:
        """The path of one of `names`."""
        return b"/".join((*self.paths[Ino(self.names.parent[number])], self.names.name(number)))

    def attributes(self, name: Name) -> Attributes:
        """What a file system keeps of it."""
        return Attributes(S_IMODE(name.mode), name.uid, name.gid, name.mtime_ns)

    def node(self, name: Name) -> Node:
        """A name for the entry list."""
        return Node(self.path(name), self.attributes(name), name.ino, name.target)


def select_segment(connection: Connection, segment: Planned) -> Selection:
    """Read everything about a segment."""
    directories = plans.directories(connection)
    paths = directory_paths(directories)
    on_disc = (name for name in plans.names_on(connection, segment.id) if name.parent in paths)
    return Selection(
        segment=segment,
        facts=plans.facts(connection),
        pieces=Pieces(plans.pieces(connection, segment.id)),
        names=Names(on_disc, segment.created_ns),
        carried=[name for name in plans.carried_by(connection, segment.id) if name.parent in paths],
        paths=paths,
        directories=directories,
        sources=plans.sources(connection),
        seed=seals.seed(connection, segment.id),
    )


def directory_paths(directories: Mapping[Ino, Name]) -> dict[Ino, SourcePath]:
    """Paths of directories from the root on; the root's is empty."""
    paths: dict[Ino, SourcePath] = {ROOT_INO: ()}
    for ino in directories:
        chain = []
        at = ino
        while at not in paths and at in directories:
            chain.append(at)
            at = directories[at].parent
        if at in paths:
            for below in reversed(chain):
                paths[below] = (*paths[directories[below].parent], directories[below].name)
    return paths
