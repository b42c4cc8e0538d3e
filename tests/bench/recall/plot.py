"""Waiting times as a picture: for each policy, which share of the reads waited how long at most. Plain SVG."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, EDGE = 880, 460, 60, 48
COLOURS = ("#888888", "#c44e52", "#dd8452", "#8172b3", "#b39a3a", "#4c72b0", "#2a9d5c")
SHARES = (0, 25, 50, 75, 90, 99)
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240)
"""Minutes between two lines of the grid."""


def curves(waits: Mapping[str, Sequence[float]], title: str) -> str:
    """``waits`` in seconds, sorted, by policy."""
    longest = max(values[-1] for values in waits.values()) / 60
    step = next((step for step in STEPS if longest / step <= 8), STEPS[-1])
    end = step * (int(longest / step) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="24" '
        f'font-size="15">{escape(title)}: share of the reads that were served within a time</text>'
    ]
    for minutes in range(0, end + 1, step):
        x = _x(minutes, end)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{EDGE}" y2="{HEIGHT - EDGE}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - EDGE + 18}" text-anchor="middle">{minutes} min</text>')
    for share in SHARES:
        y = _y(share / 100)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 40}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share} %</text>')
    for number, (name, values) in enumerate(waits.items()):
        parts += _curve(name, values, COLOURS[number % len(COLOURS)], end)
        y = HEIGHT - EDGE - 14 - 17 * (len(waits) - 1 - number)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<text x="{WIDTH - 50}" y="{y}" fill="{colour}" text-anchor="end">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _curve(name: str, values: Sequence[float], colour: str, end: int) -> list[str]:
    width = 2.6 if name.startswith("odarchive") else 1.4
    points = " ".join(
        f"{_x(value / 60, end):.1f},{_y((at + 1) / len(values)):.1f}"
        for at, value in enumerate(values)
        if at % 5 == 0 or at == len(values) - 1
    )
    return [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>']


def _x(minutes: float, end: int) -> float:
    return round(LEFT + (WIDTH - LEFT - 40) * minutes / end, 1)


def _y(share: float) -> float:
    return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share, 1)
