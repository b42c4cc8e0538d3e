"""Giving an image the identity of one burn attempt, in place.

Rewritten: volume identifier and volume set identifier of ISO 9660; volume, volume set and logical volume identifiers
of UDF in the main sequence, the reserve sequence and the file set, with their CRCs and checksums; ``disc_info.json``.
Nothing else changes, so every file keeps its bytes and sectors. Doing it twice is the same as once.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from odarchive.errors import DamageFound
from odarchive.image import udf
from odarchive.image.identity import LABEL_AT, LABEL_SIZE, PVD_SECTOR, SET_AT, DiscIdentity
from odarchive.image.ondisc import DISC_INFO, pad_json
from odarchive.model import SECTOR

_UDF_FIELDS = {
    udf.TAG_PVD: ((24, 32, "label"), (72, 128, "set")),
    udf.TAG_IMPLEMENTATION: ((116, 128, "label"),),
    udf.TAG_LOGICAL: ((84, 128, "label"),),
    udf.TAG_FILE_SET: ((112, 128, "label"), (304, 32, "label")),
}
"""Offset, size and meaning of the strings in each descriptor (ECMA-167 3/10.1, 3/10.4, 3/10.6, 4/14.1)."""


def stamp(path: Path, identity: DiscIdentity) -> None:
    """Write the identity into the image; durable when it returns.

    Raises:
        DamageFound: the file is not an image of this archive's kind; nothing was changed.
        OSError: of reading or writing.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        for offset, data in list(_changes(path, descriptor, identity)):
            os.pwrite(descriptor, data, offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def udf_volume_set(identity: DiscIdentity) -> str:
    """The UDF volume set identifier: sixteen unique digits first (UDF 2.2.2.5): libblkid makes its UUID of them."""
    return f"{identity.disc.replace('-', '')[:16]} {identity.volume_set}"


def _changes(path: Path, descriptor: int, identity: DiscIdentity) -> Iterator[tuple[int, bytes]]:
    def read(sector: int, size: int) -> bytes:
        return os.pread(descriptor, size, sector * SECTOR)

    try:
        volume = udf.volume(read)
        info = udf.root_file(read, volume, DISC_INFO)
    except udf.NotUdf as error:
        raise DamageFound(f"{path} cannot be stamped: {error}; build the image again") from error
    if read(PVD_SECTOR, 6) != b"\x01CD001" or info is None:
        raise DamageFound(f"{path} cannot be stamped: it is no image of an archive; build the image again")
    start = PVD_SECTOR * SECTOR
    yield start + LABEL_AT, identity.label.encode().ljust(LABEL_SIZE)
    yield start + SET_AT, identity.volume_set.encode().ljust(128)
    for found in (*volume.sequences, volume.file_set):
        yield found.sector * SECTOR, _renamed(found, identity)
    sector, size = info
    yield sector * SECTOR, _restamped(path, read(sector, size), identity)


def _renamed(found: udf.Descriptor, identity: DiscIdentity) -> bytes:
    words = {"label": identity.label, "set": udf_volume_set(identity)}
    data = bytearray(found.data)
    for at, size, word in _UDF_FIELDS.get(found.tag, ()):
        data[at : at + size] = udf.dstring(words[word][: size - 2], size)
    return udf.sealed(bytes(data))


def _restamped(path: Path, info: bytes, identity: DiscIdentity) -> bytes:
    try:
        facts = json.loads(info)
        facts |= {"disc_id": identity.disc, "archive_id": identity.archive, "label": identity.label}
        return pad_json(facts, len(info))
    except (ValueError, TypeError) as error:
        raise DamageFound(f"{path} cannot be stamped: its {DISC_INFO} is damaged; build the image again") from error
