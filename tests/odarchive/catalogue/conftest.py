import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scan"))

from catalogue_kit import new_catalogue, sound
from story import Story
from trees import scanned, write


@pytest.fixture
def catalogue(tmp_path):
    made = new_catalogue(tmp_path / "archive")
    yield made
    made.close()


@pytest.fixture
def populated(catalogue, tmp_path):
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    write(source / "f", b"one")
    write(source / "g", b"two2")
    write(source / "d" / "h", b"three")
    scanned(catalogue, source)

    class Certain:
        random = staticmethod(lambda: 0.0)
        choice = staticmethod(lambda options: options[-1])

    story = Story(catalogue, source, Certain())
    story.plan()
    story.burn()
    scanned(catalogue, source)
    sound(catalogue)
    return catalogue
