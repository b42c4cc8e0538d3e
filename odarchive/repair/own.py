"""What was read of a damaged disc, made right by the error correction on the disc itself."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from odarchive.correction import dvdisaster
from odarchive.errors import OdarchiveError
from odarchive.offline.disc import ImageDisc


@dataclass(frozen=True, slots=True)
class Wanted:
    """A disc as the catalogue knows it; ``size`` in bytes and ``digest`` with its error correction.

    ``image``: bytes without it.
    """

    uuid: str
    label: str
    digest: bytes
    size: int
    image: int


def from_itself(paths: Iterable[Path], wanted: Wanted, out: Path) -> Path | None:
    """Repair the images among ``paths`` that are of the disc until one is right, as ``out``; None: none can be.

    An image whose beginning is damaged is known by its file's name. The images themselves are not touched.

    Raises:
        OdarchiveError: dvdisaster is not installed, or ``out`` exists.
    """
    draft = out.with_name(f".{out.name}.tmp")
    for path in paths:
        if not _is(path, wanted):
            continue
        try:
            with path.open("rb") as source, draft.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            if dvdisaster.repair(draft, wanted.digest, wanted.size, wanted.image):
                return _named(draft, out)
        finally:
            draft.unlink(missing_ok=True)
    return None


def _is(path: Path, wanted: Wanted) -> bool:
    try:
        disc = ImageDisc.of_file(path)
    except (OdarchiveError, OSError):
        return path.stem == wanted.label
    disc.close()
    return disc.identity.disc == wanted.uuid


def _named(draft: Path, final: Path) -> Path:
    """Give a finished file its name; nothing is replaced."""
    try:
        final.hardlink_to(draft)
    except FileExistsError:
        raise OdarchiveError(f"{final} exists already; nothing was replaced") from None
    return final
