"""Which disc to serve next, and in which order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from odarchive.librarian.demand import Demand, Habits
from odarchive.librarian.order import LATE, Pace, choose, estimates, urgency
from odarchive.librarian.turns import turn
from odarchive.model import ContentId, DiscId, Extent, JobId, SegmentId

DISC = DiscId(1)


def ask(demand, content, *places, at=0.0):
    extents = [Extent(SegmentId(segment), start, 10, sector) for start, (segment, sector) in enumerate(places)]
    return demand.add(ContentId(content), b"d", 10 * len(places), JobId(content), extents, at=at)


def test_two_readers_of_one_content_share_one_want():
    demand = Demand()
    assert ask(demand, 1, (1, 5)) is ask(demand, 1, (1, 5))
    assert len(demand) == 1


def test_a_loaded_disc_is_served_first_then_the_oldest_request():
    demand = Demand()
    ask(demand, 1, (1, 5))
    ask(demand, 2, (2, 5))
    assert choose(demand, SegmentId(2), set(), 0.0) == 2
    assert choose(demand, None, set(), 0.0) == 1
    assert choose(demand, None, {SegmentId(1)}, 0.0) == 2
    assert choose(demand, None, {SegmentId(1), SegmentId(2)}, 0.0) is None


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
    waits = estimates(demand, set(), pace, 0.0)
    assert waits[first.content] == 100 + 2
    assert waits[second.content] == 200 + 3
    assert waits[third.content] == 300 + 4
    assert estimates(demand, {SegmentId(2)}, pace, 0.0)[second.content] == 1
    two = Pace(exchange=100.0, speed=10.0, drives=2)
    assert estimates(demand, set(), two, 0.0)[second.content] == 101.5


def test_a_disc_for_which_much_has_waited_comes_before_a_lone_request_that_is_a_little_older():
    demand = Demand(Habits({SegmentId(1): 10, SegmentId(2): 10}))
    ask(demand, 1, (1, 5), at=0.0)
    for content in range(2, 6):
        ask(demand, content, (2, 5), at=1.0)
    assert choose(demand, None, set(), 100.0) == 2


def test_of_two_lone_requests_the_one_comes_for_whose_disc_waiting_gathers_nothing():
    demand = Demand(Habits({SegmentId(1): 1000, SegmentId(2): 1}))
    ask(demand, 1, (1, 5), at=0.0)
    ask(demand, 2, (2, 5), at=10.0)
    assert choose(demand, None, set(), 60.0) == 2


def test_past_a_round_the_oldest_request_goes_first_whatever_else_waits():
    demand = Demand(Habits({SegmentId(1): 1, SegmentId(2): 1000}))
    ask(demand, 1, (1, 5), at=0.0)
    for content in range(2, 400):
        ask(demand, content, (2, 5), at=1.0)
    pace = Pace(exchange=75.0)
    assert choose(demand, None, set(), LATE * 150.0, pace) == 2
    assert choose(demand, None, set(), LATE * 150.0 + 1, pace) == 1


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(0, 1e6))
def test_waiting_makes_urgent(ages, interval):
    later = [age + 60 for age in ages]
    assert 0 <= urgency(ages, interval) <= urgency(later, interval)
    assert urgency(ages, interval) <= urgency([*ages, 0.0], interval)


def test_discs_that_are_waited_for_share_the_deadline():
    for waiting in (1, 2, 3):
        assert waiting * (turn(600.0, waiting) + 75) <= 600.0
    assert turn(600.0, 50) == 60.0
