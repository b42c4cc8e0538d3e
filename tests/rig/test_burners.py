"""The real xorriso, wodim and growisofs behind one port, on virtual burners of the kernel's sr: `make rig`."""

import json
import os
import sys

import pytest

from tests.rig.juke import run
from tests.rig.vdisc.disc import make_blank

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("RIG"), reason="slow: a kernel in an emulator; `make rig` runs it"),
]

KINDS = [("bdr25", {}), ("cdr", {}), ("dvd+r", {}), ("dvd+r", {}), ("bdr25", {}), ("bdr25", {"bad_write": 900})]


@pytest.fixture(scope="module")
def burned(tmp_path_factory):
    work = tmp_path_factory.mktemp("burners")
    (work / "discs").mkdir()
    for number, (kind, faults) in enumerate(KINDS, 1):
        make_blank(work / "discs" / f"BD{number:04}", kind, 8192, **faults)
    done = run(work, [str(sys.executable), "-m", "tests.rig.burners_real"], drives=1)
    print(done.out, done.err)
    assert done.status == 0
    return json.loads((work / "burned.json").read_text())


@pytest.mark.parametrize("name", ["xorriso", "wodim cd", "wodim dvd", "growisofs dvd", "growisofs bd"])
def test_what_was_burned_reads_back_the_same(burned, name):
    found = burned[name]
    assert found.get("error") is None
    assert found["same"]
    assert not found["blank"]
    assert found["progress"] >= 1


def test_a_write_error_is_told_and_the_medium_counts_as_touched(burned):
    found = burned["growisofs bd that fails"]
    assert found["touched"] is True
    assert "WRITE ERROR" in found["error"]
