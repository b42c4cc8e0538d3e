"""Labels: everything lies where a disc can be printed, codes say what they should, and hostile names do no harm."""

import json
import math
import re
from dataclasses import replace
from itertools import product
from xml.etree import ElementTree

import pytest
import segno

from odarchive.cli import main
from odarchive.labels.code import MODULES, payload, square
from odarchive.labels.pdf import pdf
from odarchive.labels.shapes import CUT, Box, Text, clean, fit, listed, width
from odarchive.labels.sheets import LARGE, PAPERS, PRINTED, SMALL, Label, Sheet, face, hub, pages
from odarchive.labels.svg import html, svg
from tests.odarchive.librarian.shop import Shop

UUID = "a84b11eb-cbd5-43f0-8206-21d2f7637d83"
PLAIN = Label("ODA_0001", UUID, "2026-11-28", "24.1 GB", 1234, ("photos/2009 (1000)", "photos/2010 (234)"), "slot 7")
HOSTILE = Label(
    "W" * 32,
    UUID,
    "2026-11-28",
    "24.1 GB",
    10**9,
    ("<script>alert(1)</script>\x00\x1b[2J]]>&", ")) Tj (\\", "日本語/" * 40, "W" * 300, *(["x" * 80] * 20)),
    "shelf <b>2</b>, \udcff box (7",
)


def corners(shape):
    if isinstance(shape, Box):
        return product((shape.x, shape.x + shape.width), (shape.y, shape.y + shape.height))
    assert isinstance(shape, Text)
    return product((shape.left, shape.left + shape.width), (shape.y - shape.size, shape.y))


@pytest.mark.parametrize("label", [PLAIN, HOSTILE])
@pytest.mark.parametrize(
    ("drawn", "inner", "outer"), [("face", SMALL, PRINTED), ("face", LARGE, PRINTED), ("hub", SMALL, LARGE)]
)
def test_everything_lies_in_the_ring_that_can_be_printed(label, drawn, inner, outer):
    shapes = face(label, 0, 0, inner) if drawn == "face" else hub(label, 0, 0)
    assert any(isinstance(shape, Text) and shape.bold for shape in shapes)
    for shape in shapes:
        for x, y in corners(shape):
            assert math.hypot(x, y) <= outer / 2, shape
        (left, top), *_, (right, bottom) = sorted(corners(shape))
        nearest = math.hypot(max(left, 0, -right), max(min(top, bottom), 0, -max(top, bottom)))
        assert nearest >= inner / 2, shape


def test_nothing_lies_on_anything_else():
    rows = [pages(kind, [HOSTILE], paper="a4", inner=LARGE, title="t")[0].shapes for kind in (Sheet.BOX, Sheet.SPINE)]
    for shapes in (
        face(HOSTILE, 0, 0, LARGE),
        hub(HOSTILE, 0, 0),
        *rows,
    ):
        texts = [shape for shape in shapes if isinstance(shape, Text) and shape.text]
        for index, one in enumerate(texts):
            for other in texts[index + 1 :]:
                apart = one.left + one.width <= other.left or other.left + other.width <= one.left
                assert apart or one.y <= other.y - other.size * 0.75 or other.y <= one.y - one.size * 0.75, (one, other)


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("kind", Sheet)
@pytest.mark.parametrize("count", [1, 50])
def test_every_disc_is_on_a_sheet_once_and_on_the_paper(paper, kind, count):
    labels = [Label(f"ODA_{n:04}", UUID, "2026-11-28", "1 GB", 1, ("a",)) for n in range(count)]
    made = pages(kind, labels, paper=paper, inner=LARGE, title="Shelf 2")
    names = [
        shape.text
        for page in made
        for shape in page.shapes
        if isinstance(shape, Text) and shape.text.startswith("ODA_")
    ]
    assert names == [label.name for label in labels]
    wide, high = PAPERS[paper]
    for page in made:
        for shape in page.shapes:
            if isinstance(shape, Text | Box):
                assert all(0 <= x <= wide and 0 <= y <= high for x, y in corners(shape))


def test_the_code_says_the_disc_s_id_and_has_whole_modules():
    assert payload(UUID) == "ODA:A84B11EBCBD543F0820621D2F7637D83"
    boxes = square(UUID, 10, 20, 25)  # a millimetre for each module
    dark = {(round(box.y) - 20, round(box.x) - 10 + step) for box in boxes for step in range(round(box.width))}
    matrix = segno.make(payload(UUID), error="m", boost_error=False, micro=False).matrix
    assert len(matrix) == MODULES
    assert dark == {(row, column) for row, line in enumerate(matrix) for column, bit in enumerate(line) if bit}


