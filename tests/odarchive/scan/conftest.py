import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "catalogue"))

from catalogue_kit import new_catalogue


@pytest.fixture
def catalogue(tmp_path):
    made = new_catalogue(tmp_path / "archive")
    yield made
    made.close()
