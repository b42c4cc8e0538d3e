"""Bad input gets one line, a code of the table, and with --json one document."""

import json
import os
import signal
import subprocess
import sys
import time

import click
import pytest

from odarchive.asked import Box, Question
from odarchive.cli import exits, main
from odarchive.errors import NotFound, OdarchiveError, OperatorNeeded


def _fails(cli, code, *words, says):
    assert cli(*words) == code, cli.err
    line = cli.err.removesuffix("\n")
    assert line.startswith("odarchive: ")
    assert "\n" not in line
    assert says in line
    assert cli.out == ""


def test_no_archive(cli):
    _fails(cli, 10, "info", says="odarchive init")
    _fails(cli, 10, "scan", "/etc", says=str(cli.root))
    assert not cli.root.exists()
    assert cli("ls", archive=False) == 10
    assert "--archive" in cli.err


def test_json_failure_is_one_document(cli):
    assert cli("info", "--json") == 10
    error = json.loads(cli.out)["error"]
    assert (error["code"], error["kind"]) == (10, "NoArchive")
    assert cli.err == f"odarchive: {error['message']}\n"


def test_source_that_is_not_there(archive, tmp_path):
    _fails(archive, 12, "scan", tmp_path / "nowhere", says="nowhere")
    (tmp_path / "file").write_text("x")
    _fails(archive, 12, "scan", tmp_path / "file", says="file")


def test_media_that_cannot_be(archive, source):
    assert archive("scan", source) == 0
    _fails(archive, 13, "plan", "--media", "100", says="larger")
    _fails(archive, 13, "plan", "--media", "70000", says="larger")
    _fails(archive, 3, "plan", "--media", "floppy", says="floppy")


def test_what_is_not_in_the_archive(archive, source):
    assert archive("scan", source) == 0
    _fails(archive, 16, "ls", "photos/none", says="photos/none")
    _fails(archive, 16, "whereis", "none", says="none")
    _fails(archive, 16, "image", "7", says="7")
    _fails(archive, 16, "burn", "7", says="7")


def test_no_librarian(archive, source):
    _fails(archive, 21, "robot", "status", says="odarchive serve")
    assert archive("scan", source) == 0
    assert archive("plan", "--media", "10MB") == 0
    _fails(archive, 21, "burn", "all", "--wait", says="odarchive serve")
    assert archive.json("job", "list")["jobs"] == []
    assert archive("burn", "all") == 0
    assert "no librarian is running" in archive.err
    assert [job["state"] for job in archive.json("job", "list")["jobs"]] == ["queued"]


def test_umount_of_what_is_no_mount(archive, tmp_path):
    _fails(archive, 24, "umount", tmp_path, says="not mounted")


def test_init_twice_changes_nothing(archive):
    before = (archive.root / "archive.toml").read_bytes()
    _fails(archive, 3, "init", "--label", "OTHER", says="already")
    assert (archive.root / "archive.toml").read_bytes() == before


@pytest.mark.parametrize(
    "words", [["image", "x"], ["burn", "3-"], ["burn", "0"], ["init", "--drive", "tape:x"], ["fly"]]
)
def test_usage(archive, words):
    assert archive(*words) == 2
    assert "Usage" in archive.err


def test_groups_of_failures_are_unpacked():
    group = ExceptionGroup("nursery", [OSError(5, "I/O", "x"), ExceptionGroup("inner", [NotFound("no\nsuch thing")])])
    assert exits.describe(group) == exits.Failure(16, "NotFound", "no such thing")
    assert exits.describe(OperatorNeeded("blanks")).code == 20
    assert exits.describe(OSError(28, "No space left on device", "/x")).message == "/x: No space left on device"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unforeseen_error_is_a_bug_with_a_traceback(cli, monkeypatch):
    monkeypatch.setattr("odarchive.cli.settings.Settings.root", lambda _self: 1 / 0)
    assert cli("info") == exits.BUG
    assert "Traceback" in cli.err
    assert cli.err.endswith("odarchive: internal error: division by zero\n")


def test_interrupt(cli, monkeypatch):
    def interrupted(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr("odarchive.cli.settings.Settings.root", interrupted)
    assert cli("info") == 130
    monkeypatch.setattr("odarchive.cli.settings.Settings.root", lambda _self: (_ for _ in ()).throw(click.Abort()))
    assert cli("info") == 130


def test_a_reader_that_leaves_ends_it_quietly(archive, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number:0100}").touch()
    assert archive("scan", folder) == 0
    argv = [sys.executable, "-m", "odarchive", "-a", str(archive.root), "ls", "many"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) in (0, -signal.SIGPIPE)


def test_main_never_raises(capsys):
    assert main(["--no-such-option"]) == 2
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("odarchive")
    assert os.getpid()


@pytest.mark.parametrize("words", [("load", "0"), ("load", "12345678"), ("move", "1", "9" * 5000), ("load", "-1")])
def test_a_place_that_no_machine_has_is_wrong_usage(archive, words):
    assert archive("robot", *words) == 2
    assert "Invalid value for" in archive.err or "No such option" in archive.err


def test_a_way_that_fails_does_not_hide_that_another_told(archive, tmp_path):
    told = tmp_path / "told"
    toml = archive.root / "archive.toml"
    program = f'command = ["cp", "/dev/stdin", "{told}"]'
    toml.write_text(toml.read_text().replace("[notify]", f'[notify]\nwebhook = "http://127.0.0.1:9/"\n{program}'))
    code = archive("notify", "--test", "--json")
    assert code == OdarchiveError.exit_code
    ways = json.loads(archive.out)["ways"]
    assert (ways["command"], ways["webhook"][:7]) == ("told", "failed:")
    assert archive.err.startswith("odarchive: no message by webhook: ")
    assert told.exists()
    assert archive("notify", "--test") == code
    assert "command   told" in archive.out


def test_who_asks_is_told_and_cannot_move_the_terminal(archive):
    Box(archive.root).ask(Question(7, "a/b", 5, "evil\x1b[2J (uid 1000)", time.time()))
    assert archive("asked") == 0
    assert "evil\\x1b[2J (uid 1000) waits for" in archive.out
