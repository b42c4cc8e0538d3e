"""Pages as SVG, and as one HTML document that prints each on a sheet of its own, in its true size."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from odarchive.labels.shapes import Box, Line, Page, Ring, Shape, Text

HAIR = 0.1
"""Millimetres of a hairline."""
_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


def svg(page: Page) -> str:
    """One page as an SVG document."""
    size = f"{page.width:g}mm", f"{page.height:g}mm"
    body = "\n".join(map(_shape, page.shapes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {page.width:g} {page.height:g}">\n{body}\n</svg>\n'
    )


def html(pages: Sequence[Page], title: str) -> str:
    """All pages as an HTML document to be printed without scaling."""
    paper = f"{pages[0].width:g}mm {pages[0].height:g}mm"
    style = (
        f"@page {{ size: {paper}; margin: 0 }} body {{ margin: 0 }} "
        "svg { display: block; break-after: page; background: white }"
    )
    body = "".join(map(svg, pages))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _shape(shape: Shape) -> str:
    match shape:
        case Text():
            weight = ' font-weight="bold"' if shape.bold else ""
            return (
                f'<text x="{shape.x:.3f}" y="{shape.y:.3f}" font-size="{shape.size:g}" font-family="{_FONT}"{weight} '
                f'text-anchor="{shape.anchor.value}" textLength="{shape.width:.3f}" lengthAdjust="spacingAndGlyphs">'
                f"{escape(shape.text)}</text>"
            )
        case Box():
            place = f'x="{shape.x:.3f}" y="{shape.y:.3f}" width="{shape.width:.3f}" height="{shape.height:.3f}"'
            return f'<rect {place} shape-rendering="crispEdges"/>'
        case Line():
            ends = f'x1="{shape.x1:.3f}" y1="{shape.y1:.3f}" x2="{shape.x2:.3f}" y2="{shape.y2:.3f}"'
            return f'<line {ends} stroke="#888" stroke-width="{HAIR}"/>'
        case Ring():
            place = f'cx="{shape.x:.3f}" cy="{shape.y:.3f}" r="{shape.radius:.3f}"'
            return f'<circle {place} fill="none" stroke="#888" stroke-width="{HAIR}"/>'
