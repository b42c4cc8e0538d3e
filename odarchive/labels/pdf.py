"""Pages as a PDF (ISO 32000-1): exact sizes whatever prints them. It knows text, boxes, hairlines and circles.

Text is in the fonts that every reader has, so only in characters of Windows-1252; others become question marks.
"""

from collections.abc import Callable, Sequence

from odarchive.labels.shapes import Box, Line, Page, Ring, Shape, Text
from odarchive.labels.svg import HAIR

_POINTS = 72 / 25.4
_CURVE = 0.5523
"""How far the control points of a quarter circle lie (Bezier), in radii."""


def pdf(pages: Sequence[Page], title: str) -> bytes:
    """All pages as a PDF document."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (6 + 2 * number) for number in range(len(pages))), len(pages)),
        b"<< /Title (%s) /Producer (odarchive) >>" % _escaped(title),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    for page in pages:
        drawn = "\n".join(_shape(shape, page.height) for shape in page.shapes).encode("latin-1")
        box = f"[0 0 {page.width * _POINTS:.2f} {page.height * _POINTS:.2f}]".encode()
        fonts = b"<< /Font << /F1 4 0 R /F2 5 0 R >> >>"
        number = len(objects) + 1
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Resources %s /Contents %d 0 R >>" % (box, fonts, number + 1)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
    return _file(objects)


def _file(objects: Sequence[bytes]) -> bytes:
    """The objects with their numbers, the table of where each begins, and the trailer."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 3 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def _escaped(text: str) -> bytes:
    raw = text.encode("cp1252", "replace")
    return raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _shape(shape: Shape, height: float) -> str:
    """Operators of one shape; PDF counts points from the bottom."""

    def at(x: float, y: float) -> str:
        return f"{x * _POINTS:.3f} {(height - y) * _POINTS:.3f}"

    hair = f"{HAIR * _POINTS:.3f} w 0.5 G"
    match shape:
        case Text():
            font = "/F2" if shape.bold else "/F1"
            words = _escaped(shape.text).decode("latin-1")
            return f"BT {font} {shape.size * _POINTS:.3f} Tf {at(shape.left, shape.y)} Td ({words}) Tj ET"
        case Box():
            sides = f"{shape.width * _POINTS:.3f} {shape.height * _POINTS:.3f}"
            return f"0 g {at(shape.x, shape.y + shape.height)} {sides} re f"
        case Line():
            return f"{hair} {at(shape.x1, shape.y1)} m {at(shape.x2, shape.y2)} l S"
        case Ring():
            return f"{hair} {_circle(shape, at)} s"


def _circle(ring: Ring, at: Callable[[float, float], str]) -> str:
    x, y, r, c = ring.x, ring.y, ring.radius, ring.radius * _CURVE
    quarters = [
        ((x + r, y + c), (x + c, y + r), (x, y + r)),
        ((x - c, y + r), (x - r, y + c), (x - r, y)),
        ((x - r, y - c), (x - c, y - r), (x, y - r)),
        ((x + c, y - r), (x + r, y - c), (x + r, y)),
    ]
    curves = " ".join(f"{at(*a)} {at(*b)} {at(*end)} c" for a, b, end in quarters)
    return f"{at(x + r, y)} m {curves}"
