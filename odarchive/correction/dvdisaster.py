"""Error correction put onto an image, and an image made right with it, by dvdisaster's RS03.

dvdisaster is an independent program (GPL) and runs as one. The bytes of the image stay as they are; what comes behind
them fills the disc that was planned. Its exit status says little (a complete repair has ended with 1), so every result
is judged by digest.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from odarchive.correction import checksums
from odarchive.correction.room import LAYERS, coded
from odarchive.digest import BLOCK, stream_digest
from odarchive.errors import DamageFound, OdarchiveError
from odarchive.model import SECTOR

PROGRAM = "dvdisaster"
LIMIT = 24 * 3600
"""Seconds that no run takes longer than; a repair of 25 GB takes about one hour of processor time."""
_DEAD = (
    b"dvdisaster dead sector marker\nThis sector could not be read from the image.\n"
    b"Its contents have been substituted by the dvdisaster read routine.\n"
)
_DEAD_END = b"dvdisaster dead sector end marker\n\0\0"
UNREADABLE = _DEAD.ljust(SECTOR - len(_DEAD_END), b"\0") + _DEAD_END
"""How its own readers mark a sector that did not come (0.79, ``ds-marker.c``)."""
_ZERO = bytes(SECTOR)


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


def repair(image: Path, digest: bytes, disc: int, size: int, unreadable: Iterable[tuple[int, int]] = ()) -> bool:
    """Repair what was read of a disc, in place; True if its ``disc`` bytes are right now.

    What tells dvdisaster that there is error correction may be lost too: that follows from the sizes. If nobody says
    which sectors did not come, and it cannot be done otherwise, sectors of zeros are taken for these.

    Args:
        image: What was read; short is as good as unreadable.
        digest: BLAKE3 of the whole disc, error correction included.
        disc: Bytes of the disc.
        size: Bytes of the image without error correction.
        unreadable: Sectors that did not come: first, count.

    Raises:
        OdarchiveError: dvdisaster is not installed.
    """
    have = image.stat().st_size
    known = list(unreadable)
    missing = [*known, *([(have // SECTOR, disc // SECTOR - have // SECTOR)] if have < disc else [])]
    os.truncate(image, disc)
    if not missing and _digest(image, disc) == digest:
        return True
    _mark(image, missing)
    if _tried(image, digest, disc, size):
        return True
    if known:
        return False
    _mark(image, _zeros(image))
    return _tried(image, digest, disc, size)


def _tried(image: Path, digest: bytes, disc: int, size: int) -> bool:
    """Once, and again if that has brought checksums back, with which more can be repaired."""
    lacking = _mark_checksums(image, size, disc)
    return _fixed(image, digest, disc) or (_mark_checksums(image, size, disc) < lacking and _fixed(image, digest, disc))


def _fixed(image: Path, digest: bytes, disc: int) -> bool:
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


def _mark_checksums(image: Path, size: int, disc: int) -> int:
    """Mark sectors of checksums that are none, and tell how many; one that says enough is put there if all are lost."""
    layer, known_by = checksums.sectors(size, disc), checksums.without_sums(size, disc)
    lacking = 0
    with image.open("r+b", buffering=0) as file:
        for sector in layer:
            file.seek(sector * SECTOR)
            found = file.read(SECTOR)
            if found == known_by or not checksums.is_right(found):
                lacking += 1
                file.seek(sector * SECTOR)
                file.write(UNREADABLE)
        if lacking == len(layer):
            file.seek(layer.start * SECTOR)
            file.write(known_by)
    return lacking


def _zeros(image: Path) -> Iterator[tuple[int, int]]:
    """Sectors of zeros."""
    with image.open("rb", buffering=0) as file:
        for number, block in enumerate(iter(lambda: file.read(BLOCK), b"")):
            for at in range(0, len(block), SECTOR):
                if block.startswith(_ZERO, at):
                    yield (number * BLOCK + at) // SECTOR, 1


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
