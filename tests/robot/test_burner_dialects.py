"""What wodim and growisofs say: transcripts of wodim 1.1.11 and growisofs 7.1 on virtual burners behind Linux's sr."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.burners.cdrecord import Cdrecord
from robot.burners.dialect import Task
from robot.burners.growisofs import Growisofs
from robot.burners.xorriso import Xorriso
from robot.errors import BurnerMissing

GOLDEN = Path(__file__).parent / "golden" / "burners"
SIZE = 4 << 20
DIALECTS = {"wodim": Cdrecord(), "growisofs": Growisofs()}


def transcript(name):
    """Lines and exit status."""
    text = (GOLDEN / f"{name}.txt").read_text().replace("\r", "\n")
    *lines, last = text.splitlines()
    return [line.rstrip() for line in lines], int(last.removeprefix("exit "))


def judged(name, size=SIZE):
    lines, status = transcript(name)
    return DIALECTS[name.split("-")[0]].judge(status, lines, size)


@pytest.mark.parametrize("name", ["wodim-cdr", "wodim-dvd", "growisofs-bdr", "growisofs-bdr-pipe", "growisofs-dvd"])
def test_a_good_burn_is_one(name):
    verdict = judged(name)
    assert verdict.success
    assert verdict.began


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wodim-notblank", "invalid address for write"),
        ("growisofs-bad", "WRITE@LBA=380h failed with SK=3h/WRITE ERROR]: Input/output error"),
    ],
)
def test_a_burn_that_failed_names_the_cause(name, reason):
    verdict = judged(name)
    assert not verdict.success
    assert verdict.began
    assert verdict.reason == reason


def test_a_count_that_is_not_the_images_is_no_success():
    assert not judged("wodim-cdr", SIZE + 2048).success
    lines, _ = transcript("growisofs-bdr")
    counted = [*lines, "builtin_dd: 2047*2KB out @ average 0.1x1352KBps"]
    assert not Growisofs().judge(0, counted, SIZE).success
    assert Growisofs().judge(0, [*lines, "builtin_dd: 2048*2KB out @ average 0.1x1352KBps"], SIZE).success


def test_exit_status_0_without_words_is_no_success():
    for dialect in DIALECTS.values():
        verdict = dialect.judge(0, [], SIZE)
        assert not verdict.success
        assert not verdict.began


def test_a_complaint_of_closing_is_left_to_the_reading_back():
    """Some drives close a BD-R by themselves and then refuse to be told (dvd+rw-tools, frequently seen)."""
    lines, _ = transcript("growisofs-bdr")
    complaint = ":-[ CLOSE SESSION failed with SK=5h/ASC=72h/ACQ=03h]: Input/output error"
    assert Growisofs().judge(5, [*lines, complaint], SIZE).success


def test_an_errno_in_the_exit_status_of_growisofs_is_spelled_out():
    verdict = Growisofs().judge(130, [], SIZE)
    assert verdict.reason == "exit status 130: No such file or directory"
    assert not verdict.began


@pytest.mark.parametrize(
    ("name", "last", "buffer"),
    [("wodim-cdr", SIZE, 0), ("growisofs-bdr", 2_260_992, 0), ("growisofs-bdr-pipe", 3_080_192, 0)],
)
def test_progress(name, last, buffer):
    dialect = DIALECTS[name.split("-")[0]]
    found = [progress for line in transcript(name)[0] if (progress := dialect.progress(line, SIZE)) is not None]
    assert found[-1].written == last
    assert found[-1].total == SIZE
    assert found[-1].buffer_percent == buffer
    assert [one.written for one in found] == sorted(one.written for one in found)


@pytest.mark.parametrize("name", ["wodim-cdr", "growisofs-bdr"])
def test_closing_is_heard(name):
    dialect = DIALECTS[name.split("-")[0]]
    assert any(dialect.closing(line) for line in transcript(name)[0])
    assert not any(dialect.closing(line) for line in transcript(name)[0] if dialect.progress(line, SIZE))


def task(profile, **more):
    return Task("/dev/sr0", "/somewhere/i.iso", SIZE, profile, **more)


def test_each_program_refuses_what_it_cannot_do():
    assert "does not write a bd-r" in Cdrecord().refuses(task("bd-r"))
    assert "does not write a cd-r" in Growisofs().refuses(task("cd-r"))
    for dialect in (Cdrecord(), Growisofs(), Xorriso()):
        assert dialect.refuses(task("dvd-r")) is None
        assert dialect.refuses(task("dvd-r", rehearsal=True)) is None
        assert "no simulated writing" in dialect.refuses(task("dvd+r", rehearsal=True))


def test_a_bd_r_is_written_with_defect_management_only_when_that_is_asked_for():
    assert "-use-the-force-luke=spare:none" in Growisofs().arguments(task("bd-r"))
    assert "-use-the-force-luke=spare:none" not in Growisofs().arguments(task("bd-r", defects=True))
    assert "-format" not in Xorriso().arguments(task("bd-r"))
    assert "-format" in Xorriso().arguments(task("bd-r", defects=True))


def test_nothing_is_told_to_write_over_a_disc():
    for dialect in (Cdrecord(), Growisofs(), Xorriso()):
        words = " ".join(dialect.arguments(task("dvd+r", speed=4)))
        assert "tty" not in words
        assert "blank=" not in words
        assert "speed=4" in words


def test_a_rehearsal_leaves_the_laser_off():
    assert "-dummy" in Cdrecord().arguments(task("cd-r", rehearsal=True))
    assert "-dummy" in Xorriso().arguments(task("cd-r", rehearsal=True))
    assert "-use-the-force-luke=dummy" in Growisofs().arguments(task("dvd-r", rehearsal=True))


def test_a_program_that_is_not_there():
    with pytest.raises(BurnerMissing):
        Cdrecord("no-such-program", "nor-this").found()


@settings(derandomize=True)
@given(st.text(), st.integers(-64, 255))
def test_no_words_break_a_dialect(line, status):
    for dialect in (Cdrecord(), Growisofs(), Xorriso()):
        dialect.progress(line, 1)
        dialect.closing(line)
        dialect.judge(status, [line], SIZE)
