import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scan"))

from catalogue_kit import new_catalogue  # noqa: E402  the path above comes first


@pytest.fixture
def catalogue(tmp_path):
    made = new_catalogue(tmp_path / "archive")
    yield made
    made.close()
