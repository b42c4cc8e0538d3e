"""Which disc to serve next, and in which order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from odarchive.librarian.demand import Demand, Pace, choose, estimate
from odarchive.librarian.turns import turn
from odarchive.model import ContentId, DiscId, Extent, JobId, SegmentId

DISC = DiscId(1)


def ask(demand, content, *places):
    extents = [Extent(SegmentId(segment), start, 10, sector) for start, (segment, sector) in enumerate(places)]
    return demand.add(ContentId(content), b"d", 10 * len(places), JobId(content), extents)


def test_two_readers_of_one_content_share_one_want():
    demand = Demand()
    assert ask(demand, 1, (1, 5)) is ask(demand, 1, (1, 5))
    assert len(demand) == 1


def test_a_loaded_disc_is_served_first_then_the_oldest_request():
    demand = Demand()
    ask(demand, 1, (1, 5))
    ask(demand, 2, (2, 5))
    assert choose(demand, SegmentId(2), set()) == 2
    assert choose(demand, None, set()) == 1
    assert choose(demand, None, {SegmentId(1)}) == 2
    assert choose(demand, None, {SegmentId(1), SegmentId(2)}) is None


def test_a_disc_that_failed_a_want_is_not_asked_again():
    demand = Demand()
    want = ask(demand, 1, (1, 5))
    want.bad.add(DISC)
    assert demand.next_on(SegmentId(1), DISC, 0) is None
    assert demand.next_on(SegmentId(1), DiscId(2), 0) is not None


def test_ending_a_want_wakes_its_readers():
    demand = Demand()
    want = ask(demand, 1, (1, 5))
    woken = []
    want.on_change.append(lambda: woken.append(1))
    demand.end(want)
    assert woken == [1]
    assert len(demand) == 0


@given(st.lists(st.integers(0, 1000), unique=True, min_size=1), st.integers(0, 1000))
def test_an_elevator_visits_every_sector_once_with_at_most_one_turn(sectors, begin):
    demand = Demand()
    for number, sector in enumerate(sectors):
        ask(demand, number + 1, (1, sector))
    visited, position = [], begin
    while (found := demand.next_on(SegmentId(1), DISC, position)) is not None:
        want, extent = found
        visited.append(extent.sector)
        position = extent.sector + 1
        demand.end(want)
    assert sorted(visited) == sorted(sectors)
    turns = sum(later < earlier for earlier, later in itertools.pairwise(visited))
    assert turns <= 1


def test_the_estimate_counts_the_discs_that_come_before_and_what_is_read_of_them():
    demand = Demand()
    first = ask(demand, 1, (1, 5))
    second = ask(demand, 2, (2, 5))
    third = ask(demand, 3, (1, 50), (3, 5))
    pace = Pace(exchange=100.0, speed=10.0)
    assert estimate(demand, first, set(), pace) == 100 + 2
    assert estimate(demand, second, set(), pace) == 200 + 3
    assert estimate(demand, third, set(), pace) == 300 + 4
    assert estimate(demand, second, {SegmentId(2)}, pace) == 1
    assert estimate(demand, second, set(), Pace(exchange=100.0, speed=10.0, drives=2)) == 101.5


def test_discs_that_are_waited_for_share_the_deadline():
    for waiting in (1, 2, 3):
        assert waiting * (turn(600.0, waiting) + 75) <= 600.0
    assert turn(600.0, 50) == 60.0
