"""The helper of mount(8): how its arguments are understood. That it mounts is in tests/odarchive/mount."""

import pytest

from odarchive.cli import fstab


def test_the_words_of_mount_are_understood() -> None:
    words = [
        "/archive",
        "/mnt",
        "-sn",
        "-t",
        "odarchive",
        "-o",
        "ro,nofail,x-systemd.automount,uid=5",
    ]
    spec, directory, options, fake = fstab.parse([*words, "-o", "umask=027", "-o", "allow_other,recall=ask"])
    assert (spec, directory, fake) == ("/archive", "/mnt", False)
    assert fstab.manner_of(options) == {"uid": 5, "umask": 0o027, "allow_other": True, "recall": "ask"}
    assert fstab.parse(["/archive", "/mnt", "-f"])[3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/archive"], "usage"),
        (["/archive", "/mnt", "-o"], "needs a value"),
        (["/archive", "/mnt", "-q"], "unknown argument"),
        (["/archive", "/mnt", "-o", "rw"], "write ro"),
        (["/archive", "/mnt", "-o", "recal=ask"], "unknown option recal=ask"),
        (["/archive", "/mnt", "-o", "recall=maybe"], "unknown option recall=maybe"),
        (["/archive", "/mnt", "-o", "uid=me"], "a number expected"),
        (["/archive", "/mnt", "-o", "umask=9"], "octal digits expected"),
    ],
)
def test_what_is_wrong_is_said_with_the_code_of_mount(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert fstab.main(words) == fstab.USAGE_CODE
    assert said in capsys.readouterr().err


def test_an_archive_that_is_none_is_a_failed_mount(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert fstab.main([str(tmp_path / "none"), str(tmp_path)]) == fstab.FAILURE_CODE
    assert "none" in capsys.readouterr().err
