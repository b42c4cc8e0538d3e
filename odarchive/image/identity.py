"""Who a disc says it is, read from one sector. Pure.

The ISO 9660 primary volume descriptor (sector 16, ECMA-119 8.4) holds everything: the volume set identifier is
``ODARCHIVE <archive uuid> <disc uuid>``, the volume identifier is the label, the volume space size is the image's size.
Discs come from anywhere: any bytes are taken, and what is not ours is None, never an exception.
"""

import re
import struct
from dataclasses import dataclass

from odarchive.model import SECTOR

PVD_SECTOR = 16
LABEL_AT, LABEL_SIZE = 40, 32
SPACE_AT = 80
SET_AT, SET_SIZE = 190, 128

NO_DISC = "00000000-0000-0000-0000-000000000000"
"""Disc uuid in an image that is not stamped yet."""

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SET = re.compile(f"ODARCHIVE ({_UUID}) ({_UUID}) *", re.ASCII)
_LABEL = re.compile("[A-Z0-9_]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DiscIdentity:
    """What a disc carries to be told from all others; ``image_size`` in bytes (0: unknown, when stamping)."""

    archive: str
    disc: str
    label: str
    image_size: int = 0

    def __post_init__(self) -> None:
        for value in (self.archive, self.disc):
            if re.fullmatch(_UUID, value) is None:
                raise ValueError(f"{value!r} is not a lower-case uuid")
        if not is_label(self.label):
            raise ValueError(f"{self.label!r} is not a volume label: 1 to 32 of A-Z, 0-9 and _")

    @property
    def volume_set(self) -> str:
        """The volume set identifier of ISO 9660 and UDF."""
        return f"ODARCHIVE {self.archive} {self.disc}"


def is_label(text: str) -> bool:
    """Whether every file system takes it as a volume label."""
    return _LABEL.fullmatch(text) is not None


def parse_identity(sectors: bytes) -> DiscIdentity | None:
    """The identity in the sectors from sector 16 on (one is enough); None: not a disc of any archive."""
    if len(sectors) < SECTOR or sectors[:7] != b"\x01CD001\x01":
        return None
    little, big = struct.unpack_from("<I", sectors, SPACE_AT)[0], struct.unpack_from(">I", sectors, SPACE_AT + 4)[0]
    found = _SET.fullmatch(sectors[SET_AT : SET_AT + SET_SIZE].decode("latin-1"))
    label = sectors[LABEL_AT : LABEL_AT + LABEL_SIZE].decode("latin-1").rstrip(" ")
    if found is None or not is_label(label) or little != big or little == 0:
        return None
    return DiscIdentity(found[1], found[2], label, little * SECTOR)
