"""Split and joined: what is cut over discs is the file again from the parts on images, whose sizes are as planned."""

import tempfile
from pathlib import Path

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import new_catalogue, plant, rows

from odarchive.catalogue import schema
from odarchive.imaging import build_image
from odarchive.media import Medium
from odarchive.model import SECTOR
from odarchive.planning import Reserve, Wish, make_plan

SIZES = st.one_of(st.just(0), st.integers(1, 5_000), st.integers(1, 400_000), st.integers(1_000_000, 3_000_000))


@given(
    trees=st.lists(st.lists(SIZES, min_size=1, max_size=6), min_size=1, max_size=4),
    capacity=st.integers(1_500_000, 3_000_000),
    share=st.sampled_from([0.0, 0.15]),
    seed=st.integers(0, 255),
)
@settings(max_examples=10, derandomize=True, deadline=None)
def test_parts_on_images_are_the_files_again(trees, capacity, share, seed):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for number, sizes in enumerate(trees):
            folder = root / "source" / f"folder {number}"
            folder.mkdir(parents=True)
            for file, size in enumerate(sizes):
                (folder / f"file {file}").write_bytes(blake3(bytes([seed, number, file])).digest(size))
        catalogue = new_catalogue(root / "catalogue.db")
        plant(catalogue, root / "source")
        medium, wish = Medium("small", capacity, capacity), Wish(reserve=Reserve(share))
        planned = make_plan(catalogue, medium, wish).segments
        images = {}
        for segment in planned:
            images[segment.id] = build_image(catalogue, segment.id, root / "out").path
            assert images[segment.id].stat().st_size == segment.planned_bytes <= wish.usable(medium)
        joined = {row.id: bytearray() for row in rows(catalogue, schema.content)}
        for piece in rows(catalogue, schema.piece, schema.piece.c.content, schema.piece.c.start):
            assert len(joined[piece.content]) == piece.start
            with images[piece.segment].open("rb") as file:
                file.seek(piece.sector * SECTOR)
                joined[piece.content] += file.read(piece.length)
        for row in rows(catalogue, schema.content):
            assert blake3(joined[row.id]).digest() == row.digest
        catalogue.close()
