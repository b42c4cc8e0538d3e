import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "catalogue"))

from catalogue_kit import new_catalogue

from odarchive.reading import native


@pytest.fixture
def catalogue(tmp_path):
    made = new_catalogue(tmp_path / "archive")
    yield made
    made.close()


@pytest.fixture(params=["in C", "in Python"])
def both_ways(request, monkeypatch):
    """Reading by the extension, here and in the processes that a scan starts, and without it."""
    if request.param == "in Python":
        monkeypatch.setattr(native, "functions", None)
        monkeypatch.setenv(native.SWITCH, "0")
    elif native.functions is None:
        pytest.skip("without the extension")
