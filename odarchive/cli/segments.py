"""The argument ``[N|all]`` of commands that work on segments."""

import re

import click

from odarchive.model import SegmentId

ALL: list[SegmentId] | None = None
"""What ``all`` is parsed to."""
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def parse(_ctx: click.Context, _parameter: click.Parameter, value: str) -> list[SegmentId] | None:
    """Click's callback: None for ``all``, else the numbers in ``3``, ``3,5`` or ``3-7``."""
    if value == "all":
        return None
    numbers: list[SegmentId] = []
    for part in value.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise click.BadParameter(f"{value!r}: write all, or numbers of segments such as 3 or 3,5 or 3-7")
        low, high = int(match[1]), int(match[2] or match[1])
        if not 1 <= low <= high <= low + 100_000:
            raise click.BadParameter(f"{part!r} is no range of segments")
        numbers.extend(SegmentId(number) for number in range(low, high + 1))
    return numbers
