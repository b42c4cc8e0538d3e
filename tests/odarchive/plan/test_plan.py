"""The planner: every byte once, never over capacity, deterministic, folders together, discs full."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.errors import MediumTooSmall
from odarchive.model import SECTOR
from odarchive.plan import Folder, FolderKey, Item, ItemKey, Shape, plan

SHAPE = Shape(usable=1_000_000, fixed=100_000)


def item(key, length, folder=1, overhead=2500, others=()):
    return Item(ItemKey(key), 0, length, overhead, (FolderKey(folder), *map(FolderKey, others)))


def flat(*keys):
    """A source (0) with top folders of these keys."""
    return {FolderKey(0): Folder(None, 5000)} | {FolderKey(key): Folder(FolderKey(0), 5000) for key in keys}


def true_cost(disc, folders, shape):
    """What the disc costs, computed plainly."""
    paid = set()
    for one in disc.items:
        for key in one.folders:
            at = key
            while at is not None:
                paid.add(at)
                at = folders[at].parent
    data = sum(-(-one.length // SECTOR) * SECTOR + one.overhead for one in disc.items)
    return shape.fixed + data + sum(folders[key].cost for key in paid)


@st.composite
def problems(draw):
    count = draw(st.integers(1, 8))
    folders = {FolderKey(0): Folder(None, draw(st.integers(0, 9000)))}
    for key in range(1, count):
        folders[FolderKey(key)] = Folder(FolderKey(draw(st.integers(0, key - 1))), draw(st.integers(0, 9000)))
    places = st.lists(st.integers(0, count - 1), min_size=1, max_size=3, unique=True)
    lengths = st.one_of(st.just(0), st.integers(1, 5000), st.integers(1, 400_000), st.integers(1, 3_000_000))
    items = []
    for key in range(draw(st.integers(0, 25))):
        length, overhead, where = draw(lengths), draw(st.integers(0, 9000)), draw(places)
        items.append(Item(ItemKey(key), 0, length, overhead, tuple(map(FolderKey, where))))
    items.sort(key=lambda one: one.folders[0])
    return items, folders


@given(problems())
@settings(max_examples=200, derandomize=True, deadline=None)
def test_every_byte_is_on_exactly_one_disc_and_no_disc_is_too_full(problem):
    items, folders = problem
    discs = plan(items, folders, SHAPE)
    placed = {}
    for disc in discs:
        assert disc.items
        assert disc.bytes == true_cost(disc, folders, SHAPE) <= SHAPE.usable
        for one in disc.items:
            placed.setdefault(one.key, []).append((one.start, one.length))
    assert set(placed) == {one.key for one in items}
    for one in items:
        at = 0
        for start, length in sorted(placed[one.key]):
            assert start == at
            assert length > 0 or one.length == 0
            at += length
        assert at == one.length
    assert plan(items, folders, SHAPE) == discs


def test_nothing_needs_no_disc():
    assert plan([], {}, SHAPE) == ()


def test_a_small_archive_is_one_disc():
    discs = plan([item(key, 1000) for key in range(10)], flat(1), SHAPE)
    assert [len(disc.items) for disc in discs] == [10]


def test_a_file_larger_than_a_disc_fills_discs_and_leaves_a_rest():
    discs = plan([item(1, 2_000_000), item(2, 1000)], flat(1), SHAPE)
    starts = [(one.start, one.length) for disc in discs for one in disc.items if one.key == 1]
    assert len(discs) == 3
    assert starts[0][1] == starts[1][1]
    assert starts[0][1] % SECTOR == 0
    assert sum(length for _, length in starts) == 2_000_000


def test_top_folders_that_fit_on_a_disc_are_not_torn():
    items = [item(100 * folder + n, 100_000, folder) for folder in range(1, 7) for n in range(4)]
    discs = plan(items, flat(*range(1, 7)), SHAPE)
    assert len(discs) == 3
    for folder in range(1, 7):
        assert sum(any(one.folders[0] == folder for one in disc.items) for disc in discs) == 1


def test_discs_are_full_when_folders_do_not_fit_together():
    """Ten folders of 55 % of a disc each: whole folders alone would need ten discs."""
    items = [item(1000 * folder + n, 10_000, folder) for folder in range(1, 11) for n in range(37)]
    discs = plan(items, flat(*range(1, 11)), SHAPE)
    assert len(discs) <= 7


@pytest.mark.parametrize("seed", range(3))
def test_large_files_come_close_to_the_lower_bound(seed):
    chance = random.Random(seed)
    items = [item(n, chance.randrange(80_000, 480_000), 1 + n // 10) for n in range(200)]
    discs = plan(items, flat(*range(1, 21)), SHAPE)
    room = SHAPE.usable - SHAPE.fixed - 5000
    bound = -(-sum(one.length + 2500 for one in items) // room)
    assert len(discs) <= bound * 1.06 + 1


def test_a_medium_that_holds_nothing_is_too_small():
    with pytest.raises(MediumTooSmall, match="name a larger medium"):
        plan([item(1, 10)], flat(1), Shape(100_000, 100_000))
    with pytest.raises(MediumTooSmall, match="names and folders alone"):
        plan([item(1, 10_000)], flat(1), Shape(112_000, 100_000))
