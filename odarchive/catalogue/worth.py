"""What discs are still good for: how much of each segment somebody may still want.

*present*: bytes of contents that a present name has. *kept*: those that only versions in snapshots that are not
forgotten have. The rest is dead. Names do not count, bytes of pieces do. Reads every entry once.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

from dataclasses import dataclass

from sqlalchemy import Connection, text

from odarchive.catalogue.entries import COMPLETE, CURRENT, INCOMPLETE
from odarchive.model import SegmentId, SegmentState


@dataclass(frozen=True, slots=True)
class Worth:
    """One segment. Sizes in bytes; ``discs``: labels of its verified discs with their slots, None: unknown."""

    segment: SegmentId
    label: str
    state: SegmentState
    payload: int
    present: int
    kept: int
    discs: tuple[tuple[str, int | None], ...]

    @property
    def dead(self) -> int:
        """Bytes that nobody can ask for any more."""
        return self.payload - self.present - self.kept

    @property
    def living(self) -> float:
        """Share of present and kept bytes, 0 to 1."""
        return (self.present + self.kept) / self.payload if self.payload else 0.0


_KEPT = (
    "EXISTS (SELECT 1 FROM snapshot WHERE source = (SELECT source FROM snapshot AS own WHERE own.id = entry.since)"
    f" AND id >= entry.since AND (entry.until IS NULL OR id < entry.until OR entry.until IN {INCOMPLETE})"
    " AND state = 'complete' AND forgotten_ns IS NULL)"
)


def worth(connection: Connection) -> list[Worth]:
    """Every segment that has pieces, the least living first."""
    for statement in (
        "CREATE TEMP TABLE IF NOT EXISTS wanted (id INTEGER PRIMARY KEY, present)",
        "DELETE FROM temp.wanted",
        f"INSERT OR IGNORE INTO temp.wanted SELECT content, 1 FROM entry WHERE content IS NOT NULL AND {CURRENT}",
        "INSERT OR IGNORE INTO temp.wanted SELECT content, 0 FROM entry"
        f" WHERE content IS NOT NULL AND {COMPLETE} AND {_KEPT}",
    ):
        connection.execute(text(statement))
    rows = connection.execute(
        text(
            "SELECT segment.id, label, state, sum(length) AS payload,"
            " coalesce(sum(CASE WHEN present = 1 THEN length END), 0) AS present,"
            " coalesce(sum(CASE WHEN present = 0 THEN length END), 0) AS kept"
            " FROM segment JOIN piece ON piece.segment = segment.id LEFT JOIN temp.wanted ON wanted.id = piece.content"
            " GROUP BY segment.id"
        )
    ).all()
    discs: dict[int, list[tuple[str, int | None]]] = {}
    for row in connection.execute(
        text(
            "SELECT disc.segment, disc.label, slot.number FROM disc LEFT JOIN slot ON slot.disc = disc.id"
            " WHERE disc.state = 'verified' ORDER BY disc.id"
        )
    ):
        discs.setdefault(row[0], []).append((row[1], row[2]))
    found = [
        Worth(SegmentId(row[0]), row[1], SegmentState(row[2]), row[3], row[4], row[5], tuple(discs.get(row[0], [])))
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.living, one.segment))
