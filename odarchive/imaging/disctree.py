"""The tree of one disc, ready for a writer: the archive's files and the disc's own texts.

Everything that decides the size of an image is in here, so a plan asks the same code what its image will have (no
source is opened for that). The texts that tell of the bytes (catalogue.json, then SHA256SUMS) come last on the disc,
because they are rendered when everything before them was read and hashed. Their sizes are known before (``owntexts``).
"""

from __future__ import annotations  # array[int] is for type checkers only

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from odarchive.catalogue.archive import UDF_SYMLINKS, YES
from odarchive.catalogue.grids import PartKey
from odarchive.catalogue.plans import Piece
from odarchive.chunks import digests_size
from odarchive.image import ondisc
from odarchive.image.bridge.sink import ByteWriter
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.sources import Ranged, Unreadable, zeros
from odarchive.image.spec import (
    Attributes,
    Digests,
    Directory,
    File,
    ImageTree,
    VolumeInfo,
)
from odarchive.image.writer import ImageWriter, PreparedImage, Progress, SourceFailed, WrittenImage
from odarchive.imaging.files import Made
from odarchive.imaging.owntexts import Contents, OwnTexts, Wished, chunks_of, own_files
from odarchive.imaging.placing import Placing
from odarchive.imaging.placing_sealed import SealedPlacing
from odarchive.imaging.sealing import sealing_of
from odarchive.imaging.selection import Selection
from odarchive.model import ContentId


@dataclass(frozen=True, slots=True)
class SetCatalogue:
    """The compressed catalogue of the archive: its size, and what gives its bytes."""

    size: int
    pieces: Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class DiscWish:
    """What a disc is to be beside its files.

    Attributes:
        extra: The archive's catalogue; None: without.
        disc: The burn attempt's uuid, or `NO_DISC` for an image that is stamped later.
        label: The volume label; empty: the segment's.
        least_size: Bytes to fill the image up to.
        lenient: Zeros in the place of bytes that cannot be read, so that one pass finds all that fails.
    """

    extra: SetCatalogue | None = None
    disc: str = NO_DISC
    label: str = ""
    least_size: int = 0
    lenient: bool = False


@dataclass(slots=True)
class _Expected:
    """What reading brought: the digests that the bytes must have, and what failed before any were read."""

    digests: dict[int, bytes] = field(default_factory=dict)
    failed: dict[ContentId, str] = field(default_factory=dict)


