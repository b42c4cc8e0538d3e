"""Running the command line in this process, on archives made for the test."""

import json

import pytest

from odarchive.cli import main


class Cli:
    """One archive and its commands; ``out`` and ``err`` are what the last one printed."""

    def __init__(self, capsys, root):
        self._capsys = capsys
        self.root = root
        self.out = self.err = ""

    def __call__(self, *words, archive=True):
        """Run a command and answer its exit code."""
        argv = [*(("--archive", str(self.root)) if archive else ()), *map(str, words)]
        self._capsys.readouterr()
        code = main(argv)
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *words):
        """Run a command that succeeds and answer its document."""
        assert self(*words, "--json") in (0, 1), self.err
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("ODARCHIVE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("odarchive.cli.settings._SYSTEM", tmp_path / "etc" / "config.toml")
    return Cli(capsys, tmp_path / "archive")


@pytest.fixture
def archive(cli):
    assert cli("init") == 0, cli.err
    return cli


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "photos"
    (folder / "empty").mkdir(parents=True)
    (folder / "one.jpg").write_bytes(b"1" * 30_000)
    (folder / "two.jpg").write_bytes(b"2" * 40_000)
    (folder / "link").symlink_to("one.jpg")
    return folder
