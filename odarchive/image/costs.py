"""How many bytes things take on a disc: upper bounds, for packing; the plan's final size is the layout's. Arithmetic.

Sources: UDF 1.02 and ECMA-167 (a File Entry is a sector; a File Identifier Descriptor is 38 bytes, the identifier,
padded to 4), ECMA-119 and Rock Ridge (`bridge.isodir`: a record holds up to 254 bytes and does not cross a sector, so
an eighth may be lost; a long name is continued in another sector). On top come the lines each thing has in the texts of
``ondisc``; tests hold these bounds against built images.
"""

from dataclasses import dataclass

from odarchive.chunks import CHUNK_DIGEST
from odarchive.image.bridge.sectors import BLOCK_SECTORS, FILE_SET_BLOCKS, PARTITION, TAIL_ANCHORS
from odarchive.image.names import LONGEST_STORED, identifier_size, readable_size
from odarchive.model import SECTOR
from odarchive.seal.sizes import per_file

_FID = 38 + 3
_RECORD, _LONGEST_RECORD, _INLINE_NAME = 106, 254, 149
"""A record without its name, the longest one, and the longest name in a record."""
_CONTINUED = SECTOR + 300
"""A continued name, and the sector that continuations may need."""
_TARGET_FIELDS = 3
"""Bytes of symlink fields per byte of target at most, the rounding to fields and sectors aside."""
_ISO_PATH_TABLE = 2 * 16
_ISO_CHUNK = 0xFFFFF800
"""Larger files take several ISO 9660 records."""

_CATALOGUE_NAME = 32
_CATALOGUE_CONTENT, _CATALOGUE_PART = 350, 160
_CATALOGUE_CHUNKS = 40
_SUM_LINE = 70
_ENTRY_LINE = 340
"""Fixed bytes of a line in catalogue.json (per name, per content), SHA256SUMS and the entry list."""

_SYSTEM_SECTORS = PARTITION + FILE_SET_BLOCKS + TAIL_ANCHORS + BLOCK_SECTORS
"""Up to the anchor, the file set, the last anchors, the fill to a multiple of 32 sectors."""
_OWN_SECTORS = 4 * 4 + 8 + 16
"""Own directories (two views), path tables (rounded), File Entries and last sectors of the own files."""
_PART_SUFFIX = 19
_NUMBERED = 3 * 40
"""The path of a numbered file in three texts; the folders of a thousand of them come with it."""
_ESCAPED = bytes([*range(32), *b'"\\', *range(127, 256)])


@dataclass(frozen=True, slots=True)
class PathCost:
    """How long the path of a directory is, in the two spellings that the texts on the disc use."""

    readable: int
    escaped: int

    def join(self, name: bytes) -> "PathCost":
        """The same one level deeper."""
        return PathCost(self.readable + 1 + readable_size(name), self.escaped + 1 + escaped_size(name))


ROOT = PathCost(len("/DATA"), 0)


def escaped_size(name: bytes) -> int:
    """Upper bound of the bytes of a name in ASCII-only JSON."""
    plain = len(name.translate(None, _ESCAPED))
    return plain + 6 * (len(name) - plain)


def name_cost(path: PathCost, name: bytes) -> int:
    """Bytes of one name of a file: both directories and all texts; room for the suffix of a part included."""
    full = path.join(name)
    identifier = min(identifier_size(name) + 2 * _PART_SUFFIX, 255)
    texts = _CATALOGUE_NAME + _SUM_LINE + _ENTRY_LINE + 3 * (full.readable + _PART_SUFFIX) + full.escaped
    return _FID + identifier + _record(len(name) + _PART_SUFFIX) + texts


def link_cost(path: PathCost, name: bytes, target: bytes) -> int:
    """Bytes of a symlink: its line in the entry list, its record, its File Entry where UDF shows it."""
    line = _ENTRY_LINE + path.join(name).escaped + escaped_size(target)
    views = SECTOR + _FID + identifier_size(name) + _record(LONGEST_STORED) + _TARGET_FIELDS * len(target)
    return line + views


def inode_cost() -> int:
    """Bytes of each further file that shares the data of another."""
    return SECTOR


def _record(name: int) -> int:
    """Upper bound of the bytes of a record for a name of this length, with what is lost at the ends of sectors."""
    length = _RECORD + name if name <= _INLINE_NAME else _LONGEST_RECORD + _CONTINUED
    return length * 8 // 7 + 1


def content_cost() -> int:
    """Bytes of a file, or of a part of one, beside its data, its names and what grows with its size (`PER_MIB`)."""
    chunks = _CATALOGUE_CHUNKS + 2 * 2 * CHUNK_DIGEST  # of the first and the last one, begun elsewhere
    return SECTOR + _CATALOGUE_CONTENT + _CATALOGUE_PART + chunks


PER_MIB = 2 * CHUNK_DIGEST + -(-_record(_INLINE_NAME) // (_ISO_CHUNK >> 20))
"""Bytes for each begun MiB of a file's data: a chunk's digest in hexadecimal, its share of further records."""


def sealed_cost(recipients: int) -> int:
    """What a content costs more if it is encrypted: header, tag, its line in both catalogues, its numbered name."""
    return per_file(recipients) + _CATALOGUE_CONTENT + _SUM_LINE + _NUMBERED


def sealed_texts(recipients: int) -> int:
    """What the texts of an encrypted disc cost more than the same texts in plain."""
    return 3 * per_file(recipients)


def directory_cost(parent: PathCost, name: bytes) -> int:
    """Bytes of a directory without what is in it: its sectors in both views, its records in its parent."""
    sectors = 3 * SECTOR + 40 + 2 * _record(0)
    records = _FID + identifier_size(name) + _record(len(name)) + _ISO_PATH_TABLE
    full = parent.join(name)
    return sectors + records + _ENTRY_LINE + full.escaped + full.readable


def fixed_cost(texts: int, reserve: int) -> int:
    """Bytes of an image with nothing in it: ``texts`` bytes of own files always there, ``reserve`` for others."""
    return (_SYSTEM_SECTORS + _OWN_SECTORS) * SECTOR + texts + reserve


def catalogue_reserve(entries: int, name_bytes: int, contents: int, usable: int) -> int:
    """Room for the compressed catalogue of the whole archive; none where it would take more than a sixteenth.

    Measured: gzip leaves 45 to 70 bytes per content (32 of them the digest) and 20 to 40 per name.
    """
    wanted = 4 * SECTOR + 64 * entries + 96 * contents + name_bytes
    return wanted if wanted <= usable // 16 else 0
