import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from planted import new_catalogue  # lies beside the packages' tests


@pytest.fixture
def catalogue(tmp_path):
    made = new_catalogue(tmp_path / "catalogue.db")
    yield made
    made.close()


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder
