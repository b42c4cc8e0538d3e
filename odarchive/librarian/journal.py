"""The jukebox's motion journal, kept in the catalogue (``robot.ports.MotionJournal``)."""

from collections.abc import Sequence

from odarchive.catalogue import motions
from odarchive.catalogue.database import Catalogue
from odarchive.librarian.workroom import Blocking, Clock
from robot.ports import Element, ElementKind, Motion, MotionId, MotionOutcome


class CatalogueJournal:
    """Each call is one durable transaction; it has hit the disk when it returns."""

    def __init__(self, catalogue: Catalogue, database: Blocking, now_ns: Clock) -> None:
        self._catalogue = catalogue
        self._database = database
        self._now_ns = now_ns

    async def intend(self, source: Element, destination: Element) -> MotionId:
        """See the port."""

        def transaction() -> int:
            with self._catalogue.write() as connection:
                return motions.intend(connection, str(source), str(destination), now_ns=self._now_ns())

        return MotionId(await self._database(transaction))

    async def settle(self, motion: MotionId, outcome: MotionOutcome, evidence: str) -> None:
        """See the port."""

        def transaction() -> None:
            with self._catalogue.write() as connection:
                motions.settle(connection, motion, outcome.value, evidence, now_ns=self._now_ns())

        await self._database(transaction)

    async def open_motions(self) -> Sequence[Motion]:
        """See the port."""

        def view() -> Sequence[tuple[int, str, str]]:
            with self._catalogue.read() as connection:
                return motions.open_motions(connection)

        rows = await self._database(view)
        return [Motion(MotionId(row[0]), parse_element(row[1]), parse_element(row[2])) for row in rows]

    async def home(self, drive: Element) -> Element | None:
        """See the port."""

        def view() -> int | None:
            with self._catalogue.read() as connection:
                return motions.homes(connection).get(str(drive))

        number = await self._database(view)
        return None if number is None else Element(ElementKind.SLOT, number)


def parse_element(text: str) -> Element:
    """The element whose ``str()`` is ``text``."""
    kind, _, number = text.partition(" ")
    return Element(ElementKind(kind), int(number))
