"""The size of the image of each disc to be, to the sector: by laying it out as the build will, one disc at a time."""

from collections.abc import Sequence

from sqlalchemy import Connection

from odarchive.catalogue import plans
from odarchive.catalogue.unplanned import Unplanned
from odarchive.collector import uncollected
from odarchive.imaging import planned_size
from odarchive.imaging.columns import Names, Pieces
from odarchive.imaging.selection import Selection, directory_paths
from odarchive.model import ContentId
from odarchive.plan import Part
from odarchive.planning.tree import Tree


class Exact:
    """Lays out discs."""

    def __init__(self, connection: Connection, unplanned: Unplanned, tree: Tree, reserve: int) -> None:
        self._unplanned, self._tree, self._reserve = unplanned, tree, reserve
        self._facts = plans.facts(connection)

    def size(self, segment: plans.Planned, parts: Sequence[Part]) -> int:
        """Bytes of the image of a segment that holds these parts of items."""
        tree, unplanned = self._tree, self._unplanned
        contents = {tree.content[part.item] for part in parts} - {0}
        names, digests = unplanned.chosen(contents)
        bare = tree.carried_by(parts)
        carried = unplanned.entries(entry.ino for entry in bare)
        keys = {(entry.parent, entry.name) for entry in bare}
        carried = [name for name in carried if (name.parent, name.name) in keys]
        parents = {name.parent for found in names.values() for name in found} | {name.parent for name in carried}
        directories = unplanned.above(parents | {entry.ino for entry in bare})
        paths = directory_paths(directories)
        pieces = [
            plans.Piece(
                content, tree.start[part.item] + part.start, part.length, digests[content], names[content][0].size
            )
            for part in parts
            if (content := ContentId(tree.content[part.item]))
        ]
        pieces.sort(key=lambda piece: (piece.content, piece.start))
        selection = Selection(
            segment=segment,
            facts=self._facts,
            pieces=Pieces(pieces),
            names=Names(name for found in names.values() for name in found if name.parent in paths),
            carried=carried,
            paths=paths,
            directories=directories,
            sources={},
        )
        with uncollected():
            return planned_size(selection, self._reserve)
