"""Recall scheduling measured against other policies; prints the table and draws the waiting times as an SVG picture.

The picture goes to ``$ODARCHIVE_BENCH_OUT`` (a folder), if that is set.
"""

import os
from pathlib import Path
from statistics import mean

import pytest

from tests.bench.recall.plot import curves
from tests.bench.recall.policies import (
    first_come,
    longest_queue,
    ours,
    play,
    squares_of_waits,
    stream,
    sum_of_waits,
    zipf_trace,
)

SEEDS = range(8)
DEADLINE = 600.0
"""Seconds a read in the mount waits at most, by default."""
POLICIES = {
    "first come, first served": (first_come, False),
    "longest queue": (longest_queue, True),
    "sum of waits": (sum_of_waits, True),
    "sum of squared waits": (squares_of_waits, True),
    "all of the disc, oldest next": (first_come, True),
    "odarchive": (ours, True),
}


@pytest.mark.parametrize("per_hour", [40, 80])
def test_policies_on_a_trace_of_a_thousand_reads(per_hour, capsys):
    found = {
        name: [play(zipf_trace(seed, per_hour=per_hour), policy, stays=stays) for seed in SEEDS]
        for name, (policy, stays) in POLICIES.items()
    }
    with capsys.disabled():
        print(f"\n{per_hour} reads an hour, mean of {len(SEEDS)} traces: exchanges, minutes: mean, p99, longest")
        for name, outcomes in found.items():
            figures = [mean(getattr(one, what) for one in outcomes) for what in ("exchanges", "mean", "p99", "longest")]
            print(f"  {name:<30}" + "".join(f"{figure:9.1f}" for figure in figures))
    for name, outcomes in found.items():
        for mine, theirs in zip(found["odarchive"], outcomes, strict=True):
            assert mine.exchanges <= theirs.exchanges * 1.01, name
            assert mine.p99 <= theirs.p99 * 1.05, name
            assert mine.longest <= 1.5 * mine.p99
    folder = os.environ.get("ODARCHIVE_BENCH_OUT")
    if folder:
        waits = {name: outcomes[0].waits for name, outcomes in found.items()}
        Path(folder, f"recall-{per_hour}.svg").write_text(curves(waits, f"waiting times, {per_hour} reads an hour"))


def test_readers_streaming_from_different_discs(capsys):
    with capsys.disabled():
        print("\nreaders, hold s: exchanges for 1,000 reads, files an hour, longest pause min")
        for readers in (2, 4):
            for hold in (0.0, 2.0):
                one = stream(readers, hold=hold)
                rate, pause = one.files / one.hours, one.longest_pause / 60
                print(f"  {readers}  {hold:3.1f}  {one.exchanges:6}  {rate:8.0f}  {pause:6.1f}")
    for readers in (2, 4):
        held = stream(readers, hold=2.0)
        assert stream(readers, hold=0.0).exchanges >= 1000
        assert held.exchanges <= 20
        assert held.longest_pause <= DEADLINE
