"""Benches keep what they measure only if they ran at their usual size, and every one of them keeps it."""

import json
import re
from pathlib import Path

import pytest

from tests.bench import table

BENCH = Path(__file__).parent / "bench"
OWN_WAY = {"mount", "recall", "scan"}
"""Areas that write their file part by part, or of what a person chose."""
AREAS = sorted({path.parent.name for path in BENCH.glob("*/test_bench_*.py")} - OWN_WAY)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "HERE", tmp_path)
    monkeypatch.setattr(table, "ROWS", tmp_path / "rows.json")
    (tmp_path / "area").mkdir()
    return tmp_path


def test_another_size_than_the_usual_is_printed_and_kept_nowhere(elsewhere, capsys):
    table.tell(elsewhere / "area", "# usual", usual=True)
    table.put("area", [("work", "other", "goal", "1.0")], "pytest", usual=True)
    kept = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    assert len(kept) == 3
    table.tell(elsewhere / "area", "# small", usual=False)
    table.put("area", [("work", "other", "goal", "9.9")], "pytest", usual=False)
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == kept
    assert capsys.readouterr().out == "# usual\n# small\n"


def test_the_table_says_whose_rows_it_has(elsewhere):
    table.tell(elsewhere / "area", "# all figures", usual=True)
    table.write()
    text = (elsewhere / "RESULTS.md").read_text()
    assert "[area](area/RESULTS.md)" in text
    assert "of the areas that hand in rows" in text
    areas = {path.parent.name for path in BENCH.glob("*/*.md")}
    assert {key.split()[0] for key in json.loads((BENCH / "rows.json").read_text())} <= areas


@pytest.mark.parametrize("area", AREAS)
def test_every_bench_keeps_its_figures_by_way_of_the_table(area):
    (path,) = (BENCH / area).glob("test_bench_*.py")
    text = path.read_text()
    assert not re.search(r'RESULTS\.md"\)\.write', text)
    assert ".tell(HERE, " in text
