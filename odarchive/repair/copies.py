"""Another copy of the same segment as the source of a right image."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from odarchive.digest import stream_digest
from odarchive.errors import DamageFound, OdarchiveError
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.stamp import stamp
from odarchive.model import SegmentId
from odarchive.offline.disc import ImageDisc, catalogue_of
from odarchive.offline.proof import Proof, prove


@dataclass(frozen=True, slots=True)
class Kept:
    """A segment as the catalogue knows it."""

    segment: SegmentId
    label: str
    archive: str
    plain: bytes
    """BLAKE3 of its image before a disc's identity was put into it; one that is not known matches nothing."""
    discs: Mapping[str, tuple[int, bytes]]
    """Of its discs by uuid: bytes, with error correction, and their BLAKE3; without those whose digest is not known."""


def from_copy(paths: Iterable[Path], kept: Kept, out: Path) -> Path | None:
    """Copy the first image among ``paths`` that carries the segment and proves right to ``out``; None: there is none.

    Every content is read and compared with the disc's own catalogue before it is believed; and all of the image with
    the archive's, if that knows it: what is between the contents (names, file systems) is to be right as well.
    """
    for path in paths:
        try:
            disc = ImageDisc.of_file(path)
        except (OdarchiveError, OSError):
            continue
        try:
            catalogue = catalogue_of(disc)
            if disc.identity.archive != kept.archive or catalogue.segment != kept.segment:
                continue
            size = disc.identity.image_size
            if size == 0 or size > disc.size:
                continue
            proof = prove(disc, catalogue)
        except OdarchiveError:
            continue
        finally:
            disc.close()
        if not proof.wrong and _copied(path, disc.identity, proof, kept, out):
            return out
    return None


def _copied(path: Path, identity: DiscIdentity, proof: Proof, kept: Kept, out: Path) -> bool:
    """Copy the image without error correction, unless the catalogue knows that it was another one."""
    draft = out.with_name(f".{out.name}.tmp")
    try:
        with path.open("rb") as source, draft.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.truncate(identity.image_size)
        size, digest = kept.discs.get(identity.disc, (0, b""))
        if size == identity.image_size:
            right = proof.digest == digest
        else:
            right = not size or _digest(path, size) == digest or _is_plain(draft, identity, kept)
        if right:
            draft.rename(out)
        return right
    finally:
        draft.unlink(missing_ok=True)


def _is_plain(draft: Path, identity: DiscIdentity, kept: Kept) -> bool:
    """Whether an image is the one that was built, by its bytes without a disc's identity."""
    try:
        stamp(draft, DiscIdentity(identity.archive, NO_DISC, kept.label))
        right = _digest(draft, identity.image_size) == kept.plain
        stamp(draft, identity)
    except DamageFound:
        return False
    return right


def _digest(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return stream_digest(file, size)[0]
