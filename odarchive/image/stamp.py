"""Giving an image the identity of one burn attempt: the fields of the volume, and ``disc_info.json``.

An image can be laid out with an identity, or a finished one is given another in place; both give the same bytes.
Nothing else changes, so every file keeps its bytes and sectors. Doing it twice is the same as once.

The recording time is the plan's, moved on by less than a minute chosen by the disc's uuid: tools that tell ISO 9660
volumes by their time (libblkid, to 1/100 s) then tell copies of one image from each other.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odarchive.errors import DamageFound
from odarchive.image import bridge, udf
from odarchive.image.identity import NO_DISC, DiscIdentity, parse_identity
from odarchive.image.ondisc import DISC_INFO, pad_json
from odarchive.model import SECTOR

_HUNDREDTH = 10_000_000
_SPREAD = 6000
"""Hundredths of a second in a minute."""


def udf_volume_set(identity: DiscIdentity) -> str:
    """The UDF volume set identifier: sixteen unique digits first (UDF 2.2.2.5): libblkid makes its UUID of them."""
    return f"{identity.disc.replace('-', '')[:16]} {identity.volume_set}"


def volume_identity(identity: DiscIdentity, created_ns: int) -> bridge.Identity:
    """The fields of the volume; ``created_ns`` counts to the second."""
    moved = 0 if identity.disc == NO_DISC else int(identity.disc.replace("-", ""), 16) % _SPREAD
    when = created_ns // 10**9 * 10**9 + moved * _HUNDREDTH
    return bridge.Identity(identity.label, udf_volume_set(identity), identity.volume_set, when)


def stamp(path: Path, identity: DiscIdentity) -> None:
    """Write the identity into the image; durable when it returns.

    Raises:
        DamageFound: the file is not an image of this archive's kind; nothing was changed.
        OSError: of reading or writing.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        sector, info = _info(path, descriptor)
        facts = _facts(path, info)
        created = datetime.fromisoformat(facts["date"]).replace(tzinfo=UTC)
        facts |= {"disc_id": identity.disc, "archive_id": identity.archive, "label": identity.label}
        fresh = pad_json(facts, len(info))
        bridge.stamp(descriptor, volume_identity(identity, round(created.timestamp()) * 10**9))
        os.pwrite(descriptor, fresh, sector * SECTOR)
        os.fsync(descriptor)
    except (bridge.BridgeError, ValueError) as error:
        raise DamageFound(f"{path} cannot be stamped: {error}; build the image again") from error
    finally:
        os.close(descriptor)


def _info(path: Path, descriptor: int) -> tuple[int, bytes]:
    """Sector and bytes of ``disc_info.json``."""

    def read(sector: int, size: int) -> bytes:
        return os.pread(descriptor, size, sector * SECTOR)

    try:
        found = udf.root_file(read, udf.volume(read), DISC_INFO)
    except udf.NotUdf as error:
        raise DamageFound(f"{path} cannot be stamped: {error}; build the image again") from error
    if parse_identity(read(16, SECTOR)) is None or found is None:
        raise DamageFound(f"{path} cannot be stamped: it is no image of an archive; build the image again")
    sector, size = found
    return sector, read(sector, size)


def _facts(path: Path, info: bytes) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(info)
        datetime.fromisoformat(facts["date"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamageFound(f"{path} cannot be stamped: its {DISC_INFO} is damaged; build the image again") from error
    return facts
