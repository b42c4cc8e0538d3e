"""The tree of one disc, ready for a writer: the archive's files and the disc's own texts.

Everything that decides the size of an image is in here, so a plan asks the same code what its image will have (no
source is opened for that). The texts that tell of the bytes (catalogue.json, then SHA256SUMS) come last on the disc,
because they are rendered when everything before them was read and hashed. Their sizes are known before (``ondisc``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from odarchive.catalogue.archive import UDF_SYMLINKS, YES
from odarchive.catalogue.grids import PartKey
from odarchive.catalogue.plans import Piece
from odarchive.chunks import CHUNK_DIGEST, digests_size
from odarchive.image import ondisc
from odarchive.image.assemble import Assembly, FileNode, assemble
from odarchive.image.bridge.sink import ByteWriter
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.ondisc import NO_SHA256, Placed
from odarchive.image.sources import Ranged, Unreadable, zeros
from odarchive.image.spec import (
    Attributes,
    Digests,
    DigestsOf,
    Directory,
    DiscPath,
    File,
    ImageTree,
    Inode,
    Late,
    VolumeInfo,
)
from odarchive.image.writer import ImageWriter, PreparedImage, Progress, SourceFailed, WrittenImage
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


@dataclass(frozen=True, slots=True)
class _Source:
    """A piece of a content with its place, ready to be read and checked."""

    piece: Piece
    placed: Placed
    inodes: tuple[Inode, ...]


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
        nodes, links = list(selection.file_nodes(gone)), selection.links()
        parents = selection.directory_nodes([*(file.node for file in nodes), *links])
        udf_symlinks = selection.facts.get(UDF_SYMLINKS) == YES
        assembly = assemble(parents, nodes, links, udf_symlinks=udf_symlinks)
        pieces = [piece for piece in selection.pieces if piece.content not in gone]
        self._sources = sorted(
            (self._source(piece, assembly) for piece in pieces), key=lambda source: source.placed.paths[0]
        )
        self._expected = _Expected()
        data = [File(source.inodes, source.piece.length) for source in self._sources]
        self._data_files = len(data)
        empty, texts = _empty_files(nodes, assembly), list(self._texts(assembly))
        self._texts_from = len(data) + len(empty)
        self._pieces = [pieces for _, _, pieces in texts]
        own = [File((Inode((path,), self._own),), size) for path, size, _ in texts]
        files = (*data, *empty, *own)
        label = wish.label or selection.segment.label
        identity = DiscIdentity(selection.facts["uuid"], wish.disc, label)
        tree = ImageTree(
            VolumeInfo(identity, selection.segment.created_ns, udf_symlinks),
            self._directories(assembly),
            files,
            self._open,
            self._late(files),
            tuple(assembly.symlinks),
            wish.least_size,
        )
        self.prepared: PreparedImage = writer.prepare(tree)

    def sectors(self) -> dict[tuple[ContentId, int], int]:
        """First sector by (content, start)."""
        keys = ((source.piece.content, source.piece.start) for source in self._sources)
        return dict(zip(keys, self.prepared.sectors[: self._data_files], strict=True))

    def chunks(self, written: WrittenImage) -> dict[PartKey, bytes]:
        """The chunk digests of what was written, those of whole contents of one chunk aside."""
        found = {}
        for number, source in enumerate(self._sources):
            piece = source.piece
            if digests := _chunks(written.digests(number), source.placed):
                found[piece.content, piece.start, piece.length] = digests
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
        failed = self._expected.failed
        for number, source in enumerate(self._sources):
            if written.digests(number).blake3 != self._expected.digests.get(number, source.piece.digest):
                failed.setdefault(source.piece.content, "has other bytes than when it was scanned")
        return written, failed

    def content_of(self, error: SourceFailed) -> tuple[ContentId, str]:
        """Which content an error is about, and why.

        Raises:
            SourceFailed: it is about one of the disc's own texts.
        """
        if error.file >= self._data_files:
            raise error
        return self._sources[error.file].piece.content, str(error)

    # The archive's files.

    def _source(self, piece: Piece, assembly: Assembly) -> _Source:
        selection = self._selection
        names = sorted(selection.names[piece.content], key=selection.path)
        whole = (piece.start, piece.length) == (0, piece.size)
        inodes = _inodes(
            (name.ino, assembly.files[selection.path(name), piece.start], selection.attributes(name)) for name in names
        )
        placed = Placed(
            digest=piece.digest,
            size=piece.size,
            mtime_ns=names[0].mtime_ns,
            start=None if whole else piece.start,
            length=piece.length,
            paths=tuple(sorted(path for inode in inodes for path in inode.paths)),
        )
        return _Source(piece, placed, inodes)

    def _open(self, number: int) -> int | Iterable[bytes]:
        """The bytes of a file of the tree."""
        if number >= self._data_files:
            own = number - self._texts_from
            return self._pieces[own]() if own >= 0 else ()
        piece, expected = self._sources[number].piece, self._expected
        whole = self._sources[number].placed.start is None
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

    def _directories(self, assembly: Assembly) -> tuple[Directory, ...]:
        own = Attributes(0o555, 0, 0, self._selection.segment.created_ns)
        return (Directory((ondisc.DATA,), own), Directory((ondisc.SET,), own), *assembly.directories)

    # The disc's own texts.

    def _texts(self, assembly: Assembly) -> Iterator[tuple[DiscPath, int, Callable[[], Iterable[bytes]]]]:
        """The texts that are known before anything is read: path, size and bytes."""
        segment, archive, extra = self._selection.segment, self._selection.facts["uuid"], self._wish.extra
        readme = ondisc.readme(
            label=segment.label,
            segment=segment.id,
            archive=archive,
            created_ns=segment.created_ns,
            has_set_catalogue=extra is not None,
        )
        info = ondisc.disc_info(
            label=self._wish.label or segment.label,
            segment=segment.id,
            archive=archive,
            disc=self._wish.disc,
            created_ns=segment.created_ns,
        )
        yield _text((ondisc.README,), readme)
        yield _text((ondisc.RESTORE,), ondisc.restore_script())
        yield _text((ondisc.DISC_INFO,), info)
        yield _text((ondisc.SET, ondisc.ENTRIES), ondisc.entries_text(assembly.entries))
        if extra is not None:
            yield (ondisc.SET, ondisc.SET_CATALOGUE), extra.size, extra.pieces

    def _late(self, files: tuple[File, ...]) -> tuple[Late, Late]:
        """catalogue.json and SHA256SUMS, whose sizes do not depend on sectors and digests."""
        catalogue = (ondisc.CATALOGUE,)
        summed = [
            (path, number)
            for number, file in enumerate(files)
            for inode in file.inodes
            for path in inode.paths
            if path != (ondisc.DISC_INFO,)  # stamped later
        ]
        summed.append((catalogue, len(files)))
        summed.sort()

        def rendered_catalogue(digests: DigestsOf) -> Iterator[bytes]:
            sectors = self.prepared.sectors
            return self._catalogue(sectors, digests)

        def rendered_sums(digests: DigestsOf) -> Iterator[bytes]:
            return (ondisc.sums_line(path, digests(number).sha256.hex()) for path, number in summed)

        size = sum(map(len, self._catalogue([0] * len(self._sources), self._no_digests)))
        sums_size = sum(len(ondisc.sums_line(path, NO_SHA256)) for path, _ in summed)
        return (
            Late(catalogue, self._own, size, rendered_catalogue),
            Late((ondisc.SUMS,), self._own, sums_size, rendered_sums),
        )

    def _catalogue(self, sectors: Sequence[int], digests: DigestsOf) -> Iterator[bytes]:
        placed = [source.placed for source in self._sources]

        def read(number: int) -> ondisc.Read:
            found = digests(number)
            return ondisc.Read(found.sha256.hex(), _chunks(found, placed[number]).hex())

        return ondisc.catalogue_json(self._header(), placed, sectors, read)

    def _no_digests(self, number: int) -> Digests:
        """As long as the real ones."""
        return Digests(bytes(32), bytes(32), bytes(digests_size(self._sources[number].piece.length)))

    def _header(self) -> dict[str, Any]:
        segment = self._selection.segment
        return {
            "client_name": "odarchive",
            "date": ondisc.stamp_text(segment.created_ns),
            "guid": self._selection.facts["uuid"],
            "job_id": segment.id,
            "job_name": segment.label,
            "segment_size": segment.capacity,
        }


def _chunks(digests: Digests, placed: Placed) -> bytes:
    """The chunk digests of a file; a part of a content has one even if it is one chunk."""
    return digests.chunks or (b"" if placed.start is None else digests.blake3[:CHUNK_DIGEST])


def _text(path: DiscPath, text: bytes) -> tuple[DiscPath, int, Callable[[], Iterable[bytes]]]:
    return path, len(text), lambda: (text,)


def _empty_files(nodes: Iterable[FileNode], assembly: Assembly) -> list[File]:
    empty = sorted((node.node for node in nodes if node.size == 0), key=lambda node: node.path)
    inodes = _inodes((node.ino, assembly.files[node.path, 0], node.attributes) for node in empty)
    return [File((inode,), 0) for inode in inodes]


def _inodes(names: Iterable[tuple[int, DiscPath, Attributes]]) -> tuple[Inode, ...]:
    """Names by inode number, in order."""
    found: dict[int, tuple[list[DiscPath], Attributes]] = {}
    for ino, path, attributes in names:
        found.setdefault(ino, ([], attributes))[0].append(path)
    return tuple(Inode(tuple(paths), attributes) for paths, attributes in found.values())
