import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scan"))

from catalogue_kit import MANY, new_catalogue, sound
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


@pytest.fixture
def grown(catalogue, tmp_path):
    """Scanned; then names come between those of runs, and some of these change, go, or get further names."""
    source = tmp_path / "source"
    for name in ("many", "few", "one"):
        (source / name).mkdir(parents=True)
    for number in range(MANY):
        write(source / "many" / f"f{number:03}", b"bytes %d" % (number // 2))
    for number in range(3):
        write(source / "few" / f"f{number}", b"" if number else b"few")
    write(source / "one" / "f", b"one")
    (source / "many" / "f030 folder").mkdir()
    (source / "many" / "f031 link").symlink_to("f000")
    scanned(catalogue, source, workers=1)
    for number in range(0, MANY, 3):
        write(source / "many" / f"f{number:03} later", b"later %d" % number)
    write(source / "many" / "f010", b"other bytes")
    (source / "many" / "f011").chmod(0o600)
    (source / "many" / "f012").unlink()
    os.link(source / "many" / "f013", source / "one" / "linked")
    scanned(catalogue, source)
    return catalogue
