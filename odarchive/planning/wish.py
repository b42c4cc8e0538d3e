"""What may be asked of a plan beside the medium. Values, no behaviour beyond arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from odarchive.correction.room import Ecc
from odarchive.errors import MediumTooSmall
from odarchive.media import BURN_UNIT, Medium
from odarchive.parity.layout import room


@dataclass(frozen=True, slots=True)
class Reserve:
    """Room that stays free on every disc behind its image, for error correction: a share of the medium and bytes.

    The image of a segment is planned for what is left, so that what is put behind it later fits the medium.
    """

    share: float = 0.0
    """0.2: a fifth of the medium."""
    bytes: int = 0

    def of(self, medium: Medium) -> int:
        """Bytes of a medium, in whole burn units."""
        return -(-(int(medium.usable * self.share) + self.bytes) // BURN_UNIT) * BURN_UNIT

    def usable(self, medium: Medium) -> int:
        """Bytes of a medium that are left for the image."""
        return medium.usable - self.of(medium)


@dataclass(frozen=True, slots=True)
class Wish:
    """How to plan."""

    reserve: Reserve = Reserve()
    others: tuple[Medium, ...] = ()
    """Kinds of discs for what is left over and does not fill one of the first kind."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """Of one disc by name of the medium: what is left over goes where it costs least; without prices, by capacity."""
    first: tuple[str, ...] = ()
    """What is to be on the earliest discs, by importance: paths (``photos/2023/``) or patterns (``*.raw``)."""
    least_fill: float = 0.0
    """A last disc filled less than this share of it is not planned yet; what would be on it waits for more."""
    copies: int | None = None
    """Verified discs wanted of each segment; None: as many as ``archive.toml`` says."""
    places: int | None = None
    """In how many places these are to lie."""
    ecc: Ecc | None = None
    """Error correction behind each image; its room is kept free beside the reserve."""
    parity: tuple[int, int] | None = None
    """Data and parity discs of the sets that segments are put into; images are so small that parity discs fit too."""

    def usable(self, medium: Medium) -> int:
        """Bytes of a medium that are left for the image.

        Raises:
            MediumTooSmall: error correction and parity leave none.
        """
        return medium.usable - self.reserved(medium)

    def reserved(self, medium: Medium) -> int:
        """Bytes of a medium that no image gets."""
        usable = medium.usable if self.ecc is None else self.ecc.room(medium)
        if self.parity is not None:
            usable = room(*self.parity, usable) // BURN_UNIT * BURN_UNIT
        if usable <= 0:
            raise MediumTooSmall(f"a medium of {medium.capacity} bytes is too small for what parity discs need")
        return self.reserve.of(medium) + medium.usable - usable
