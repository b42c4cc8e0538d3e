"""The layer of checksums, by which dvdisaster knows that a disc carries error correction. Pure.

Source: dvdisaster 0.79, ``CrcBlock``, ``rs03-recognize.c`` and ``rs03-fix.c``. Each of its sectors holds the CRC-32 of
the data sectors of one Reed-Solomon block, then the facts of the code, then a CRC-32 of itself. dvdisaster finds the
code by the header behind the image, which the image's own volume descriptor leads to, or by one of these sectors. What
stands in one it takes as true unless the sector is marked as unreadable: if the first of the layer is anything else it
looks no further, and by checksums that are none it gives a block up. So those that are damaged are to be marked.
"""

import struct
import zlib

from odarchive.correction.room import LAYERS, layers
from odarchive.model import SECTOR

_FACTS = struct.Struct("<12s4s4xiii16s16sQiii4xQ")
"""Cookie, method, flags, version of the maker and of who can read it, sector of the fingerprint, that and a sum of the
image, sectors of the image, bytes in the last of them, data and parity layers, sectors of a layer."""
_AT, _SUM_AT = 1024, 1120
"""Where the facts and the sector's own checksum stand."""
_COOKIE, _METHOD = b"*dvdisaster*", b"RS03"
_MADE_BY, _NEEDS, _FINGERPRINT_AT = 7905, 7900, 16
_NO_SUM = struct.pack("<I", 0x4C5047)
"""Stands for the sector's own checksum while that is taken."""


def sectors(image: int, disc: int) -> range:
    """Where the checksums of an image of ``image`` bytes stand on a disc of ``disc`` bytes."""
    layer = disc // SECTOR // LAYERS
    first = (LAYERS - 1 - layers(image, disc)) * layer
    return range(first, first + layer)


def is_right(sector: bytes) -> bool:
    """Whether a sector holds checksums and is as it was written."""
    return sector[_AT:].startswith(_COOKIE + _METHOD) and sector[_SUM_AT : _SUM_AT + 4] == _own_sum(sector)


def without_sums(image: int, disc: int) -> bytes:
    """A sector of the layer that has the facts alone: enough to be known by, and wrong in its place.

    Without the fingerprint of the image, which dvdisaster compares with nothing when it repairs.
    """
    parity = layers(image, disc)
    facts = (image // SECTOR, SECTOR, LAYERS - parity, parity, disc // SECTOR // LAYERS)
    text = _FACTS.pack(_COOKIE, _METHOD, _MADE_BY, _NEEDS, _FINGERPRINT_AT, bytes(16), bytes(16), *facts)
    sector = (bytes(_AT) + text).ljust(SECTOR, b"\0")
    return sector[:_SUM_AT] + _own_sum(sector) + sector[_SUM_AT + 4 :]


def _own_sum(sector: bytes) -> bytes:
    """Without the last complement that CRC-32 has elsewhere."""
    return struct.pack("<I", zlib.crc32(sector[:_SUM_AT] + _NO_SUM + sector[_SUM_AT + 4 :]) ^ 0xFFFFFFFF)
