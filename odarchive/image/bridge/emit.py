"""One forward pass: a layout and the files' data become an image.

Not for deciding anything: every place comes from the layout, and emission stops where it would leave it. Nothing is
ever filled in for data that are missing.

Concurrency: blocking; run it in a thread. To cancel, raise from ``progress``; an image cut short is worthless.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from odarchive.image.bridge import iso_volume, udf_volume
from odarchive.image.bridge.data import DataRegion, LateContent, Opener, Options, Written
from odarchive.image.bridge.errors import EmitError
from odarchive.image.bridge.layout import Layout
from odarchive.image.bridge.sectors import (
    ANCHOR,
    INTEGRITY,
    MAIN_SEQUENCE,
    PARTITION,
    RECOGNITION,
    RESERVE_SEQUENCE,
)
from odarchive.image.bridge.sink import ByteWriter, Sink
from odarchive.image.bridge.tree import DIRECTORY, FILE, ROOT
from odarchive.image.bridge.udf_nodes import FIRST_UNIQUE_ID

S = TypeVar("S")


def emit(
    layout: Layout[S],
    opener: Opener[S],
    out: int | ByteWriter,
    options: Options = Options(),  # noqa: B008 - frozen, so sharing it is harmless
    late: LateContent[S] | None = None,
) -> Written[S]:
    """Write the image.

    Args:
        layout: The plan.
        opener: See `Opener`.
        out: Descriptor or file object; only ever written forward, never sought, flushed or closed.
        options: Hashes and progress.
        late: See `LateContent`.

    Raises:
        SourceError: A source failed, or is shorter or longer than promised.
        OSError: The output failed.
        EmitError: A defect of this package.
    """
    written = Written(layout, len(options.file_hash().digest()))
    image = options.image_hash() if options.image_hash else None
    with Sink(out, image, options.progress) as sink:
        for first, parts in _regions(layout):
            sink.pad_to(first, header=first <= PARTITION)
            sink.extend(parts)
        data = DataRegion(layout, sink, options, written)
        data.early(opener)
        data.late(late)
        sink.pad_to(layout.data_end)
        sink.extend(udf_volume.anchor(sector) for sector in range(layout.data_end, layout.sectors))
        sink.settle()
        if sink.taken != layout.size:
            raise EmitError(f"{sink.taken} bytes written where {layout.size} were laid out")
    written.image_digest = image.digest() if image else None
    return written


def _regions(layout: Layout[S]) -> Iterator[tuple[int, Iterable[bytes]]]:
    """The metadata: first sector and bytes of each region, in order."""
    identity, counts = layout.volume.identity, _counts(layout)
    main, reserve = (udf_volume.volume_sequence(s, identity, counts) for s in (MAIN_SEQUENCE, RESERVE_SEQUENCE))
    tables = layout.path_tables
    yield RECOGNITION, (_iso_primary(layout), iso_volume.terminator(), udf_volume.recognition())
    yield MAIN_SEQUENCE, (main,)
    yield INTEGRITY, (udf_volume.integrity_sequence(identity, counts),)
    yield RESERVE_SEQUENCE, (reserve,)
    yield ANCHOR, (udf_volume.anchor(ANCHOR),)
    yield PARTITION, (udf_volume.file_set(identity, layout.entry_block[ROOT]),)
    yield tables.little, iso_volume.path_table(_path_entries(layout), big=False)
    yield tables.big, iso_volume.path_table(_path_entries(layout), big=True)
    iso, extents = layout.iso, layout.iso_extents
    for directory in layout.shape.walk:
        yield layout.first_sector[directory], iso.build(directory, extents)
    udf, places = layout.udf, layout.udf_places
    for directory in layout.shape.walk:
        yield layout.entry_block[directory] + PARTITION, udf.build(directory, places)


def _counts(layout: Layout[S]) -> udf_volume.Counts:
    kinds = layout.tree.kind
    directories = kinds.count(DIRECTORY)
    files = kinds.count(FILE) + len(layout.stored.components)
    return udf_volume.Counts(layout.data_end - PARTITION, files, directories, len(kinds) + FIRST_UNIQUE_ID)


def _iso_primary(layout: Layout[S]) -> bytes:
    tables = layout.path_tables
    root = layout.iso.root_record(layout.iso_extents)
    places = iso_volume.IsoPlaces(layout.sectors, tables.bytes_each, tables.little, tables.big, root)
    return iso_volume.primary(layout.volume, places)


def _path_entries(layout: Layout[S]) -> Iterator[iso_volume.PathEntry]:
    first, shape = layout.first_sector, layout.shape
    yield iso_volume.PathEntry(b"\0", first[ROOT], 1)
    left = layout.path_tables.directories - 1
    for number, directory in enumerate(shape.levels, 1):
        for position, child in enumerate(shape.subdirectories(directory)):
            if not left:
                return
            left -= 1
            yield iso_volume.PathEntry(b"D%07d" % position, first[child], number)
