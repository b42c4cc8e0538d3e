"""What a medium holds: names people use (``bd``, ``dvd``) and sizes (``25GB``) become bytes. Pure.

Capacities come from the medium tables of dvdisaster and libburn, in sectors of 2,048 bytes. A blank's own answer, asked
at burn time, is the truth; this table serves planning, so it takes the least of the common variants of a medium.
Not for talking to drives.
"""

import re
from dataclasses import dataclass

from odarchive.errors import MediumTooSmall, OdarchiveError
from odarchive.model import SECTOR

BURN_UNIT = 32 * SECTOR
"""Images are multiples of 32 sectors: the ECC block of Blu-ray, two of DVD."""


@dataclass(frozen=True, slots=True)
class Medium:
    """One kind of disc.

    ``capacity`` is without spare area (burned unformatted, without defect management); ``managed`` is what is left when
    the drive formats the blank with its default spare area, and equals ``capacity`` where there is no such thing.
    """

    name: str
    capacity: int
    managed: int

    @property
    def formatted(self) -> "Medium":
        """The same with what is left beside the spare area, if it has one."""
        return Medium(self.name, self.managed, self.managed)

    @property
    def rate(self) -> int:
        """Bytes a second at which such discs are usually burned, mean over the disc; an estimate for planning."""
        return _RATES.get(self.name.split("-", maxsplit=1)[0], _RATES["bd"])

    @property
    def usable(self) -> int:
        """The largest image for it."""
        return self.capacity // BURN_UNIT * BURN_UNIT


_RATES = {"cd": 5_000_000, "dvd": 13_000_000, "bd": 24_000_000}
"""CD at 40x and DVD at 16x reach a good half of that at the inner edge; BD at 6x without the checks of management."""

_TABLE = (
    Medium("cd", 359_844 * SECTOR, 359_844 * SECTOR),  # 79:59:69, the common blank; 80 minutes nominal are 360,000
    Medium("dvd", 2_295_104 * SECTOR, 2_295_104 * SECTOR),  # DVD+R; DVD-R holds 3,392 sectors more
    Medium("dvd-dl", 4_171_712 * SECTOR, 4_171_712 * SECTOR),  # DVD-R DL; DVD+R DL holds 2,112 more
    Medium("bd", 12_219_392 * SECTOR, 11_826_176 * SECTOR),
    Medium("bd-dl", 24_438_784 * SECTOR, 23_652_352 * SECTOR),
    Medium("bd-xl", 48_878_592 * SECTOR, 47_305_728 * SECTOR),
    Medium("bd-xx", 62_500_864 * SECTOR, 60_403_712 * SECTOR),
)
MEDIA = {medium.name: medium for medium in _TABLE}
MANAGED = "-managed"
"""Ending of a name: formatted with the spare area of defect management, as drives do by default (Blu-ray only)."""
_ALIASES = {"bluray": "bd", "blu-ray": "bd", "bd-25": "bd", "bd-50": "bd-dl", "bd-100": "bd-xl", "bd-128": "bd-xx"}

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.ASCII)


def parse_medium(text: str) -> Medium:
    """The medium for a name or a size: ``bd``, ``25GB`` and ``60M`` (decimal), ``25GiB`` (binary), plain bytes.

    ``bd-managed`` is a ``bd`` with what is left of it beside the spare area of defect management.

    Raises:
        OdarchiveError: it is neither.
        MediumTooSmall: it is a size below one burn unit (65,536 bytes).
    """
    word = text.strip().lower()
    name = _ALIASES.get(word, word)
    if name in MEDIA:
        return MEDIA[name]
    plain = word.removesuffix(MANAGED)
    if plain != word and (medium := MEDIA.get(_ALIASES.get(plain, plain))):
        if medium.managed == medium.capacity:
            raise OdarchiveError(f"{text!r}: {medium.name} has no spare area; write {medium.name}")
        return medium.formatted
    capacity = _bytes(word)
    if capacity is None:
        names = ", ".join(MEDIA)
        raise OdarchiveError(
            f"{text!r} is neither a medium ({names}) nor a size; write for example bd, 25GB, 25GiB or 60MB"
        )
    if capacity < BURN_UNIT:
        raise MediumTooSmall(f"{text!r} is {capacity} bytes, less than one block of a disc; name a larger medium")
    return Medium(str(capacity), capacity, capacity)


def parse_size(text: str) -> int:
    """Bytes: ``25GB`` and ``60M`` (decimal), ``25GiB`` (binary), or plain.

    Raises:
        OdarchiveError: it is no size.
    """
    size = _bytes(text.strip().lower())
    if size is None:
        raise OdarchiveError(f"{text!r} is no size; write for example 4096, 60MB or 25GiB")
    return size


def _bytes(word: str) -> int | None:
    match = _SIZE.fullmatch(word)
    if match is None or (match["binary"] and not match["unit"]):
        return None
    return _scaled(match["number"], (1024 if match["binary"] else 1000) ** _UNITS[match["unit"]])


def _scaled(number: str, unit: int) -> int:
    """Exact: floats lose bytes above 2**53."""
    whole, _, fraction = number.partition(".")
    return int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
