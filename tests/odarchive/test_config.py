"""The configuration: what it says, and that every mistake names file and key."""

import pytest

from odarchive.config import DriveConfig, load
from odarchive.errors import ConfigError, NoArchive


def write(tmp_path, text):
    (tmp_path / "archive.toml").write_text(text)
    return tmp_path


def test_everything_has_a_default_inside_the_archive(tmp_path):
    config = load(write(tmp_path, ""))
    assert config.staging == tmp_path / "staging"
    assert config.cache == tmp_path / "cache"
    assert config.socket == tmp_path / "librarian.sock"
    assert config.catalogue == tmp_path / "catalogue.db"
    assert config.robot.driver == "none"


def test_values_are_read(tmp_path):
    text = """
[robot]
driver = "odjp"
port = "/dev/ttyUSB0"
[[drive]]
kind = "sr"
path = "/dev/sr0"
[paths]
cache = "/var/cache/x"
[cache]
bytes = 5
[burn]
copies = 2
[recall]
deadline = 1.5
"""
    config = load(write(tmp_path, text))
    assert config.drives == (DriveConfig("sr", "/dev/sr0"),)
    assert str(config.cache) == "/var/cache/x"
    assert (config.cache_bytes, config.copies, config.deadline) == (5, 2, 1.5)


def test_a_folder_without_the_file_is_no_archive(tmp_path):
    with pytest.raises(NoArchive, match="odarchive init"):
        load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NoArchive):
        load(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[robto]", "robto"),
        ("[robot]\nporrt = ''", "porrt"),
        ("[burn]\ncopies = 'two'", "copies"),
        ("[burn]\ncopies = true", "copies"),
        ("[recall]\nhold = -1", "hold"),
        ("robot = 3", "robot"),
        ("drive = 3", "drive"),
        ("[[drive]]\nkind = 3", "kind"),
        ("not toml", "archive.toml"),
    ],
)
def test_mistakes_are_named(tmp_path, text, named):
    with pytest.raises(ConfigError, match=named):
        load(write(tmp_path, text))
