"""Chunk digests: the same whatever the pieces they come in, and grids that cover a content or are none."""

import itertools
import random

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.chunks import CHUNK, CHUNK_DIGEST, ChunkedBlake3, Grid, Part, digests_size

LENGTHS = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK - 1)
DATA = random.Random(6).randbytes(3 * CHUNK)


def naive(data: bytes) -> bytes:
    return b"".join(blake3(data[at : at + CHUNK]).digest()[:CHUNK_DIGEST] for at in range(0, len(data), CHUNK))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("step", [CHUNK, CHUNK // 3, 2 * CHUNK + 5, 3 * CHUNK])
def test_digests_do_not_depend_on_the_pieces(length: int, step: int) -> None:
    data = DATA[:length]
    streamed = ChunkedBlake3()
    for at in range(0, length, step):
        streamed.update(data[at : at + step])
    for hasher in (streamed, ChunkedBlake3(data)):
        assert hasher.digest() == blake3(data).digest()
        assert hasher.chunks() == (naive(data) if length > CHUNK else b"")
        assert len(hasher.chunks()) == digests_size(length)


@settings(deadline=None)
@given(st.lists(st.integers(1, 2 * CHUNK), max_size=8))
def test_any_cuts(cuts: list[int]) -> None:
    hasher, at = ChunkedBlake3(), 0
    for cut in cuts:
        hasher.update(DATA[at : at + cut])
        at += cut
    hasher.update(DATA[at:])
    assert (hasher.digest(), hasher.chunks()) == (blake3(DATA).digest(), naive(DATA))


def test_a_grid_of_one_part_gives_every_chunk() -> None:
    data = DATA[: 2 * CHUNK + 7]
    grid = Grid.of(len(data), [Part(0, len(data), naive(data))])
    assert grid is not None
    assert [(chunk.start, chunk.length) for chunk in grid] == [(0, CHUNK), (CHUNK, CHUNK), (2 * CHUNK, 7)]
    for chunk in grid:
        assert blake3(data[chunk.start : chunk.start + chunk.length]).digest()[:CHUNK_DIGEST] == chunk.digest
    assert list(grid.over(CHUNK - 1, 2)) == [0, 1]
    assert list(grid.over(2 * CHUNK, 1000)) == [2]
    assert list(grid.over(len(data), 5)) == []
    with pytest.raises(IndexError):
        grid[3]


@settings(deadline=None)
@given(st.lists(st.integers(1, 3 * CHUNK - 1), max_size=5), st.randoms(use_true_random=False))
def test_parts_of_any_length_in_any_order(cuts: list[int], chance: random.Random) -> None:
    ends = [0, *sorted(set(cuts)), len(DATA)]
    parts = [Part(a, b - a, naive(DATA[a:b])) for a, b in itertools.pairwise(ends)]
    blind_alleys = [Part(0, 5, naive(DATA[:5])), Part(7, 2 * CHUNK, naive(DATA[7 : 7 + 2 * CHUNK]))]
    given_parts = parts + blind_alleys
    chance.shuffle(given_parts)
    grid = Grid.of(len(DATA), given_parts)
    assert grid is not None
    at = 0
    for number, chunk in enumerate(grid):
        assert chunk.start == at
        assert blake3(DATA[at : at + chunk.length]).digest()[:CHUNK_DIGEST] == chunk.digest
        assert grid.at(at) == grid.at(at + chunk.length - 1) == number
        at += chunk.length
    assert at == len(DATA)


def test_what_leaves_a_gap_or_is_one_chunk_is_no_grid() -> None:
    assert Grid.of(CHUNK, [Part(0, CHUNK, bytes(16))]) is None
    assert Grid.of(3 * CHUNK, [Part(0, CHUNK, bytes(16)), Part(2 * CHUNK, CHUNK, bytes(16))]) is None
    assert Grid.of(2 * CHUNK, [Part(0, 2 * CHUNK, bytes(16))]) is None, "fewer digests than chunks"
    assert Grid.of(2 * CHUNK, []) is None
