"""Keys by the command line: made once, shown when asked for, never overwritten, and tried against the archive."""

import json
import stat
import subprocess

import pytest

from odarchive.errors import ConfigError, KeyNeeded, OdarchiveError


@pytest.fixture
def sealed(cli, tmp_path):
    assert cli("init", "--new-key", tmp_path / "key.txt") == 0, cli.err
    return cli


def secret_of(path):
    return next(line for line in path.read_text().splitlines() if line.startswith("AGE-SECRET-KEY-1"))


def test_init_makes_a_key_and_names_it(sealed, tmp_path):
    key = tmp_path / "key.txt"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    recipient = subprocess.run(["age-keygen", "-y", key], capture_output=True, text=True, check=True).stdout.strip()
    assert recipient in sealed.out
    assert "nobody reads these discs" in sealed.err
    assert secret_of(key) not in sealed.out + sealed.err + (sealed.root / "archive.toml").read_text()
    assert sealed("key", "check") == 0
    assert "opens the discs" in sealed.out
    assert sealed.json("key", "check")["encrypted_to"] == [recipient]
    assert sealed("init", "--new-key", tmp_path / "second") == OdarchiveError.exit_code
    assert not (tmp_path / "second").exists()


def test_a_key_is_shown_for_paper(sealed, tmp_path):
    key, sheet = tmp_path / "key.txt", tmp_path / "sheet.html"
    assert sealed("key", "print", key) == 0
    assert secret_of(key) in sealed.out
    assert "█" in sealed.out
    assert sealed("key", "print", key, "--html", sheet) == 0
    assert secret_of(key) not in sealed.out + sealed.err
    assert secret_of(key) in sheet.read_text()
    assert "<svg" in sheet.read_text()
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert sealed("key", "print", key, "--html", sheet) == OdarchiveError.exit_code
    assert sealed("key", "new", key) == OdarchiveError.exit_code
    assert "never overwritten" in sealed.err


def test_encrypting_to_keys_that_are_elsewhere(cli, tmp_path):
    made = [cli.json("key", "new", tmp_path / name)["recipient"] for name in ("one", "two")]
    assert cli("init", *(word for one in made for word in ("--encrypt-to", one))) == 0
    assert cli("key", "check") == KeyNeeded.exit_code
    assert made[1] in cli.err
    assert cli("key", "check", tmp_path / "two") == 0
    assert cli("key", "new", tmp_path / "three") == 0
    assert cli("key", "check", tmp_path / "three") == KeyNeeded.exit_code
    assert "does not open this archive" in cli.err


def test_what_is_no_key_makes_no_archive(cli, archive, tmp_path):
    assert cli("--archive", tmp_path / "new", "init", "--encrypt-to", "ssh-ed25519 AAAA", archive=False) in (2, 15)
    assert ConfigError.exit_code == 15
    assert not (tmp_path / "new").exists()
    assert archive("key", "check") == OdarchiveError.exit_code
    assert "not encrypted" in archive.err


@pytest.fixture
def orphaned(cli, tmp_path):
    """Makes an archive with these options; its catalogue is in use, its archive.toml is lost."""

    def made(*words):
        assert cli("init", *words) == 0, cli.err
        (tmp_path / "source").mkdir()
        assert cli("scan", tmp_path / "source") in (0, 1)
        (cli.root / "archive.toml").unlink()
        return cli

    return made


def test_an_archive_whose_discs_are_plain_is_not_said_to_be_encrypted(orphaned, tmp_path):
    cli = orphaned()
    assert cli("key", "new", tmp_path / "one", "--json", archive=False) == 0
    recipient = json.loads(cli.out)["recipient"]
    for words in (("--new-key", tmp_path / "key"), ("--encrypt-to", recipient)):
        assert cli("init", *words) == OdarchiveError.exit_code
        assert "says that the discs of its archive are not encrypted" in cli.err
        assert cli.out == ""
        assert not (cli.root / "archive.toml").exists()
    assert not (tmp_path / "key").exists()
    assert cli.json("init")["encrypted_to"] == []


def test_an_encrypted_archive_stays_encrypted_to_the_same(orphaned, tmp_path):
    cli = orphaned("--new-key", tmp_path / "key", "--label", "KEPT", "--udf-symlinks")
    assert cli("key", "new", tmp_path / "one", "--json", archive=False) == 0
    recipient = json.loads(cli.out)["recipient"]
    assert cli("init", "--encrypt-to", recipient) == OdarchiveError.exit_code
    assert "are encrypted to age1" in cli.err
    assert recipient not in cli.err
    assert cli("init", "--new-key", tmp_path / "key") == OdarchiveError.exit_code
    assert cli("init", "--label", "NEW") == 0
    assert "its discs are encrypted to age1" in cli.out
    assert "labels begin with KEPT" in cli.err
    assert "discs show symlinks in UDF" in cli.err
    assert "name the file with its key in archive.toml" in cli.err
