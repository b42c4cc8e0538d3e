"""The texts that a disc carries about itself, as files for a writer: what is known early, and what is known last.

On an encrypted disc the entry list, the catalogue of the archive and the catalogue of what was encrypted are age files;
``catalogue.json`` and ``SHA256SUMS`` tell of the age files as they stand there, so a disc is checked without a key.
"""

import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from odarchive.catalogue.seals import RECIPIENTS
from odarchive.chunks import CHUNK_DIGEST, digests_size
from odarchive.image import ondisc
from odarchive.image.ondisc import NO_SHA256, Placed, Read
from odarchive.image.spec import Attributes, Digests, DigestsOf, DiscPath, File, Inode, Late
from odarchive.imaging.sealing import Sealing
from odarchive.imaging.selection import Selection

_BLOCK = 1 << 16
"""Bytes that are handed on together."""

Text = tuple[DiscPath, int, Callable[[], Iterable[bytes]]]
"""A file of the disc's own: path, size, bytes."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents and parts of some on a disc, by number.

    Attributes:
        count: How many.
        placed: One of them.
        by_digest: Their numbers by digest and start.
        paths: Every path and its number, by path.
    """

    count: int
    placed: Callable[[int], Placed]
    by_digest: Callable[[], Sequence[int]]
    paths: Callable[[], Iterable[tuple[DiscPath, int]]]


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

    def early(self, entries: Callable[[], Iterable[bytes]], wished: Wished) -> Iterator[Text]:
        """Those that are known before anything is read; ``entries``: the lines of the entry list."""
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
        size = sum(map(len, entries()))
        yield self._secret(((ondisc.SET, ondisc.ENTRIES), size, lambda: _blocks(entries())))
        if wished.extra is not None:
            yield self._secret(((ondisc.SET, ondisc.SET_CATALOGUE), *wished.extra))

    def late(self, files: Sequence[File], contents: Contents) -> tuple[Late, ...]:
        """The catalogues and SHA256SUMS, whose sizes do not depend on sectors and digests."""
        inner = () if self._sealing is None else (self._inner(contents),)
        catalogue = self._catalogue(files, contents)
        own = [
            (path, number)
            for number in range(contents.count, len(files))
            for inode in files[number].inodes
            for path in inode.paths
            if path != (ondisc.DISC_INFO,)  # stamped later
        ]
        own += [(late.path, number) for number, late in enumerate((*inner, catalogue), len(files))]
        own.sort()

        def rendered_sums(digests: DigestsOf) -> Iterator[bytes]:
            summed = heapq.merge(contents.paths(), own)
            return _blocks(ondisc.sums_line(path, digests(number).sha256.hex()) for path, number in summed)

        size = sum(len(ondisc.sums_line(path, NO_SHA256)) for path, _ in chain(own, contents.paths()))
        return (*inner, catalogue, Late((ondisc.SUMS,), self._own, size, rendered_sums))

    def _catalogue(self, files: Sequence[File], contents: Contents) -> Late:
        if self._sealing is None:

            def rendered(digests: DigestsOf) -> Iterator[bytes]:
                return self._rendered(contents, self._sectors().__getitem__, _read(digests))

            return Late((ondisc.CATALOGUE,), self._own, self._size(contents), rendered)

        def as_stored(digest: Callable[[int], bytes]) -> Contents:
            def placed(number: int) -> Placed:
                size, paths = files[number].size, contents.placed(number).paths
                return Placed(digest(number), size, self._own.mtime_ns, None, size, paths)

            order = lambda: array("I", sorted(range(contents.count), key=digest))  # noqa: E731
            return Contents(contents.count, placed, order, contents.paths)

        def rendered_stored(digests: DigestsOf) -> Iterator[bytes]:
            stored = as_stored(lambda number: digests(number).blake3)
            read = lambda number, _: Read(digests(number).sha256.hex(), "")  # noqa: E731
            return self._rendered(stored, self._sectors().__getitem__, read, outer=True)

        unlike = as_stored(lambda number: number.to_bytes(32, "big"))
        unread = self._rendered(unlike, _nowhere, lambda *_: Read(NO_SHA256, ""), outer=True)
        size = sum(map(len, unread))
        return Late((ondisc.CATALOGUE,), self._own, size, rendered_stored)

    def _inner(self, contents: Contents) -> Late:
        """What was encrypted: a catalogue of the contents themselves."""
        sealing = self._sealing
        assert sealing is not None  # noqa: S101  the caller asked
        path = _sealed_path((ondisc.SET, ondisc.CATALOGUE))
        size = self._size(contents)

        def rendered(_: DigestsOf) -> Iterator[bytes]:
            def plain() -> Iterator[bytes]:
                return self._rendered(contents, self._sectors().__getitem__, _read(sealing.plain.__getitem__))

            return sealing.text("/".join(path), plain, size)

        return Late(path, self._own, sealing.size(size), rendered)

    def _size(self, contents: Contents) -> int:
        """Bytes of a catalogue of the contents, whatever their digests."""

        def unread(_: int, placed: Placed) -> Read:
            digests = Digests(bytes(32), b"", bytes(digests_size(placed.length)))
            return Read(NO_SHA256, chunks_of(digests, whole=placed.start is None).hex())

        return sum(map(len, self._rendered(contents, _nowhere, unread)))

    def _rendered(
        self,
        contents: Contents,
        sectors: Callable[[int], int],
        read: Callable[[int, Placed], Read],
        *,
        outer: bool = False,
    ) -> Iterator[bytes]:
        header, order = self._header(outer=outer), contents.by_digest()
        return _blocks(ondisc.catalogue_json(header, contents.placed, order, sectors, read))

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


def chunks_of(digests: Digests, *, whole: bool) -> bytes:
    """The chunk digests of a file; a part of a content has one even if it is one chunk."""
    return digests.chunks or (b"" if whole else digests.blake3[:CHUNK_DIGEST])


def _read(digests: DigestsOf) -> Callable[[int, Placed], Read]:
    def read(number: int, placed: Placed) -> Read:
        found = digests(number)
        return Read(found.sha256.hex(), chunks_of(found, whole=placed.start is None).hex())

    return read


def _blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces: each goes through threads that hash and write."""
    block = bytearray()
    for part in parts:
        block += part
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _nowhere(_: int) -> int:
    return 0


def _text(path: DiscPath, text: bytes) -> Text:
    return path, len(text), lambda: (text,)


def _sealed_path(path: DiscPath) -> DiscPath:
    return (*path[:-1], path[-1] + ondisc.SEALED_SUFFIX)
