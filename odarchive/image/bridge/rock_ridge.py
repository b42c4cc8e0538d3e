"""Rock Ridge and SUSP fields: attributes, names, symlink targets, and the areas where they continue. Pure.

Not for the directory records around them (`isodir`).

Facts: SUSP 1.12 (SP, CE, ER), RRIP 1.12 (PX of 44 bytes with a file serial number, TF, NM, SL). Every inode has its own
serial number and the names of a hard link share it: libarchive takes equal numbers for hard links. TF holds the
modification time in 7 bytes. Readers' limits: xorriso refuses an image with a symlink target over 1,023 bytes, isoinfo
crashes on it; Linux and libarchive read 4,095. A continuation area stays inside one sector, or Linux
(fs/isofs/rock.c) drops it.
"""

from collections.abc import Iterator

from odarchive.image.bridge.iso_volume import both32
from odarchive.image.bridge.sectors import SECTOR

SP = b"SP\7\1\xbe\xef\0"
PX_BYTES, TF_BYTES, CE_BYTES = 44, 12, 28
ATTRIBUTE_BYTES = PX_BYTES + TF_BYTES
TF_HEAD = b"TF\x0c\1\2"  # flag bit 1: modification time only
_FIELD = 250  # payload of an NM or SL field: 255 less its 5-byte head
_CONTINUE, _CURRENT, _PARENT, _ROOT = 1, 2, 4, 8
_JOINT = bytes((_CONTINUE, 0))  # an empty component that is continued
_COMPONENT = _FIELD - len(_JOINT) - 2  # payload of one SL component


def px_head(mode: int, links: int, uid: int, gid: int) -> bytes:
    """PX up to the serial number, which is `both32` of it; ``mode`` holds the file type bits too."""
    return b"PX\x2c\1" + both32(mode) + both32(links) + both32(uid) + both32(gid)


def extension_reference() -> bytes:
    """The ER field that says Rock Ridge 1.12; it lies in the continuation area of the root's first record."""
    name = b"IEEE_P1282"
    what = b"THE IEEE P1282 PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
    where = b"PLEASE CONTACT THE IEEE STANDARDS DEPARTMENT, PISCATAWAY, NJ, USA FOR THE P1282 SPECIFICATION"
    body = bytes((len(name), len(what), len(where), 1)) + name + what + where
    return b"ER" + bytes((4 + len(body), 1)) + body


def name_fields(name: bytes) -> list[bytes]:
    """NM fields; names over 250 bytes take two."""
    return _fields(b"NM", [name[i : i + _FIELD] for i in range(0, len(name), _FIELD)])


def target_fields(target: bytes) -> list[bytes]:
    """SL fields of a symlink's target; double and trailing slashes are lost, as the format has no place for them.

    Linux puts a slash between the last component of a field and the first of the next, libarchive does not. So every
    field ends in a continued component, an empty one where need be: both then read the slash that stands before it.
    """
    chunks, room = [b""], _FIELD - len(_JOINT)
    last = b""
    for component in _components(target):
        if len(component) > room:
            joined = last[:1] in {bytes((_CONTINUE,)), bytes((_ROOT,))}
            chunks[-1] += b"" if joined else _JOINT
            chunks.append(b"")
            room = _FIELD - len(_JOINT)
        chunks[-1] += component
        room -= len(component)
        last = component
    return _fields(b"SL", chunks)


def target_survives(target: bytes) -> bool:
    """Whether the target reads back as it was: no empty components."""
    return b"//" not in target and (target == b"/" or not target.endswith(b"/"))


def _fields(signature: bytes, chunks: list[bytes]) -> list[bytes]:
    last = len(chunks) - 1
    return [signature + bytes((5 + len(c), 1, i < last)) + c for i, c in enumerate(chunks)]


def _components(target: bytes) -> Iterator[bytes]:
    if target.startswith(b"/"):
        yield bytes((_ROOT, 0))
    for part in target.split(b"/"):
        if part == b".":
            yield bytes((_CURRENT, 0))
        elif part == b"..":
            yield bytes((_PARENT, 0))
        else:
            for i in range(0, len(part), _COMPONENT):
                piece = part[i : i + _COMPONENT]
                yield bytes((_CONTINUE if i + _COMPONENT < len(part) else 0, len(piece))) + piece


class ContinuationArea:
    """The sectors behind a directory where its long fields continue; filled front to back, never searched."""

    def __init__(self, first_sector: int) -> None:
        self._first = first_sector
        self._blocks: list[bytearray] = []

    @property
    def sectors(self) -> int:
        """Sectors used so far."""
        return len(self._blocks)

    def add(self, fields: list[bytes]) -> bytes:
        """Store fields; answers the CE field that leads to them, by way of further CE fields where they are many."""
        groups = _groups(fields)
        if not self._blocks or len(groups) > 1 or len(self._blocks[-1]) + len(groups[0]) > SECTOR:
            self._blocks.append(bytearray())
        pointers = [self._pointer(0, len(self._blocks[-1]), groups[0], chained=len(groups) > 1)]
        pointers += [self._pointer(i, 0, g, chained=i < len(groups) - 1) for i, g in enumerate(groups) if i]
        self._blocks[-1] += groups[0] + b"".join(pointers[1:2])
        for i in range(1, len(groups)):
            self._blocks.append(bytearray(groups[i] + b"".join(pointers[i + 1 : i + 2])))
        return pointers[0]

    def data(self) -> bytes:
        """All sectors."""
        return b"".join(bytes(b).ljust(SECTOR, b"\0") for b in self._blocks)

    def _pointer(self, block: int, offset: int, group: bytes, *, chained: bool) -> bytes:
        sector = self._first + len(self._blocks) - 1 + block
        return b"CE\x1c\1" + both32(sector) + both32(offset) + both32(len(group) + CE_BYTES * chained)


def _groups(fields: list[bytes]) -> list[bytes]:
    """Fields joined to pieces of one sector each, with room for a CE in all but the last."""
    if sum(map(len, fields)) <= SECTOR:
        return [b"".join(fields)]
    groups = [b""]
    for field in fields:
        if len(groups[-1]) + len(field) > SECTOR - CE_BYTES:
            groups.append(b"")
        groups[-1] += field
    return groups
