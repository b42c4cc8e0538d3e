"""What may be asked of a plan beside the medium. Values, no behaviour beyond arithmetic."""

from dataclasses import dataclass

from odarchive.config import Config
from odarchive.correction.room import Ecc, parse_ecc
from odarchive.media import BURN_UNIT, Medium


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
    ecc: Ecc | None = None
    """Error correction behind each image; its room is kept free beside the reserve."""

    @classmethod
    def of(cls, config: Config, *, ecc: str | None = None) -> "Wish":
        """What the archive's configuration asks for, unless a command says otherwise.

        Raises:
            OdarchiveError: it is not to be understood.
        """
        return cls(ecc=parse_ecc(config.ecc if ecc is None else ecc))

    def reserved(self, medium: Medium) -> int:
        """Bytes of a medium that no image gets.

        Raises:
            MediumTooSmall: error correction alone leaves none.
        """
        correction = 0 if self.ecc is None else medium.usable - self.ecc.room(medium)
        return self.reserve.of(medium) + correction
