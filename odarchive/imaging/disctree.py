"""The tree of one disc, ready for a writer: the archive's files and the disc's own texts.

Everything that decides the size of an image is in here, so a plan asks the same code what its image will have (no
source is opened for that). The texts that tell of the bytes (catalogue.json, then SHA256SUMS) come last on the disc,
because they are rendered when everything before them was read and hashed. Their sizes are known before (``owntexts``).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from odarchive.catalogue.archive import UDF_SYMLINKS, YES
from odarchive.catalogue.grids import PartKey
from odarchive.catalogue.plans import Piece
from odarchive.image import ondisc
from odarchive.image.assemble import Assembly, FileNode, assemble
from odarchive.image.assemble_sealed import assemble_sealed
from odarchive.image.bridge.sink import ByteWriter
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.ondisc import Placed
from odarchive.image.sources import Ranged, Unreadable, zeros
from odarchive.image.spec import (
    Attributes,
    Digests,
    Directory,
    DiscPath,
    File,
    ImageTree,
    Inode,
    VolumeInfo,
)
from odarchive.image.writer import ImageWriter, PreparedImage, Progress, SourceFailed, WrittenImage
from odarchive.imaging.owntexts import OwnTexts, Wished, chunks_of, own_files
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


@dataclass(frozen=True, slots=True)
class _Arranged:
    """Where everything is on the disc; the entry list as its text."""

    assembly: Assembly
    entries: bytes
    empty: list[File]


class DiscTree:
    """Everything of one disc, laid out. ``prepared`` is the image."""

    def __init__(self, selection: Selection, lost: Iterable[ContentId], wish: DiscWish, writer: ImageWriter) -> None:
        self._selection, self._wish = selection, wish
        self._own = Attributes(0o444, 0, 0, selection.segment.created_ns)
        gone = set(lost)
        self._sealing = sealing_of(selection)
        self._written: WrittenImage | None = None
        arranged = self._arranged(gone)
        assembly = arranged.assembly
        pieces = [piece for piece in selection.pieces if piece.content not in gone]
        self._sources = sorted(
            (self._source(piece, assembly) for piece in pieces), key=lambda source: source.placed.paths[0]
        )
        assembly.files.clear()
        self._expected = _Expected()
        data = [File(source.inodes, self._stored_size(source.piece)) for source in self._sources]
        self._data_files = len(data)
        self._texts_from = len(data) + len(arranged.empty)
        own = OwnTexts(selection, self._sealing, self._own, lambda: self.prepared.sectors)
        extra = None if wish.extra is None else (wish.extra.size, wish.extra.pieces)
        texts = list(own.early(arranged.entries, Wished(wish.disc, wish.label, extra)))
        self._pieces = [pieces for _, _, pieces in texts]
        files = (*data, *arranged.empty, *own_files(texts, self._own))
        label = wish.label or selection.segment.label
        identity = DiscIdentity(selection.facts["uuid"], wish.disc, label)
        tree = ImageTree(
            VolumeInfo(identity, selection.segment.created_ns, self._udf_symlinks()),
            self._directories(assembly),
            files,
            self._open,
            own.late(files, [source.placed for source in self._sources]),
            tuple(assembly.symlinks),
            wish.least_size,
        )
        self.prepared: PreparedImage = writer.prepare(tree)

    def _arranged(self, gone: set[ContentId]) -> "_Arranged":
        """Every name in its place. A list of a million names is long: each is gone when it is not needed any more."""
        selection = self._selection
        nodes, links = list(selection.file_nodes(gone)), selection.links()
        parents = selection.directory_nodes([*(file.node for file in nodes), *links])
        if self._sealing is None:
            assembly = assemble(parents, nodes, links, udf_symlinks=self._udf_symlinks())
            empty = _empty_files(nodes, assembly)
        else:
            assembly = assemble_sealed(parents, nodes, links, self._own)
            empty = []
        del nodes, links, parents
        text = ondisc.entries_text(assembly.entries)
        assembly.entries.clear()
        return _Arranged(assembly, text, empty)

    def _udf_symlinks(self) -> bool:
        return self._selection.facts.get(UDF_SYMLINKS) == YES

    def sectors(self) -> dict[tuple[ContentId, int], int]:
        """First sector by (content, start)."""
        keys = ((source.piece.content, source.piece.start) for source in self._sources)
        return dict(zip(keys, self.prepared.sectors[: self._data_files], strict=True))

    def chunks(self, written: WrittenImage) -> dict[PartKey, bytes]:
        """The chunk digests of what was written, those of whole contents of one chunk aside."""
        found = {}
        for number, source in enumerate(self._sources):
            piece = source.piece
            if digests := chunks_of(self._digests(written, number), source.placed):
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
        self._written = written
        failed = self._expected.failed
        for number, source in enumerate(self._sources):
            if self._digests(written, number).blake3 != self._expected.digests.get(number, source.piece.digest):
                failed.setdefault(source.piece.content, "has other bytes than when it was scanned")
        return written, failed

    def stored(self) -> dict[tuple[ContentId, int], bytes]:
        """BLAKE3 of each piece's age file, by (content, start), once they are written; none if not encrypted."""
        written = self._written
        if self._sealing is None or written is None:
            return {}
        keys = ((source.piece.content, source.piece.start) for source in self._sources)
        return {key: written.digests(number).blake3 for number, key in enumerate(keys)}

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
        if self._sealing is not None:
            path = assembly.files[selection.path(names[0]), piece.start]
            return _Source(piece, _placed(piece, names[0].mtime_ns, (path,)), (Inode((path,), self._own),))
        inodes = _inodes(
            (name.ino, assembly.files[selection.path(name), piece.start], selection.attributes(name)) for name in names
        )
        paths = tuple(sorted(path for inode in inodes for path in inode.paths))
        return _Source(piece, _placed(piece, names[0].mtime_ns, paths), inodes)

    def _open(self, number: int) -> int | Iterable[bytes]:
        """The bytes of a file of the tree."""
        if number >= self._data_files:
            own = number - self._texts_from
            return self._pieces[own]() if own >= 0 else ()
        piece, sealing = self._sources[number].piece, self._sealing
        if sealing is None:
            return self._open_piece(number)
        opened = self._open_piece(number)
        if isinstance(opened, int):
            opened = Ranged(opened, piece.start, piece.length, self._wish.lenient)
        return sealing.content(number, piece, opened)

    def _open_piece(self, number: int) -> int | Iterable[bytes]:
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

    def _stored_size(self, piece: Piece) -> int:
        return piece.length if self._sealing is None else self._sealing.size(piece.length)

    def _digests(self, written: WrittenImage, number: int) -> Digests:
        """Of a piece's own bytes, encrypted or not."""
        return written.digests(number) if self._sealing is None else self._sealing.plain[number]

    def _directories(self, assembly: Assembly) -> tuple[Directory, ...]:
        own = Attributes(0o555, 0, 0, self._selection.segment.created_ns)
        return (Directory((ondisc.DATA,), own), Directory((ondisc.SET,), own), *assembly.directories)


def _placed(piece: Piece, mtime_ns: int, paths: tuple[DiscPath, ...]) -> Placed:
    whole = (piece.start, piece.length) == (0, piece.size)
    start = None if whole else piece.start
    return Placed(piece.digest, piece.size, mtime_ns, start, piece.length, paths)


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
