"""What changer scripts print: the sample of Bareos' own script, and print-then-parse."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtx_reports import reports

from robot.ports import Element, ElementKind, Fill, drive, slot
from robot.wire.autochanger import (
    arguments,
    explain_script,
    parse_listall,
    parse_words,
    print_listall,
    transfer_arguments,
)
from robot.wire.mtx import BadOutputError, Shape
from robot.wire.mtx_errors import Trouble

BAREOS = (
    "D:0:F:2:ARC0002                         \nD:1:E\nS:1:F:ARC0001                         \nS:2:E\n"
    "S:3:E\nS:4:F:NEW0001                         \n"
)
"""Bareos' awk over a status of mtx: mailslots come as S, tags padded with blanks."""


def test_the_list_of_bareos_own_script():
    report = parse_listall(BAREOS, mailslots=2)
    assert report.shape == Shape(slots=2, drives=2, mailslots=2)
    states = {state.element: state for state in report.elements}
    assert (states[drive(0)].fill, states[drive(0)].source, states[drive(0)].volume_tag) == (
        Fill.FULL,
        slot(2),
        "ARC0002",
    )
    assert states[drive(1)].fill is Fill.EMPTY
    assert states[slot(1)].volume_tag == "ARC0001"
    assert states[Element(ElementKind.MAILSLOT, 2)].volume_tag == "NEW0001"


def test_mailslots_that_are_named_and_a_fill_nobody_knows():
    report = parse_listall("D:0:?\nS:1:?\nI:2:F:NEW\n")
    assert report.shape == Shape(1, 1, 1)
    assert [state.fill for state in report.elements] == [Fill.UNKNOWN, Fill.FULL, Fill.UNKNOWN]


def test_a_drive_full_from_an_unknown_slot():
    for line in ("D:0:F", "D:0:F:", "D:0:F::TAG", "D:0:F:0:TAG"):
        states = {state.element: state for state in parse_listall(f"{line}\nS:1:E\n").elements}
        assert (states[drive(0)].fill, states[drive(0)].source) == (Fill.FULL, None)


@pytest.mark.parametrize("text", ["", "D:0:E\n", "S:2:E\n", "S:1:E\nS:1:E\n", "S:1:E\nS:3:E\n", "D:1:E\nS:1:E\n"])
def test_a_list_with_gaps_is_refused(text):
    with pytest.raises(BadOutputError):
        parse_listall(text)


def test_arguments():
    assert arguments("/dev/sg0", "load", 3, "/dev/sr0", 0) == ["/dev/sg0", "load", "3", "/dev/sr0", "0"]
    assert transfer_arguments("/dev/sg0", 3, 7) == ["/dev/sg0", "transfer", "3", "7"]
    assert parse_words(["/dev/sg0", "load", "3", "/dev/sr0", "0"]) == ("load", ["3", "/dev/sr0", "0"])
    assert parse_words([]) == ("", [])


def test_failures_are_explained_by_the_script_or_by_mtx_inside_it():
    assert explain_script("", "error: DoorOpen front\n").trouble is Trouble.DOOR_OPEN
    assert explain_script("error: Nonsense\n", "").trouble is Trouble.UNCLEAR
    assert explain_script("Source Element Address 1002 is Empty\n", "").trouble is Trouble.SOURCE_EMPTY
    assert explain_script("", "").trouble is Trouble.UNCLEAR


@settings(derandomize=True)
@given(reports().filter(lambda report: report.shape.slots + report.shape.mailslots > 0))
def test_what_is_printed_is_parsed(report):
    assert parse_listall(print_listall(report), report.shape.mailslots) == report


@settings(derandomize=True)
@given(st.text(alphabet="DSI:01FE?\n x"))
def test_any_text_is_parsed_or_refused(text):
    explain_script(text, text)
    with suppress(BadOutputError):
        parse_listall(text)
