"""Error correction on the disc itself, by dvdisaster's RS03: put onto an image, and used to make it right again.

dvdisaster is an independent program (GPL) and runs as one. It fills an image up to the size of a medium it knows; the
bytes of the image before that stay as they are. Its exit status says little (a complete repair has ended with 1), so
every result is judged by digest: of the image before it was augmented.
"""

import os
import shutil
import subprocess
from pathlib import Path

from odarchive.digest import stream_digest
from odarchive.errors import DamageFound, OdarchiveError

PROGRAM = "dvdisaster"
LIMIT = 24 * 3600
"""Seconds no run takes longer than; a repair of 25 GB takes about one hour of processor time."""


def augment(image: Path, size: int, digest: bytes) -> int:
    """Put error correction behind the ``size`` bytes of an image, in place; returns its size now.

    Raises:
        OdarchiveError: dvdisaster is not installed, or no medium it knows is large enough.
        DamageFound: the image was changed on the way.
    """
    _run("-i", image, "-mRS03", "-c")
    now = image.stat().st_size
    if now <= size:
        raise OdarchiveError(f"{PROGRAM} put no error correction onto {image}; no medium that it knows leaves room")
    if _digest(image, size) != digest:
        raise DamageFound(f"{PROGRAM} changed the image {image} itself; it is not used")
    return now


def repair(image: Path, size: int, digest: bytes) -> bool:
    """Repair an augmented image in place; True if its first ``size`` bytes are right now.

    Raises:
        OdarchiveError: dvdisaster is not installed.
    """
    if _digest(image, size) == digest:
        return True
    _run("-i", image, "-f")
    return _digest(image, size) == digest


def _run(*arguments: str | Path) -> None:
    program = shutil.which(PROGRAM)
    if program is None:
        raise OdarchiveError(f"error correction on discs needs {PROGRAM}; install it (Debian: apt install {PROGRAM})")
    command = [program, *(os.fspath(one) for one in arguments)]
    try:
        # The exit status is not asked: what was done is seen by the digest.
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise OdarchiveError(f"{PROGRAM} did not end within a day; it was stopped") from error


def _digest(image: Path, size: int) -> bytes:
    with image.open("rb") as file:
        return stream_digest(file, size)[0]
