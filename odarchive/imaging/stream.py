"""An image that goes straight into a burner: its size and digest are known before its first byte, and it lies nowhere.

The same bytes as a staged image with the same identity.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from odarchive.catalogue import seals
from odarchive.catalogue.database import Catalogue
from odarchive.errors import BurnFailed
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.identity import NO_DISC
from odarchive.image.writer import SourceFailed
from odarchive.imaging.disctree import DiscTree, DiscWish
from odarchive.imaging.making import LeftOut, Outcome, laid_out, made, record, selected, set_catalogue
from odarchive.model import SegmentId


@dataclass(frozen=True, slots=True)
class StreamedImage:
    """An image that exists only as it is written: ``size`` in bytes, ``digest`` is BLAKE3, identity included."""

    size: int
    digest: bytes
    left_out: tuple[LeftOut, ...]
    tree: DiscTree

    def write_to(self, descriptor: int) -> None:
        """Write exactly ``size`` bytes to a descriptor.

        Raises:
            BurnFailed: a source is not what it was a moment ago, so what was written is worth nothing.
            OSError: of writing.
        """
        try:
            written, failed = self.tree.write(descriptor)
        except SourceFailed as error:
            raise BurnFailed(f"a source failed while it was burned: {error}") from error
        if failed or written.digest != self.digest:
            raise BurnFailed("a source changed while it was burned; the disc is spoiled, the next try leaves it out")


@contextmanager
def stream_image(
    catalogue: Catalogue, segment_id: SegmentId, scratch: Path, *, disc: str = NO_DISC, label: str = ""
) -> Iterator[StreamedImage]:
    """An image to be written straight to a burner, with the identity of a burn attempt; no staging file is found.

    Everything is read and checked once before the first byte is given away: a disc is not spent on a file that cannot
    be read, and the attempt's digest is known before it begins. Recorded as `build_image` does, and it raises the
    same, but for what concerns space. ``scratch`` gets the compressed catalogue as a nameless file.
    """
    selection = selected(catalogue, segment_id, copy=True)
    scratch.mkdir(parents=True, exist_ok=True)
    with set_catalogue(catalogue, selection, scratch) as extra:

        def write(tree: DiscTree) -> Outcome:
            written, failed = tree.write(_Nowhere())
            return Outcome(written.digest, failed, tree.chunks(written))

        found = made(catalogue, selection, DiscWish(extra, disc, label), BridgeWriter(), write)
        with catalogue.write() as connection:
            record(connection, found, copy=True)
        try:
            yield StreamedImage(found.tree.prepared.size, found.digest, found.left_out, found.tree)
        except BurnFailed:  # other bytes may have been encrypted with its keys
            with catalogue.write() as connection:
                seals.forget_seed(connection, segment_id)
            raise


def image_size(catalogue: Catalogue, segment_id: SegmentId, scratch: Path) -> int:
    """Bytes of the image if it were made now and every file could be read; opens no file.

    Raises:
        NotFound, TryLater, SourceMissing, OdarchiveError: as `build_image`.
    """
    selection = selected(catalogue, segment_id, copy=True)
    with set_catalogue(catalogue, selection, scratch) as extra:
        return laid_out(selection, {}, DiscWish(extra), BridgeWriter()).prepared.size


class _Nowhere:
    """Takes bytes and forgets them."""

    def write(self, data: bytes | memoryview, /) -> int:
        return len(data)
