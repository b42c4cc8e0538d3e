"""Recall scheduling measured against other policies; prints the tables of ``RESULTS.md``.

With ``$ODARCHIVE_BENCH_OUT`` (a folder) set, the pictures of the waiting times are drawn into it.
"""

import os
from pathlib import Path
from statistics import mean

import pytest

from odarchive.librarian.turns import turn
from robot.sim.recall import first_come, longest_queue, play, squares_of_waits, stream, sum_of_waits, zipf_trace
from tests.bench.recall.plot import curves
from tests.bench.recall.policies import Ours

SEEDS = range(8)
DEADLINE = 600.0
"""Seconds a read in the mount waits at most, by default."""
HELD_AGAINST = {
    "first come, first served": (first_come, False),
    "longest queue": (longest_queue, True),
    "all of the disc, oldest next": (first_come, True),
}
MORE = {"sum of waits": (sum_of_waits, True), "sum of squared waits": (squares_of_waits, True)}
FIGURES = ("exchanges", "mean", "p99", "longest")


def _table(per_hour, drives=1):
    """Outcomes of every policy on every trace."""
    traces = {seed: zipf_trace(seed, per_hour=per_hour * drives, reads=1000 * drives) for seed in SEEDS}
    found = {
        name: [play(trace, policy, drives=drives, stays=stays) for trace in traces.values()]
        for name, (policy, stays) in (HELD_AGAINST | MORE).items()
    }
    found["odarchive"] = [play(trace, Ours(drives=drives), drives=drives) for trace in traces.values()]
    past = {seed: zipf_trace(seed, per_hour=per_hour * drives, other=1) for seed in SEEDS}
    found["odarchive, 1,000 recalls later"] = [
        play(trace, Ours(past[seed], drives=drives), drives=drives) for seed, trace in traces.items()
    ]
    return found


def _means(outcomes):
    return {what: mean(getattr(one, what) for one in outcomes) for what in FIGURES}


@pytest.mark.parametrize(("per_hour", "drives"), [(40, 1), (80, 1), (80, 2)])
def test_policies_on_a_trace_of_a_thousand_reads(per_hour, drives, capsys):
    found = _table(per_hour, drives)
    with capsys.disabled():
        print(f"\n{per_hour} reads an hour and drive, {drives} drives, mean of {len(SEEDS)} traces; minutes")
        print(f"  {'':<32}" + "".join(f"{what:>10}" for what in FIGURES))
        for name, outcomes in found.items():
            print(f"  {name:<32}" + "".join(f"{figure:10.1f}" for figure in _means(outcomes).values()))
    folder = os.environ.get("ODARCHIVE_BENCH_OUT")
    if folder and drives == 1:
        waits = {name: outcomes[0].waits for name, outcomes in found.items()}
        Path(folder, f"recall-{per_hour}.svg").write_text(curves(waits, f"Waiting times, {per_hour} reads an hour"))
    for learned in ("odarchive", "odarchive, 1,000 recalls later"):
        mine = _means(found[learned])
        for name in HELD_AGAINST:
            theirs = _means(found[name])
            assert mine["exchanges"] <= theirs["exchanges"], name
            assert mine["mean"] < theirs["mean"], name
            assert mine["p99"] < theirs["p99"] * (1.0 if per_hour == 80 else 1.02), name
        assert all(one.longest <= 1.5 * one.p99 for one in found[learned])


def test_readers_streaming_from_different_discs(capsys):
    def play_stream(readers, hold):
        return stream(readers, Ours(), hold=hold, turn=turn(DEADLINE, readers - 1))

    with capsys.disabled():
        print("\nreaders, hold s: exchanges for 1,000 reads, files an hour, longest pause min")
        for readers in (2, 4):
            for hold in (0.0, 2.0):
                one = play_stream(readers, hold)
                rate, pause = one.files / one.hours, one.longest_pause / 60
                print(f"  {readers}  {hold:3.1f}  {one.exchanges:6}  {rate:8.0f}  {pause:6.1f}")
    for readers in (2, 4):
        held = play_stream(readers, 2.0)
        assert play_stream(readers, 0.0).exchanges >= 1000
        assert held.exchanges <= 20
        assert held.longest_pause <= DEADLINE
