"""``python -m tests.simulation [--seconds N] [--first SEED] [--trace SEED]``: play fresh seeds; print what happened."""

import argparse
import logging
import os
import sys
import time
from collections import Counter

from tests.simulation.story import run


def main() -> int:
    """Play seeds until the time is over; 1 if one of them found a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--first", type=int, default=None)
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--trace", type=int, default=None, help="play this seed alone and print its trace")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # a storm is full of warnings
    if options.trace is not None:
        report = run(options.trace)
        print(*report.lines, sep="\n")
        print(report.digest, *report.violations, sep="\n")
        return bool(report.violations)
    first = options.first if options.first is not None else int.from_bytes(os.urandom(4))
    counts: Counter[str] = Counter()
    begin, virtual, played, bad = time.monotonic(), 0.0, 0, []
    while time.monotonic() - begin < options.seconds and (options.count is None or played < options.count):
        seed = first + played
        try:
            report = run(seed)
        except BaseException:
            print(f"seed {seed} broke:")
            raise
        played += 1
        virtual += report.virtual
        counts.update(report.counts)
        if report.violations:
            bad.append(seed)
            print(f"seed {seed}:", *report.violations, sep="\n  ")
    seconds = time.monotonic() - begin
    for name, count in sorted(counts.items()):
        print(f"{count:>8}  {name}")
    print(
        f"{played} seeds from {first} in {seconds:.1f} s ({played / seconds:.1f}/s), "
        f"{virtual / 3600:.0f} virtual hours, {len(bad)} with violations: {bad}"
    )
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
