"""Another copy of the same segment as the source of a right image."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from odarchive.errors import OdarchiveError
from odarchive.offline.disc import ImageDisc, catalogue_of
from odarchive.offline.proof import prove


def from_copy(paths: Iterable[Path], segment: int, archive: str, out: Path) -> Path | None:
    """Copy the first image among ``paths`` that carries the segment and proves right to ``out``; None: there is none.

    Every content is read and compared with the disc's own catalogue before it is believed.
    """
    for path in paths:
        try:
            disc = ImageDisc.of_file(path)
        except (OdarchiveError, OSError):
            continue
        try:
            catalogue = catalogue_of(disc)
            if disc.identity.archive != archive or catalogue.segment != segment:
                continue
            size = disc.identity.image_size
            if size == 0 or size > disc.size or prove(disc, catalogue).wrong:
                continue
        except OdarchiveError:
            continue
        finally:
            disc.close()
        draft = out.with_name(f".{out.name}.tmp")
        with path.open("rb") as source, draft.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.truncate(size)
        draft.rename(out)
        return out
    return None
