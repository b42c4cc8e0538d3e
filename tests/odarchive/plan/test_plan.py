"""The planner: every byte once, never over capacity, deterministic, folders together, discs full."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.errors import MediumTooSmall
from odarchive.model import SECTOR
from odarchive.plan import Columns, Shape, Stream, plan, unit_loads

SHAPE = Shape(usable=1_000_000, fixed=100_000)


def tree(*parents, cost=5000):
    """Folders by their parents; -1: a source."""
    columns = Columns()
    for parent in parents:
        columns.add_folder(parent, cost)
    return columns


def flat(count):
    """A source (0) with top folders 1 to count."""
    return tree(-1, *[0] * count)


def parts(stream, disc):
    return [part for run in disc.runs for part in stream.parts(run)]


def true_cost(columns, chosen):
    """What a disc with these parts costs, computed plainly."""
    extras, paid = columns.extras_of(), set()
    for part in chosen:
        for folder in (columns.folder[part.item], *extras.get(part.item, ())):
            at = folder
            while at >= 0:
                paid.add(at)
                at = columns.parent[at]
    data = sum(-(-part.length // SECTOR) * SECTOR + columns.overhead[part.item] for part in chosen)
    data += sum(-(-part.length // (1 << 20)) * columns.per_mib for part in chosen)
    return data + sum(columns.folder_cost[folder] for folder in paid)


def check(columns, shape, discs, stream):
    """Every byte once, no disc too full, what is said of each disc is no less than the truth."""
    reached = dict.fromkeys(range(len(columns.length)), 0)
    seen = set()
    for start, part in sorted((part.start, part) for disc in discs for part in parts(stream, disc)):
        assert start == reached[part.item], part
        assert part.length > 0 or columns.length[part.item] == 0
        reached[part.item] += part.length
        seen.add(part.item)
    assert list(reached.values()) == list(columns.length)
    assert len(seen) == len(columns.length)
    for disc in discs:
        assert disc.runs
        fixed = shape.fixed + shape.reserve
        assert fixed + true_cost(columns, parts(stream, disc)) <= disc.bytes <= shape.usable


@st.composite
def problems(draw):
    """A random tree in tree order: items of a folder, then its children one after the other."""
    count = draw(st.integers(1, 8))
    above = [-1] + [draw(st.integers(-1, key - 1)) for key in range(1, count)]
    children = {key: [other for other in range(count) if above[other] == key] for key in range(-1, count)}
    columns, order, stack = Columns(per_mib=draw(st.sampled_from([0, 40, 70_000]))), {}, list(reversed(children[-1]))
    while stack:
        at = stack.pop()
        order[at] = columns.add_folder(order.get(above[at], -1), draw(st.integers(0, 9000)))
        stack += reversed(children[at])
    lengths = st.one_of(st.just(0), st.integers(1, 5000), st.integers(1, 400_000), st.integers(1, 3_000_000))
    others = st.lists(st.integers(0, count - 1), max_size=2, unique=True)
    homes = sorted(draw(st.lists(st.integers(0, count - 1), max_size=25)))
    for home in homes:
        columns.add(draw(lengths), draw(st.integers(0, 9000)), (home, *(set(draw(others)) - {home})))
    ends = draw(st.lists(st.integers(0, len(homes)), max_size=2))
    return columns, ends, Shape(1_000_000, 100_000, draw(st.sampled_from([0, 2048 * 100])))


@given(problems())
@settings(max_examples=150, derandomize=True, deadline=None)
def test_every_byte_is_on_exactly_one_disc_and_no_disc_is_too_full(problem):
    columns, ends, shape = problem
    stream = Stream(columns)
    discs = plan(stream, shape, ends)
    check(columns, shape, discs, stream)
    assert plan(Stream(columns), shape, ends) == discs


@given(problems(), st.data())
@settings(max_examples=100, derandomize=True, deadline=None)
def test_a_run_never_costs_less_than_what_is_in_it(problem, data):
    columns, _, _ = problem
    if not columns.length:
        return
    stream = Stream(columns)
    first = data.draw(st.integers(0, len(columns.length) - 1))
    end = data.draw(st.integers(first + 1, len(columns.length)))
    run = stream.whole(first, end)
    exact = not columns.extra_item
    cost = true_cost(columns, list(stream.parts(run)))
    assert stream.cost(run) >= cost
    assert not exact or stream.cost(run) == cost
    room = data.draw(st.integers(0, 2_000_000))
    fitting = stream.fitting(run, room)
    assert fitting == first or stream.cost(stream.whole(first, fitting)) <= room
    assert fitting == end or stream.cost(stream.whole(first, fitting + 1)) > room


@given(problems())
@settings(max_examples=100, derandomize=True, deadline=None)
def test_earlier_parts_of_the_tree_are_on_earlier_discs(problem):
    columns, ends, shape = problem
    stream = Stream(columns)
    discs = plan(stream, shape, ends)
    for end in ends:
        holding = [any(run.first < end for run in disc.runs) for disc in discs]
        assert holding == sorted(holding, reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_larger_tree(seed):
    chance = random.Random(seed)
    columns = tree(-1)
    for _ in range(chance.randrange(1, 60)):
        unit = columns.add_folder(0, 6000)
        for _ in range(chance.randrange(1, 6)):
            inner = columns.add_folder(unit, 6000)
            for _ in range(chance.randrange(1, 80)):
                columns.add(int(chance.lognormvariate(8, 2)), 3000, (inner,))
    stream = Stream(columns)
    discs = plan(stream, SHAPE)
    check(columns, SHAPE, discs, stream)
    bound = -(-stream.reach[-1] // SHAPE.room)
    assert len(discs) <= bound * 1.035 + 1  # the folders of every disc are not in the bound


def test_nothing_needs_no_disc():
    assert plan(Stream(Columns()), SHAPE) == ()


def test_a_small_archive_is_one_disc():
    columns = flat(1)
    for _ in range(10):
        columns.add(1000, 2500, (1,))
    discs = plan(Stream(columns), SHAPE)
    assert [run[:2] for disc in discs for run in disc.runs] == [(0, 10)]


def test_a_file_larger_than_a_disc_fills_discs_and_leaves_a_rest():
    columns = flat(1)
    columns.add(2_000_000, 2500, (1,))
    columns.add(1000, 2500, (1,))
    stream = Stream(columns)
    discs = plan(stream, SHAPE)
    starts = [part for disc in discs for part in parts(stream, disc) if part.item == 0]
    assert len(discs) == 3
    assert starts[0].length == starts[1].length
    assert starts[0].length % SECTOR == 0
    assert sum(part.length for part in starts) == 2_000_000


def test_top_folders_that_fit_on_a_disc_are_not_torn():
    columns = flat(6)
    for folder in range(1, 7):
        for _ in range(4):
            columns.add(100_000, 2500, (folder,))
    stream = Stream(columns)
    discs = plan(stream, SHAPE)
    assert len(discs) == 3
    assert unit_loads(stream, (disc.runs for disc in discs)) == 6


def test_discs_are_full_when_folders_do_not_fit_together():
    """Ten folders of 55 % of a disc each: whole folders alone would need ten discs."""
    columns = flat(10)
    for folder in range(1, 11):
        for _ in range(37):
            columns.add(10_000, 2500, (folder,))
    discs = plan(Stream(columns), SHAPE)
    assert len(discs) <= 7


@pytest.mark.parametrize("seed", range(3))
def test_large_files_come_close_to_the_lower_bound(seed):
    chance = random.Random(seed)
    columns = flat(20)
    for number in range(200):
        columns.add(chance.randrange(80_000, 480_000), 2500, (1 + number // 10,))
    stream = Stream(columns)
    discs = plan(stream, SHAPE)
    check(columns, SHAPE, discs, stream)
    bound = -(-stream.reach[-1] // SHAPE.room)
    assert len(discs) <= bound * 1.03 + 1
    least = sum(-(-stream.cost(stream.whole(at, at + 10)) // SHAPE.room) for at in range(0, 200, 10))
    assert unit_loads(stream, (disc.runs for disc in discs)) <= least * 1.2


def test_names_in_a_mirrored_folder_are_paid_once_not_for_each_file():
    columns = tree(-1, 0, 0)
    for _ in range(20):
        columns.add(1000, 2500, (1, 2))
    stream = Stream(columns)
    assert stream.cost(stream.whole(0, 20)) == 20 * (2048 + 2500) + 4 * 5000  # the source twice


def test_a_tree_that_is_not_in_order_is_refused():
    columns = flat(2)
    for folder in (1, 2, 1):
        columns.add(10, 0, (folder,))
    with pytest.raises(ValueError, match="not neighbours"):
        Stream(columns)
    with pytest.raises(ValueError, match="comes before its parent"):
        Stream(tree(1, -1))


def test_a_medium_that_holds_nothing_is_too_small():
    columns = flat(1)
    columns.add(10_000, 2500, (1,))
    with pytest.raises(MediumTooSmall, match="name a larger medium"):
        plan(Stream(columns), Shape(100_000, 100_000))
    with pytest.raises(MediumTooSmall, match="names and folders alone"):
        plan(Stream(columns), Shape(112_000, 100_000))
    with pytest.raises(MediumTooSmall, match="name a larger medium"):
        plan(Stream(columns), Shape(1_000_000, 100_000, 900_000))
