"""Which items go on which disc of which kind: the planner's discs, and what becomes of the emptiest of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from odarchive import plan
from odarchive.catalogue import plans, seals
from odarchive.errors import MediumTooSmall
from odarchive.image import costs, ondisc
from odarchive.media import Medium
from odarchive.plan import Columns, Part, Run, Shape, Stream
from odarchive.planning.tree import Tree
from odarchive.planning.wish import Wish
from odarchive.seal.sizes import room


@dataclass(frozen=True, slots=True)
class Spread:
    """One disc to be: its kind, what gives what is on it, an upper bound of the bytes of its image."""

    medium: Medium
    listed: Callable[[], Iterable[Part]]
    bound: int

    def parts(self) -> list[Part]:
        """What is on it; made anew each time, for a million of them are not kept."""
        return list(self.listed())


class Shapes:
    """What discs of each kind have room for."""

    def __init__(self, connection: Connection, wish: Wish) -> None:
        self._totals, self._wish = plans.totals(connection), wish
        self._recipients = len(seals.recipients(connection))
        self.per_content = costs.sealed_cost(self._recipients) if self._recipients else 0
        """Bytes each content costs more because it is encrypted."""

    def catalogue(self, medium: Medium) -> int:
        """Bytes kept free on each disc for the catalogue of the whole archive."""
        totals, usable = self._totals, self._wish.usable(medium)
        return costs.catalogue_reserve(totals.entries, totals.name_bytes, totals.contents, usable)

    def of(self, medium: Medium) -> Shape:
        """The shape of a disc.

        Raises:
            MediumTooSmall: it has no room for files.
        """
        texts = ondisc.fixed_bytes(sealed=self._recipients > 0)
        spare, usable = 0, self._wish.usable(medium)
        if self._recipients:
            texts += costs.sealed_texts(self._recipients)
            spare = usable - room(usable)
        fixed = costs.fixed_cost(texts, self.catalogue(medium)) + spare
        shape = Shape(medium.usable, fixed, self._wish.reserved(medium))
        if shape.room <= 0:
            raise MediumTooSmall(
                f"a medium of {medium.capacity} bytes is too small: {fixed + shape.reserve} bytes of each disc "
                "describe the disc itself or are reserved; name a larger medium"
            )
        return shape


def spread(tree: Tree, medium: Medium, wish: Wish, shapes: Shapes) -> tuple[list[Spread], int]:
    """The discs for a tree, and how many bytes wait because a last disc would not be full enough.

    Raises:
        MediumTooSmall: a disc of the medium cannot hold a file's names.
    """
    discs = _planned(tree.columns, medium, shapes, tree.ends)
    if not discs:
        return [], 0
    emptiest = min(range(len(discs)), key=lambda place: (discs[place].bound, -place))
    rest = [discs.pop(emptiest)]
    instead = _elsewhere(tree.columns, rest[0], wish, shapes)
    waiting = 0
    last = instead[-1]
    if last.bound < wish.least_fill * wish.usable(last.medium):
        waiting = sum(part.length for part in last.parts())
        instead = instead[:-1]
    at = emptiest if wish.first else len(discs)
    return [*discs[:at], *instead, *discs[at:]], waiting


def _planned(columns: Columns, medium: Medium, shapes: Shapes, ends: Sequence[int] = ()) -> list[Spread]:
    stream, shape = Stream(columns), shapes.of(medium)
    found = plan.plan(stream, shape, ends)
    return [Spread(medium, partial(_listed, stream, disc.runs), disc.bytes - shape.reserve) for disc in found]


def _listed(stream: Stream, runs: Sequence[Run]) -> Iterator[Part]:
    for run in runs:
        yield from stream.parts(run)


def _elsewhere(columns: Columns, rest: Spread, wish: Wish, shapes: Shapes) -> list[Spread]:
    """What is on the emptiest disc on discs of another kind, if that takes less of them or costs less."""
    best = [rest]
    priced = all(medium.name in wish.prices for medium in (rest.medium, *wish.others))

    def cost(discs: Sequence[Spread]) -> float:
        if priced:
            return sum(wish.prices[disc.medium.name] for disc in discs)
        return sum(disc.medium.capacity for disc in discs)

    parts = rest.parts() if wish.others else []
    for medium in wish.others:
        try:
            discs = _planned(columns.only(parts), medium, shapes)
        except MediumTooSmall:
            continue
        discs = [replace(disc, listed=partial(_again, parts, disc.parts())) for disc in discs]
        discs.sort(key=lambda disc: -disc.bound)
        best = min(best, discs, key=cost)
    return best


def _again(parts: Sequence[Part], of: Sequence[Part]) -> Iterator[Part]:
    """Parts of parts as parts of the items."""
    for part in of:
        whole = parts[part.item]
        yield Part(whole.item, whole.start + part.start, part.length)
