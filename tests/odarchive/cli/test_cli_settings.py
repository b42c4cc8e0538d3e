"""Which archive a command works on: option, environment, personal file, the system's file."""

import pytest

from odarchive.cli.settings import Settings
from odarchive.errors import ConfigError, NoArchive


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.delenv("ODARCHIVE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("odarchive.cli.settings._SYSTEM", tmp_path / "etc" / "config.toml")
    return tmp_path


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_first_that_says_anything_decides(place, monkeypatch):
    with pytest.raises(NoArchive, match="--archive"):
        Settings().root()
    _write(place / "etc/config.toml", 'archive = "/system"')
    assert str(Settings().root()) == "/system"
    _write(place / "config/odarchive/config.toml", "other = 1")
    assert str(Settings().root()) == "/system"
    _write(place / "config/odarchive/config.toml", 'archive = "/personal"')
    assert str(Settings().root()) == "/personal"
    monkeypatch.setenv("ODARCHIVE", "/environment")
    assert str(Settings().root()) == "/environment"
    assert Settings(archive=place).root() == place


def test_home_is_the_default_place(place, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(place / "home"))
    _write(place / "home/.config/odarchive/config.toml", 'archive = "~/discs"')
    assert Settings().root() == place / "home/discs"


@pytest.mark.parametrize("text", ["archive = 3", 'archive = ""', "archive = ", "\x00"])
def test_a_wrong_file_is_named(place, text):
    _write(place / "config/odarchive/config.toml", text)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        Settings().root()