def test_hostile_names_make_no_markup_and_no_commands():
    made = [page for kind in Sheet for page in pages(kind, [HOSTILE], paper="a4", inner=SMALL, title="<&\x00")]
    for page in made:
        root = ElementTree.fromstring(svg(page))  # noqa: S314  made here
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {"svg", "text", "rect", "line", "circle"}
    assert "<script>" not in html(made, "</title><script>")
    drawn = pdf(made, "a) (b")
    for content in re.findall(rb"stream\n(.*?)\nendstream", drawn, re.DOTALL):
        strings = re.sub(rb"\((?:\\.|[^()\\])*\)", b"()", content)
        assert not re.search(rb"[\\\x00\x1b]", strings)
        assert strings.count(b"(") == strings.count(b")") == strings.count(b"Tj")


def test_the_table_of_a_pdf_points_at_its_objects():
    data = pdf(pages(Sheet.BOX, [PLAIN] * 30, paper="letter", inner=LARGE, title="t"), "t")
    table = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    rows = data[table:].split(b"trailer")[0].splitlines()[3:]
    for number, row in enumerate(rows, 1):
        assert data[int(row[:10]) :].startswith(b"%d 0 obj" % number)
    for length, body in re.findall(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", data, re.DOTALL):
        assert int(length) == len(body)


def test_text_is_cut_at_its_beginning():
    assert fit("photos/2009", 3, 100) == "photos/2009"
    short = fit("a/very/long/path/to/holidays", 3, 20)
    assert short.startswith("...")
    assert short.endswith("holidays")
    assert width(short, 3) <= 20
    assert clean("a\nb\x00\udcff") == "a?b??"


def test_of_many_folders_the_first_stay_and_an_ellipsis_says_that_there_are_more():
    many = replace(PLAIN, folders=tuple(f"photos/{year} (1000)" for year in range(1990, 2024)))
    for kind, least in ((Sheet.BOX, 4), (Sheet.SPINE, 1)):
        (page,) = pages(kind, [many], paper="a4", inner=LARGE, title="t")
        (line,) = (one.text for one in page.shapes if isinstance(one, Text) and "photos/" in one.text)
        *shown, last = line.split(", ")
        assert len(shown) >= least
        assert tuple(shown) == many.folders[: len(shown)]
        assert last == CUT
    texts = [one.text for one in face(many, 0, 0, LARGE) if isinstance(one, Text)]
    shown = [text for text in texts if "photos/" in text]
    assert len(shown) >= 3
    assert tuple(shown) == many.folders[: len(shown)]
    assert texts[2 + len(shown)] == CUT


@pytest.mark.parametrize("room", [0.0, 1.0, 5.0, 20.0, 43.0, 80.0, 500.0])
def test_a_list_of_folders_has_room(room):
    for names in ((), ("a" * 30,), ("first folder", "second", "third"), ("b" * 90, "c")):
        line = listed(names, 3.0, room)
        assert width(line, 3.0) <= room
        if room == 500.0:
            assert line == ", ".join(names)
    assert listed(("first folder", "second", "third"), 3.0, 22.0) == "first folder, ..."


async def test_sheets_of_an_archive_that_has_discs(autojump_clock, tmp_path, capsys):
    shop = Shop(tmp_path)
    shop.build(folders=2)
    async with shop.life() as librarian:
        await shop.work(librarian)
    archive = ["-a", str(tmp_path / "archive")]
    for kind, suffix in product(("box", "face", "hub", "spine"), ("pdf", "svg", "html")):
        out = tmp_path / f"{kind}.{suffix}"
        assert main([*archive, "label", "SHOP_0001", "--sheet", kind, "--out", str(out)]) == 0
        assert out.stat().st_size > 500
    text = (tmp_path / "box.svg").read_text()
    assert "photos/00 (4), photos/01 (4)" in text
    assert "8 files, 240 kB" in text
    assert main([*archive, "label", "--all", "--no-folders", "--out", str(tmp_path / "secret.svg")]) == 0
    assert "photos" not in (tmp_path / "secret.svg").read_text()
    assert main([*archive, "label", "--all", "--out", str(tmp_path / "box.svg")]) != 0
    assert "exists already" in capsys.readouterr().err
    assert main([*archive, "label", "--all", "--out", str(tmp_path / "box.svg"), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pages"] == 1
    assert main([*archive, "label", "--out", str(tmp_path / "x.pdf")]) == 2
    assert main([*archive, "label", "--all", "--out", str(tmp_path / "x.doc")]) == 2
    with shop.archive.catalogue.read() as connection:
        from odarchive.catalogue import discs

        (disc,) = discs.everyone(connection)
        assert discs.find(connection, payload(disc.uuid)) == discs.find(connection, disc.uuid[:8]) == disc
