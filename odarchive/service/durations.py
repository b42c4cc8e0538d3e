"""Lengths of time for people: on the status page and in commands."""

import math


def duration(seconds: float) -> str:
    """A length of time, in two units at the most."""
    whole = round(seconds)
    for unit, name, below, under in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name} {rest} {under}" if rest and whole < 10 * unit else f"{whole // unit} {name}"
    return f"{whole} s"


def estimate(seconds: float) -> str:
    """A wait that nobody knows to the second."""
    return "less than a minute" if seconds < 60 else f"about {duration(60 * math.ceil(seconds / 60))}"