class DiscTree:
    """Everything of one disc, laid out. ``prepared`` is the image."""

    def __init__(self, selection: Selection, lost: Iterable[ContentId], wish: DiscWish, writer: ImageWriter) -> None:
        self._selection, self._wish = selection, wish
        self._own = Attributes(0o444, 0, 0, selection.segment.created_ns)
        gone = set(lost)
        self._sealing = sealing_of(selection)
        self._written: WrittenImage | None = None
        self._placing = placing = self._placed(gone)
        self._data_files = count = len(placing.order)
        self._texts_from = count + len(placing.empty)
        self._expected = _Expected()
        own = OwnTexts(selection, self._sealing, self._own, lambda: self.prepared.sectors)
        extra = None if wish.extra is None else (wish.extra.size, wish.extra.pieces)
        texts = list(own.early(lambda: ondisc.entries_text(placing.entries()), Wished(wish.disc, wish.label, extra)))
        self._pieces = [pieces for _, _, pieces in texts]
        files = Made(count, self._file, (*placing.empty, *own_files(texts, self._own)))
        label = wish.label or selection.segment.label
        identity = DiscIdentity(selection.facts["uuid"], wish.disc, label)
        tree = ImageTree(
            VolumeInfo(identity, selection.segment.created_ns, self._udf_symlinks()),
            self._directories(),
            files,
            self._open,
            own.late(files, Contents(count, placing.placed, cache(self._by_digest), placing.paths)),
            tuple(placing.symlinks),
            wish.least_size,
        )
        self.prepared: PreparedImage = writer.prepare(tree)

    def _placed(self, gone: set[ContentId]) -> Placing:
        if self._sealing is None:
            return Placing(self._selection, gone, udf_symlinks=self._udf_symlinks())
        return SealedPlacing(self._selection, gone, self._own)

    def _by_digest(self) -> array[int]:
        """Numbers of pieces by digest and start; sorted in many small parts, as keys of all would take much memory."""
        order, pieces = self._placing.order, self._selection.pieces
        parts = [array("I") for _ in range(256)]
        for number, piece in enumerate(order):
            parts[pieces.digest(piece)[0]].append(number)
        found = array("I")
        for part in parts:
            found.extend(sorted(part, key=lambda n: (pieces.digest(order[n]), pieces.start(order[n]))))
        return found

    def _udf_symlinks(self) -> bool:
        return self._selection.facts.get(UDF_SYMLINKS) == YES

    def _piece(self, number: int) -> Piece:
        return self._selection.pieces[self._placing.order[number]]

    def sectors(self) -> Iterator[tuple[ContentId, int, int]]:
        """Content, start and first sector of each piece."""
        for number, sector in enumerate(self.prepared.sectors[: self._data_files]):
            piece = self._piece(number)
            yield piece.content, piece.start, sector

    def chunks(self, written: WrittenImage) -> dict[PartKey, bytes]:
        """The chunk digests of what was written, those of whole contents of one chunk aside."""
        found, pieces = {}, self._selection.pieces
        for number, piece in enumerate(self._placing.order):
            whole = pieces.is_whole(piece)
            if whole and not digests_size(pieces.length[piece]):
                continue
            if digests := chunks_of(self._digests(written, number), whole=whole):
                found[ContentId(pieces.content[piece]), pieces.start(piece), pieces.length[piece]] = digests
        return found

    def write(
        self, out: int | ByteWriter, progress: Progress | None = None
    ) -> tuple[WrittenImage, dict[ContentId, str]]:
        """Write the image; gives what was written, and the contents whose bytes were not the recorded ones, and why.

        Raises:
            SourceFailed: a file failed on the way; not if the wish is lenient.
            OSError: of writing.
        """
        self._expected = _Expected()
        written = self.prepared.write(out, progress)
        self._written = written
        failed = self._expected.failed
        pieces, known = self._selection.pieces, self._expected.digests
        for number, piece in enumerate(self._placing.order):
            expected = known.get(number) or pieces.digest(piece)
            if self._digests(written, number).blake3 != expected:
                failed.setdefault(ContentId(pieces.content[piece]), "has other bytes than when it was scanned")
        return written, failed

    def stored(self) -> dict[tuple[ContentId, int], bytes]:
        """BLAKE3 of each piece's age file, by (content, start), once they are written; none if not encrypted."""
        written = self._written
        if self._sealing is None or written is None:
            return {}
        pieces = map(self._piece, range(self._data_files))
        return {(piece.content, piece.start): written.digests(n).blake3 for n, piece in enumerate(pieces)}

    def content_of(self, error: SourceFailed) -> tuple[ContentId, str]:
        """Which content an error is about, and why.

        Raises:
            SourceFailed: it is about one of the disc's own texts.
        """
        if error.file >= self._data_files:
            raise error
        return self._piece(error.file).content, str(error)

    # The archive's files.

    def _file(self, number: int) -> File:
        return File(self._placing.inodes(number), self._stored_size(self._placing.order[number]))

    def _open(self, number: int) -> int | Iterable[bytes]:
        """The bytes of a file of the tree."""
        if number >= self._data_files:
            own = number - self._texts_from
            return self._pieces[own]() if own >= 0 else ()
        piece, sealing = self._piece(number), self._sealing
        if sealing is None:
            return self._open_piece(number)
        opened = self._open_piece(number)
        if isinstance(opened, int):
            opened = Ranged(opened, piece.start, piece.length, self._wish.lenient)
        return sealing.content(number, piece, opened)

    def _open_piece(self, number: int) -> int | Iterable[bytes]:
        piece, expected = self._piece(number), self._expected
        whole = (piece.start, piece.length) == (0, piece.size)
        try:
            if not whole:
                expected.digests[number] = self._selection.range_digest(piece)
            descriptor = self._selection.open(piece.content)
        except Unreadable as error:
            expected.failed[piece.content] = str(error)
            return zeros(piece.length)
        if whole and not self._wish.lenient:
            return descriptor
        return Ranged(descriptor, piece.start, piece.length, self._wish.lenient)

    def _stored_size(self, piece: int) -> int:
        length = self._selection.pieces.length[piece]
        return length if self._sealing is None else self._sealing.size(length)

    def _digests(self, written: WrittenImage, number: int) -> Digests:
        """Of a piece's own bytes, encrypted or not."""
        return written.digests(number) if self._sealing is None else self._sealing.plain[number]

    def _directories(self) -> tuple[Directory, ...]:
        own = Attributes(0o555, 0, 0, self._selection.segment.created_ns)
        return (Directory((ondisc.DATA,), own), Directory((ondisc.SET,), own), *self._placing.directories)
