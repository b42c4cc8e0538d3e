"""Error correction put onto an image, and an image made right with it, by dvdisaster's RS03.

dvdisaster is an independent program (GPL) and runs as one. The bytes of the image stay as they are; what comes behind
them fills the disc that was planned. Its exit status says little (a complete repair has ended with 1), so every result
is judged by digest.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from odarchive.correction.room import LAYERS, coded
from odarchive.digest import stream_digest
from odarchive.errors import DamageFound, OdarchiveError
from odarchive.model import SECTOR

PROGRAM = "dvdisaster"
LIMIT = 24 * 3600
"""Seconds no run takes longer than; a repair of 25 GB takes about one hour of processor time."""
_DEAD = (
    b"dvdisaster dead sector marker\nThis sector could not be read from the image.\n"
    b"Its contents have been substituted by the dvdisaster read routine.\n"
)
_DEAD_END = b"dvdisaster dead sector end marker\n\0\0"
UNREADABLE = _DEAD.ljust(SECTOR - len(_DEAD_END), b"\0") + _DEAD_END
"""How its own readers mark a sector that did not come (0.79, ``ds-marker.c``)."""


def augment(image: Path, size: int, digest: bytes, disc: int) -> None:
    """Put error correction behind the ``size`` bytes of an image, in place, so that it fills ``disc`` bytes.

    Raises:
        OdarchiveError: dvdisaster is not installed, or it put nothing onto the image.
        DamageFound: it changed the image itself.
    """
    os.truncate(image, size)
    _run("-i", image, "-mRS03", *_medium(disc), "-c")
    now = image.stat().st_size
    if now != coded(disc):
        raise OdarchiveError(
            f"{PROGRAM} put no error correction onto {image}: it has {now} bytes, not {coded(disc)}; plan this disc "
            "again with a larger medium or less redundancy"
        )
    os.truncate(image, disc)
    if _digest(image, size) != digest:
        raise DamageFound(f"{PROGRAM} changed the image {image} itself; it is not used")


def repair(image: Path, digest: bytes, disc: int, unreadable: Iterable[tuple[int, int]] = ()) -> bool:
    """Repair what was read of a disc, in place; True if its ``disc`` bytes are right now.

    Args:
        image: What was read; short is as good as unreadable.
        digest: BLAKE3 of the whole disc, error correction included.
        disc: Bytes of the disc.
        unreadable: Sectors that did not come: first, count.

    Raises:
        OdarchiveError: dvdisaster is not installed.
    """
    have = image.stat().st_size
    missing = [*unreadable, *([(have // SECTOR, disc // SECTOR - have // SECTOR)] if have < disc else [])]
    os.truncate(image, disc)
    if not missing and _digest(image, disc) == digest:
        return True
    _mark(image, missing)
    os.truncate(image, coded(disc))  # it takes no byte behind the code
    _run("-i", image, *_medium(disc), "-f")
    os.truncate(image, disc)
    return _digest(image, disc) == digest


def _mark(image: Path, missing: Iterable[tuple[int, int]]) -> None:
    """Sectors that did not come are told from sectors of zeros."""
    with image.open("r+b") as file:
        for first, count in missing:
            file.seek(first * SECTOR)
            for _ in range(count):
                file.write(UNREADABLE)


def _medium(disc: int) -> tuple[str, ...]:
    """Sizes that are no medium's are taken in its debug mode alone."""
    return "--debug", "-n", str(coded(disc) // SECTOR // LAYERS * LAYERS)


def _run(*arguments: str | Path) -> None:
    program = shutil.which(PROGRAM)
    if program is None:
        raise OdarchiveError(f"error correction on discs needs {PROGRAM}; install it (Debian: apt install {PROGRAM})")
    command = [program, *(os.fspath(one) for one in arguments)]
    try:
        # The exit status is not asked: what was done is seen by the digest. What it says is not kept: with --debug that
        # is a line of 80 bytes for each byte it repairs.
        nowhere = subprocess.DEVNULL
        subprocess.run(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise OdarchiveError(f"{PROGRAM} did not end within a day; it was stopped") from error


def _digest(image: Path, size: int) -> bytes:
    with image.open("rb") as file:
        return stream_digest(file, size)[0]
