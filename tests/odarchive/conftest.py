"""A catalogue without an archive around it, and a folder to be scanned; packages with other needs make their own."""

import pytest
from planted import new_catalogue  # lies beside this file, which pytest puts on the path


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
