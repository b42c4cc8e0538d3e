"""The tree of one disc, ready for a writer: the archive's files and the disc's own texts, in the order they are read.

The texts that tell of the bytes (catalogue.json, then SHA256SUMS) come last, because they are rendered when the writer
opens them: by then every file before them was read and hashed. Their sizes are known before (``ondisc``).
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from odarchive.catalogue.plans import Piece
from odarchive.image import ondisc
from odarchive.image.assemble import Assembly, FileNode, assemble
from odarchive.image.identity import NO_DISC
from odarchive.image.ondisc import NO_SECTOR, NO_SHA256, Placed
from odarchive.image.sources import CheckedReader, Unreadable, Verdict
from odarchive.image.spec import Attributes, Directory, DiscPath, File, ImageTree, VolumeInfo
from odarchive.image.writer import ImageWriter, PreparedImage
from odarchive.imaging.selection import Selection
from odarchive.model import ContentId

_NOTHING = hashlib.sha256().hexdigest()
_ISO_NAMES = {
    ondisc.README: "README.MD",
    ondisc.RESTORE: "RESTORE.PY",
    ondisc.DISC_INFO: "DISCINFO.JSN",
    ondisc.CATALOGUE: "CATALOG.JSN",
    ondisc.SUMS: "SHA256.SUM",
}


@dataclass(frozen=True, slots=True)
class SetCatalogue:
    """The compressed catalogue of the archive as a file beside the image."""

    path: Path
    size: int
    sha256: str


class DiscTree:
    """Everything of one disc, laid out, and what its reading brought.

    ``failed`` fills while the writer reads: contents whose bytes were not the recorded ones, and why.
    """

    def __init__(
        self, selection: Selection, lost: Mapping[ContentId, str], extra: SetCatalogue | None, writer: ImageWriter
    ) -> None:
        self.failed: dict[ContentId, str] = {}
        self._selection = selection
        self._own = Attributes(0o444, 0, 0, selection.segment.created_ns)
        self._sha256: dict[DiscPath, str] = {}
        files, links = list(selection.file_nodes(lost)), selection.links()
        parents = selection.directory_nodes([*(file.node for file in files), *links])
        self._assembly: Assembly = assemble(parents, files, links)
        pieces = [piece for piece in selection.pieces if piece.content not in lost]
        pairs = sorted(((piece, self._place(piece)) for piece in pieces), key=lambda pair: pair[1].paths[0])
        self._pieces, self._placed = [piece for piece, _ in pairs], [placed for _, placed in pairs]
        head = self._head(extra)
        data = [self._data_file(piece, placed) for piece, placed in pairs]
        empty = [self._empty_file(file) for file in files if file.size == 0]
        tail = self._tail([*head, *data, *empty])
        volume = VolumeInfo(selection.segment.label, selection.segment.created_ns)
        tree = ImageTree(volume, self._directories(), (*head, *data, *empty, *tail))
        self.prepared: PreparedImage = writer.prepare(tree)
        self._data_sectors = list(self.prepared.sectors[len(head) : len(head) + len(data)])

    def sectors(self) -> dict[tuple[ContentId, int], int]:
        """First sector by (content, start)."""
        keys = ((piece.content, piece.start) for piece in self._pieces)
        return dict(zip(keys, self._data_sectors, strict=True))

    # The archive's files.

    def _place(self, piece: Piece) -> Placed:
        names = self._selection.names[piece.content]
        whole = (piece.start, piece.length) == (0, piece.size)
        return Placed(
            digest=piece.digest,
            size=piece.size,
            mtime_ns=names[0].mtime_ns,
            start=None if whole else piece.start,
            length=piece.length,
            paths=tuple(self._assembly.files[self._selection.path(name), piece.start] for name in names),
        )

    def _data_file(self, piece: Piece, placed: Placed) -> File:
        open_source = self._selection.opener(piece.content)

        def verdict(found: Verdict) -> None:
            if found.problem:
                self.failed.setdefault(piece.content, found.problem)
            self._sha256.update(dict.fromkeys(placed.paths, found.sha256))

        def opened() -> BinaryIO:
            try:
                digest = self._selection.range_digest(piece)
            except Unreadable as error:
                self.failed[piece.content] = str(error)
                digest = b""
            return cast("BinaryIO", CheckedReader(open_source, piece.start, piece.length, digest, verdict))

        about = self._selection.attributes(self._selection.names[piece.content][0])
        return File(placed.paths, piece.length, about, opened)

    def _empty_file(self, file: FileNode) -> File:
        path = self._assembly.files[file.node.path, 0]
        self._sha256[path] = _NOTHING
        return File((path,), 0, file.node.attributes, io.BytesIO)

    def _directories(self) -> tuple[Directory, ...]:
        own = Attributes(0o555, 0, 0, self._selection.segment.created_ns)
        return (Directory((ondisc.DATA,), own), Directory((ondisc.SET,), own), *self._assembly.directories)

    # The disc's own texts.

    def _head(self, extra: SetCatalogue | None) -> list[File]:
        segment, archive = self._selection.segment, self._selection.facts["uuid"]
        readme = ondisc.readme(
            label=segment.label,
            segment=segment.id,
            archive=archive,
            created_ns=segment.created_ns,
            has_set_catalogue=extra is not None,
        )
        info = ondisc.disc_info(
            label=segment.label, segment=segment.id, archive=archive, disc=NO_DISC, created_ns=segment.created_ns
        )
        files = [
            self._text((ondisc.README,), readme),
            self._text((ondisc.RESTORE,), ondisc.restore_script()),
            self._late((ondisc.DISC_INFO,), len(info), lambda: info),  # stamped later, so in no list of sums
            self._text((ondisc.SET, ondisc.ENTRIES), ondisc.entries_text(self._assembly.entries)),
        ]
        if extra is not None:
            path = (ondisc.SET, ondisc.SET_CATALOGUE)
            self._sha256[path] = extra.sha256
            files.append(File((path,), extra.size, self._own, lambda: extra.path.open("rb")))
        return files

    def _tail(self, before: list[File]) -> list[File]:
        """catalogue.json and SHA256SUMS, rendered once with stand-ins for their sizes and once more when read."""
        stand_in = self._catalogue([NO_SECTOR] * len(self._pieces), {})
        catalogue_path = (ondisc.CATALOGUE,)

        def catalogue() -> bytes:
            text = ondisc.padded(self._catalogue(self._data_sectors, self._sha256), len(stand_in))
            self._sha256[catalogue_path] = hashlib.sha256(text).hexdigest()
            return text

        summed = [path for file in before for path in file.paths if path != (ondisc.DISC_INFO,)]
        summed = sorted([*summed, catalogue_path])

        def sums(known: Mapping[DiscPath, str]) -> bytes:
            return b"".join(ondisc.sums_line(path, known.get(path, NO_SHA256)) for path in summed)

        return [
            self._late(catalogue_path, len(stand_in), catalogue),
            self._late((ondisc.SUMS,), len(sums({})), lambda: sums(self._sha256)),
        ]

    def _catalogue(self, sectors: list[int], known: Mapping[DiscPath, str]) -> bytes:
        sha256 = [known.get(placed.paths[0], NO_SHA256) for placed in self._placed]
        return ondisc.catalogue_json(self._header(), self._placed, sectors, sha256)

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

    def _text(self, path: DiscPath, text: bytes) -> File:
        self._sha256[path] = hashlib.sha256(text).hexdigest()
        return self._late(path, len(text), lambda: text)

    def _late(self, path: DiscPath, size: int, render: Callable[[], bytes]) -> File:
        iso_name = _ISO_NAMES.get(path[0], "") if len(path) == 1 else ""
        return File((path,), size, self._own, lambda: io.BytesIO(render()), iso_name)
