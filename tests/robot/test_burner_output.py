"""What xorriso says: the words below are transcripts of xorriso 1.5.4."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.burners.advance import Advance, Patience
from robot.burners.xorriso import judge, parse_progress, says_closing
from robot.ports import BurnProgress

SUCCESS = """\
xorriso 1.5.4 : RockRidge filesystem manipulator, libburnia project.

Drive current: -outdev 'stdio:/tmp/x.img'
Media current: stdio file, overwriteable
Media status : is blank
Media summary: 0 sessions, 0 data blocks, 0 data, 55.2g free
Beginning to write data track.
xorriso : UPDATE :    3 of   19 MB written (fifo 99%) [buf  50%]   3.6x.
Writing to 'stdio:/tmp/x.img' completed successfully.

xorriso : NOTE : Re-assessing -outdev 'stdio:/tmp/x.img'
xorriso : NOTE : Disc status unsuitable for writing
Media status : is written , is closed
""".splitlines()

DIRECTORY = """\
Beginning to write data track.
xorriso : UPDATE : Thank you for being patient. Working since 0 seconds.
libburn : SORRY : Read error on fifo input : Is a directory
Writing to 'stdio:/tmp/x/medium' completed successfully.
xorriso : NOTE : Tolerated problem event of severity 'SORRY'
xorriso : NOTE : -return_with SORRY 32 triggered by problem severity SORRY
""".splitlines()

FULL = """\
Beginning to write data track.
libburn : SORRY : Cannot write desired amount of 32768 bytes. write(2) returned -1. : File too large
xorriso : FAILURE : libburn indicates failure with writing.
xorriso : NOTE : Gave up -outdev ''
xorriso : aborting : -abort_on 'FAILURE' encountered 'FAILURE'
""".splitlines()

MISSING = """\
libburn : FAILURE : File object '/dev/sr0' not found
libburn : FAILURE : Cannot access '/dev/sr0' as SG_IO CDROM drive
xorriso : FAILURE : Cannot acquire drive '/dev/sr0'
xorriso : aborting : -abort_on 'FAILURE' encountered 'FAILURE'
""".splitlines()

MB = 1 << 20


@pytest.mark.parametrize(
    ("line", "written", "buffer"),
    [
        ("xorriso : UPDATE :    3 of   19 MB written (fifo 99%) [buf  50%]   3.6x.", 3 * MB, 50),
        ("xorriso : UPDATE :    7 MB written (fifo  0%) [buf  50%]   2.9x.", 7 * MB, 50),
        ("xorriso : UPDATE :    0 of    0 MB written [buf  50%]", 0, 50),
        ("xorriso : UPDATE :   19 of   19 MB written", 19 * MB, None),
        ("xorriso : UPDATE :   20 of   19 MB written", 19 * MB + 7, None),
    ],
)
def test_progress_lines(line, written, buffer):
    total = 19 * MB + 7
    assert parse_progress(line, total) == BurnProgress(written=written, total=total, buffer_percent=buffer)


@pytest.mark.parametrize(
    "line", [*MISSING, SUCCESS[0], "xorriso : UPDATE : Closing track/session. Working since 3 seconds"]
)
def test_other_lines_are_no_progress(line):
    assert parse_progress(line, 100) is None


@settings(derandomize=True)
@given(st.text())
def test_no_line_breaks_the_parsers(line):
    parse_progress(line, 1)
    says_closing(line)
    judge(0, [line])


def test_success_needs_status_words_and_no_complaint():
    assert judge(0, SUCCESS).success
    assert not judge(0, []).success
    assert not judge(0, [line for line in SUCCESS if "completed" not in line]).success
    assert not judge(33, SUCCESS).success
    assert judge(33, SUCCESS).reason == "exit status 33 after claiming success"


def test_a_directory_as_source_is_no_success():
    verdict = judge(32, DIRECTORY)
    assert not verdict.success
    assert verdict.reason == "Read error on fifo input : Is a directory"
    assert not judge(0, DIRECTORY).success


def test_a_write_error_names_its_first_cause_and_touched_the_medium():
    verdict = judge(5, FULL)
    assert not verdict.success
    assert verdict.began
    assert verdict.reason.startswith("Cannot write desired amount")


def test_a_missing_device_touched_nothing():
    verdict = judge(5, MISSING)
    assert not verdict.success
    assert not verdict.began
    assert verdict.reason == "File object '/dev/sr0' not found"


def test_a_signal_is_named():
    assert judge(-9, []).reason == "ended by signal 9"


def _feed(advance, now, line):
    advance.feed(parse_progress(line, 100 * MB), now, closing=says_closing(line))


def test_only_new_bytes_are_an_advance():
    advance = Advance(Patience(stall=10, finish=100), now=0)
    assert advance.deadline() == 100
    _feed(advance, 5, "xorriso : UPDATE :    1 of  100 MB written")
    assert advance.deadline() == 15
    _feed(advance, 12, "xorriso : UPDATE :    1 of  100 MB written")
    _feed(advance, 13, "xorriso : UPDATE : Thank you for being patient. Working since 9 seconds.")
    assert advance.deadline() == 15
    _feed(advance, 14, "xorriso : UPDATE :    2 of  100 MB written")
    assert advance.deadline() == 24


def test_closing_gets_its_own_patience_once():
    advance = Advance(Patience(stall=10, finish=100), now=0)
    _feed(advance, 5, "xorriso : UPDATE :   99 of  100 MB written")
    _feed(advance, 8, "xorriso : UPDATE : Closing track/session. Working since 1 seconds")
    _feed(advance, 60, "xorriso : UPDATE : Closing track/session. Working since 53 seconds")
    assert advance.deadline() == 108


def test_all_bytes_written_waits_for_the_close():
    advance = Advance(Patience(stall=10, finish=100), now=0)
    _feed(advance, 5, "xorriso : UPDATE :  100 of  100 MB written")
    assert advance.deadline() == 105
