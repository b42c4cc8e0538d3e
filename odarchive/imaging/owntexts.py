"""The texts that a disc carries about itself, as files for a writer: what is known early, and what is known last.

On an encrypted disc the entry list, the catalogue of the archive and the catalogue of what was encrypted are age files;
``catalogue.json`` and ``SHA256SUMS`` tell of the age files as they stand there, so a disc is checked without a key.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from odarchive.catalogue.seals import RECIPIENTS
from odarchive.chunks import CHUNK_DIGEST, digests_size
from odarchive.image import ondisc
from odarchive.image.ondisc import NO_SHA256, Placed, Read
from odarchive.image.spec import Attributes, Digests, DigestsOf, DiscPath, File, Inode, Late
from odarchive.imaging.sealing import Sealing
from odarchive.imaging.selection import Selection

Text = tuple[DiscPath, int, Callable[[], Iterable[bytes]]]
"""A file of the disc's own: path, size, bytes."""


@dataclass(frozen=True, slots=True)
class Wished:
    """What the texts need of the wish for a disc: its uuid and label, the archive's catalogue as (size, bytes)."""

    disc: str
    label: str
    extra: tuple[int, Callable[[], Iterable[bytes]]] | None


class OwnTexts:
    """The texts of one disc. ``sectors``: gives the first sector of each piece, once they are known."""

    def __init__(
        self, selection: Selection, sealing: Sealing | None, own: Attributes, sectors: Callable[[], Sequence[int]]
    ) -> None:
        self._selection, self._sealing, self._own, self._sectors = selection, sealing, own, sectors

    def early(self, entries: bytes, wished: Wished) -> Iterator[Text]:
        """Those that are known before anything is read; ``entries``: the entry list."""
        segment, archive = self._selection.segment, self._selection.facts["uuid"]
        readme = ondisc.readme(
            label=segment.label,
            segment=segment.id,
            archive=archive,
            created_ns=segment.created_ns,
            has_set_catalogue=wished.extra is not None,
            sealed=self._sealing is not None,
        )
        info = ondisc.disc_info(
            label=wished.label or segment.label,
            segment=segment.id,
            archive=archive,
            disc=wished.disc,
            created_ns=segment.created_ns,
            sealed=self._sealing is not None,
        )
        yield _text((ondisc.README,), readme)
        yield _text((ondisc.RESTORE,), ondisc.restore_script())
        if self._sealing is not None:
            yield _text((ondisc.UNSEAL,), ondisc.unseal_script())
        yield _text((ondisc.DISC_INFO,), info)
        yield self._secret(_text((ondisc.SET, ondisc.ENTRIES), entries))
        if wished.extra is not None:
            yield self._secret(((ondisc.SET, ondisc.SET_CATALOGUE), *wished.extra))

    def late(self, files: tuple[File, ...], placed: Sequence[Placed]) -> tuple[Late, ...]:
        """The catalogues and SHA256SUMS, whose sizes do not depend on sectors and digests."""
        inner = () if self._sealing is None else (self._inner(placed),)
        catalogue = self._catalogue(files, placed)
        summed = [
            (path, number)
            for number, file in enumerate(files)
            for inode in file.inodes
            for path in inode.paths
            if path != (ondisc.DISC_INFO,)  # stamped later
        ]
        summed += [(late.path, number) for number, late in enumerate((*inner, catalogue), len(files))]
        summed.sort()

        def rendered_sums(digests: DigestsOf) -> Iterator[bytes]:
            return (ondisc.sums_line(path, digests(number).sha256.hex()) for path, number in summed)

        size = sum(len(ondisc.sums_line(path, NO_SHA256)) for path, _ in summed)
        return (*inner, catalogue, Late((ondisc.SUMS,), self._own, size, rendered_sums))

    def _catalogue(self, files: tuple[File, ...], placed: Sequence[Placed]) -> Late:
        if self._sealing is None:

            def rendered(digests: DigestsOf) -> Iterator[bytes]:
                return self._rendered(placed, self._sectors(), _read(placed, digests))

            size = self._size(placed)
            return Late((ondisc.CATALOGUE,), self._own, size, rendered)

        def as_stored(digest: Callable[[int], bytes]) -> list[Placed]:
            sizes = [files[number].size for number in range(len(placed))]
            when = self._own.mtime_ns
            return [
                Placed(digest(number), size, when, None, size, piece.paths)
                for number, (piece, size) in enumerate(zip(placed, sizes, strict=True))
            ]

        def rendered_stored(digests: DigestsOf) -> Iterator[bytes]:
            stored = as_stored(lambda number: digests(number).blake3)
            read = lambda number: Read(digests(number).sha256.hex(), "")  # noqa: E731
            return self._rendered(stored, self._sectors(), read, outer=True)

        unlike = as_stored(lambda number: number.to_bytes(32, "big"))
        unread = self._rendered(unlike, [0] * len(placed), lambda _: Read(NO_SHA256, ""), outer=True)
        size = sum(map(len, unread))
        return Late((ondisc.CATALOGUE,), self._own, size, rendered_stored)

    def _inner(self, placed: Sequence[Placed]) -> Late:
        """What was encrypted: a catalogue of the contents themselves."""
        sealing = self._sealing
        assert sealing is not None  # noqa: S101  the caller asked
        path = _sealed_path((ondisc.SET, ondisc.CATALOGUE))
        size = self._size(placed)

        def rendered(_: DigestsOf) -> Iterator[bytes]:
            def plain() -> Iterator[bytes]:
                return self._rendered(placed, self._sectors(), _read(placed, sealing.plain.__getitem__))

            return sealing.text("/".join(path), plain, size)

        return Late(path, self._own, sealing.size(size), rendered)

    def _size(self, placed: Sequence[Placed]) -> int:
        """Bytes of a catalogue of the contents, whatever their digests."""
        unread = _read(placed, lambda number: Digests(bytes(32), bytes(32), bytes(digests_size(placed[number].length))))
        return sum(map(len, self._rendered(placed, [0] * len(placed), unread)))

    def _rendered(
        self,
        placed: Sequence[Placed],
        sectors: Sequence[int],
        read: Callable[[int], Read],
        *,
        outer: bool = False,
    ) -> Iterator[bytes]:
        return ondisc.catalogue_json(self._header(outer=outer), placed, sectors, read)

    def _header(self, *, outer: bool) -> dict[str, Any]:
        segment = self._selection.segment
        header = {
            "client_name": "odarchive",
            "date": ondisc.stamp_text(segment.created_ns),
            "guid": self._selection.facts["uuid"],
            "job_id": segment.id,
            "job_name": segment.label,
            "segment_size": segment.capacity,
        }
        if outer:
            return {**header, "encrypted": ondisc.AGE}
        if self._sealing is not None:
            return {**header, "recipients": self._selection.facts[RECIPIENTS].split()}
        return header

    def _secret(self, text: Text) -> Text:
        """The same, encrypted if the disc is."""
        sealing = self._sealing
        if sealing is None:
            return text
        path, size, render = text
        name = _sealed_path(path)
        return name, sealing.size(size), lambda: sealing.text("/".join(name), render, size)


def own_files(texts: Iterable[Text], own: Attributes) -> list[File]:
    """The texts as files."""
    return [File((Inode((path,), own),), size) for path, size, _ in texts]


def chunks_of(digests: Digests, placed: Placed) -> bytes:
    """The chunk digests of a file; a part of a content has one even if it is one chunk."""
    return digests.chunks or (b"" if placed.start is None else digests.blake3[:CHUNK_DIGEST])


def _read(placed: Sequence[Placed], digests: DigestsOf) -> Callable[[int], Read]:
    def read(number: int) -> Read:
        found = digests(number)
        return Read(found.sha256.hex(), chunks_of(found, placed[number]).hex())

    return read


def _text(path: DiscPath, text: bytes) -> Text:
    return path, len(text), lambda: (text,)


def _sealed_path(path: DiscPath) -> DiscPath:
    return (*path[:-1], path[-1] + ondisc.SEALED_SUFFIX)
