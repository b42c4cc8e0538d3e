"""The fault table: every row has its tests, and they exist."""

import ast
from pathlib import Path

import pytest

from odarchive.bootstrap import _only_one
from odarchive.errors import Locked
from tests.simulation.rows import ROWS
from tests.simulation.story import LINE, MOTION, NEWER, OTHERS

TESTS = Path(__file__).parents[1]
PEOPLE = ("swap", "move", "foreign", "blank", "take", "written")
"""What a person does to the machine (``people``)."""


def test_all_rows_are_there():
    assert list(ROWS) == list(range(1, 43))


@pytest.mark.parametrize("number", ROWS)
def test_a_row_has_tests_that_exist(number):
    row = ROWS[number]
    assert row.tests
    for name in row.tests:
        file, _, function = name.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_switch_is_one_of_the_simulation_and_every_fault_of_it_belongs_to_a_row():
    known = {*LINE, *MOTION, *OTHERS, *NEWER, *PEOPLE}
    used = {switch for row in ROWS.values() for switch in row.switches}
    assert used <= known
    assert known - used == {"fault", "jam-empty", "jam-held", "burner-missing", "person"}  # beyond the table


def test_a_second_librarian_is_refused(tmp_path):
    lock = tmp_path / "lock"
    with _only_one(lock), pytest.raises(Locked, match="another librarian"), _only_one(lock):
        pass
    with _only_one(lock):
        pass
