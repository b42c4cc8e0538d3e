"""Waiting times as a picture: for each policy, which share of the reads waited how long at most. Plain SVG."""

from collections.abc import Mapping, Sequence
from math import log10
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 760, 420, 60
COLOURS = ("#888888", "#c44e52", "#dd8452", "#8172b3", "#4c72b0", "#2a9d5c")


def curves(waits: Mapping[str, Sequence[float]], title: str) -> str:
    """``waits`` in seconds, sorted, by policy; the time axis is logarithmic, from a minute on."""
    longest = max(values[-1] for values in waits.values()) / 60
    decades = 1
    while 10**decades < longest:
        decades += 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/><text x="{MARGIN}" y="24" '
        f'font-size="15">{escape(title)}</text>'
    ]
    for step in range(decades + 1):
        x = _x(10**step, decades)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{MARGIN}" y2="{HEIGHT - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{10**step} min</text>')
    for share in (0, 25, 50, 75, 99):
        y = _y(share / 100)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 8}" y="{y + 4}" text-anchor="end">{share} %</text>')
    for number, (name, values) in enumerate(waits.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{_x(max(value / 60, 1.0), decades):.1f},{_y((at + 1) / len(values)):.1f}"
            for at, value in enumerate(values)
            if at % 5 == 0 or at == len(values) - 1
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        y = MARGIN + 14 + 17 * number
        parts.append(f'<text x="{MARGIN + 12}" y="{y}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _x(minutes: float, decades: int) -> float:
    return round(MARGIN + (WIDTH - MARGIN - 20) * log10(minutes) / decades, 1)


def _y(share: float) -> float:
    return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share, 1)
