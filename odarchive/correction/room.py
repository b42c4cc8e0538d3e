"""How much of a disc is error correction. Pure.

Source: dvdisaster 0.79, ``CalcRS03Layout`` and the codec's specification. A disc of N sectors has 255 layers of N / 255
sectors: data layers, which the image and a header of two sectors fill, one layer of checksums, and at least 8, at most
170 layers of parity. A sector of each layer makes one Reed-Solomon block, so as many sectors of a block may be lost as
there are parity layers. Redundancy is told as dvdisaster does: parity layers for each hundred of the others.
"""

import re
from dataclasses import dataclass

from odarchive.errors import MediumTooSmall, OdarchiveError
from odarchive.media import BURN_UNIT, Medium
from odarchive.model import SECTOR

LAYERS = 255
HEADER = 2
"""Sectors behind the image that describe the code."""
LEAST, MOST = 8, 170
"""Parity layers."""
AUTO_LEAST = 20.0
"""Percent that are always there when the free space decides: below, dvdisaster warns that there is too little."""


@dataclass(frozen=True, slots=True)
class Ecc:
    """What is asked for. ``fill``: all that an image leaves free of the medium; else ``percent``, or a bit more."""

    percent: float
    fill: bool

    @property
    def parity(self) -> int:
        """The least number of parity layers."""
        exact = LAYERS * self.percent / (100 + self.percent)
        return min(max(-int(-exact // 1), LEAST), MOST)

    def room(self, medium: Medium) -> int:
        """Bytes of a medium that are left for the image.

        Raises:
            MediumTooSmall: there are none.
        """
        layer = medium.usable // SECTOR // LAYERS
        room = ((LAYERS - 1 - self.parity) * layer - HEADER) * SECTOR // BURN_UNIT * BURN_UNIT
        if room <= 0:
            raise MediumTooSmall(f"a medium of {medium.capacity} bytes is too small for error correction")
        return room

    def disc_size(self, image: int, medium: Medium) -> int:
        """Bytes of the disc that carries an image of ``image`` bytes, in burn units."""
        layer = medium.usable // SECTOR // LAYERS
        if not self.fill:
            layer = min(layer, -(-(image // SECTOR + HEADER) // (LAYERS - 1 - self.parity)))
        return -(-LAYERS * layer * SECTOR // BURN_UNIT) * BURN_UNIT


def layers(image: int, disc: int) -> int:
    """How many parity layers an image of ``image`` bytes gets on a disc of ``disc`` bytes."""
    layer = disc // SECTOR // LAYERS
    return min(LAYERS - 1 - -(-(image // SECTOR + HEADER) // layer), MOST)


def coded(disc: int) -> int:
    """Bytes of a disc that the code covers: whole layers; what is behind them fills the last burn unit."""
    return disc // SECTOR // LAYERS * LAYERS * SECTOR


def parse_ecc(text: str) -> Ecc | None:
    """``auto``, a percentage such as ``15%``, or ``none``.

    Raises:
        OdarchiveError: it is none of these, or out of the range of the code.
    """
    if text == "none":
        return None
    if text == "auto":
        return Ecc(AUTO_LEAST, fill=True)
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9])?) ?%", text, re.ASCII)
    if match is None or not 3.3 <= float(match[1]) <= 200:
        raise OdarchiveError(f"--ecc {text!r}: write auto, none, or a redundancy from 3.3% to 200%, such as 15%")
    return Ecc(float(match[1]), fill=False)
