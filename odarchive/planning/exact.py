"""The size of the image of each disc to be, to the sector: by laying it out as the build will, one disc at a time.

Names and pieces go from the catalogue straight into columns, so that a disc of a million files takes little more room
here than in the build.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from odarchive.catalogue import plans
from odarchive.catalogue.plans import Name
from odarchive.catalogue.unplanned import Unplanned
from odarchive.collector import uncollected
from odarchive.image.assemble import SourcePath
from odarchive.imaging import planned_size
from odarchive.imaging.columns import Names, Pieces
from odarchive.imaging.selection import Selection
from odarchive.model import ROOT_INO, Ino
from odarchive.plan import Part
from odarchive.planning.tree import Tree

_MANY = 50_000
"""Pieces of one disc."""


class Exact:
    """Lays out discs."""

    def __init__(self, connection: Connection, unplanned: Unplanned, tree: Tree, reserve: int) -> None:
        self._unplanned, self._tree, self._reserve = unplanned, tree, reserve
        self._facts = plans.facts(connection)

    def size(self, segment: plans.Planned, parts: Callable[[], Iterable[Part]]) -> int:
        """Bytes of the image of a segment that holds these parts of items."""
        tree, unplanned = self._tree, self._unplanned
        unplanned.choose(
            (tree.content[part.item], tree.begin(part), part.length) for part in parts() if tree.content[part.item]
        )
        folders = _Folders(unplanned)
        names = Names(name for name in unplanned.chosen_names() if folders.lead_to(name.parent))
        pieces = Pieces(unplanned.chosen_pieces())
        selection = Selection(
            segment=segment,
            facts=self._facts,
            pieces=pieces,
            names=names,
            carried=self._carried(parts(), folders),
            paths=folders.paths,
            directories=folders.directories,
            sources={},
        )
        if len(pieces) > _MANY:  # pages of the catalogue take as much memory as these will
            unplanned.choose(())
            unplanned.let_go()
        with uncollected():
            return planned_size(selection, self._reserve)

    def _carried(self, parts: Iterable[Part], folders: "_Folders") -> list[Name]:
        bare = self._tree.carried_by(parts)
        for entry in bare:
            folders.lead_to(Ino(entry.ino))
        keys = {(entry.parent, entry.name) for entry in bare}
        found = self._unplanned.entries(entry.ino for entry in bare)
        return [name for name in found if (name.parent, name.name) in keys and folders.lead_to(name.parent)]


class _Folders:
    """The directories of one disc with their paths, as what is in them comes up."""

    def __init__(self, unplanned: Unplanned) -> None:
        self._unplanned = unplanned
        self.directories: dict[Ino, Name] = {}
        self.paths: dict[Ino, SourcePath] = {ROOT_INO: ()}

    def lead_to(self, ino: Ino) -> bool:
        """Know the directory of a number and all above it; whether there is one, and a way to it from the root."""
        chain: dict[Ino, Name] = {}
        at = ino
        while at not in self.paths:
            name = self._unplanned.directory(at)
            if name is None or at in chain:
                return False
            chain[at] = name
            at = name.parent
        for below, name in reversed(chain.items()):
            self.directories[below] = name
            self.paths[below] = (*self.paths[name.parent], name.name)
        return True
