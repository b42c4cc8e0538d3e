"""What mtx prints: transcripts of the real program, and print-then-parse for any changer."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtx_reports import reports

from robot.ports import Element, ElementKind, ElementState, Fill, drive, slot
from robot.wire.mtx import (
    BadOutputError,
    Shape,
    parse_inquiry,
    parse_status,
    print_inquiry,
    print_status,
)
from robot.wire.mtx_errors import Sense, Trouble, explain, find_sense, print_sense

GOLDEN = Path(__file__).parent / "golden" / "mtx"


def golden(name: str) -> str:
    return (GOLDEN / name).read_text()


def test_a_status_with_barcodes():
    report = parse_status(golden("status-barcodes.txt"))
    assert report.shape == Shape(slots=10, drives=2, mailslots=2)
    states = {state.element: state for state in report.elements}
    assert len(states) == 14
    assert states[drive(0)] == ElementState(drive(0), Fill.FULL, slot(2), "ARC0002")
    assert states[drive(1)].fill is Fill.EMPTY
    assert states[slot(1)] == ElementState(slot(1), Fill.FULL, None, "ARC0001")
    new = Element(ElementKind.MAILSLOT, 2)
    assert states[new] == ElementState(new, Fill.FULL, None, "NEW0001")


def test_a_status_without_a_barcode_reader():
    report = parse_status(golden("status-plain.txt"))
    assert {state.volume_tag for state in report.elements} == {None}
    assert sum(state.fill is Fill.FULL for state in report.elements) == 3


def test_mtx_invents_the_source_of_a_disc_whose_source_the_changer_does_not_tell():
    states = {state.element: state for state in parse_status(golden("status-invented-source.txt")).elements}
    assert states[drive(0)].source == slot(1), "it was loaded from slot 4; the changer did not say so"


def test_an_unknown_source_is_none():
    text = golden("status-plain.txt").replace("Storage Element 2 Loaded", "Unknown Storage Element Loaded")
    assert next(s for s in parse_status(text).elements if s.element == drive(0)).source is None


@pytest.mark.parametrize("cut", [0, 1, 40, 100, 300, 600])
def test_output_cut_short_is_refused(cut):
    with pytest.raises(BadOutputError):
        parse_status(golden("status-barcodes.txt")[:cut])


def test_an_element_reported_twice_is_refused():
    with pytest.raises(BadOutputError, match="twice"):
        parse_status(golden("status-plain.txt") + "Data Transfer Element 1:Empty\n")


def test_an_inquiry():
    identity = parse_inquiry(golden("inquiry.txt"))
    assert (identity.vendor, identity.model, identity.firmware) == ("SONY", "VAIOChanger1", "1.00")
    assert print_inquiry(identity) == golden("inquiry.txt")
    with pytest.raises(BadOutputError):
        parse_inquiry("")


@pytest.mark.parametrize("name", ["status-barcodes.txt", "status-plain.txt"])
def test_the_simulated_program_prints_what_the_real_one_does(name):
    text = golden(name)
    mine = sorted(line.rstrip() for line in print_status("sg9", parse_status(text)).splitlines())
    assert mine == sorted(line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("source-empty.err", Trouble.SOURCE_EMPTY),
        ("drive-empty.err", Trouble.SOURCE_EMPTY),
        ("destination-full.err", Trouble.DESTINATION_FULL),
        ("drive-full.err", Trouble.DESTINATION_FULL),
        ("storage-full.err", Trouble.DESTINATION_FULL),
        ("not-ejected.err", Trouble.NOT_EJECTED),
        ("no-slot.err", Trouble.BAD_ADDRESS),
        ("no-drive.err", Trouble.BAD_ADDRESS),
        ("no-destination.err", Trouble.BAD_ADDRESS),
        ("no-device.err", Trouble.NO_DEVICE),
        ("positioning.err", Trouble.PICK_FAILED),
        ("door-open.err", Trouble.DOOR_OPEN),
        ("changed.err", Trouble.CHANGED),
        ("type-specific-refused.err", Trouble.FAULT),
    ],
)
def test_errors_are_sorted_by_their_words(name, trouble):
    why = explain(golden(name))
    assert why.trouble is trouble
    assert "\n" not in why.text
    assert why.text


def test_words_nobody_has_seen_are_unclear():
    assert explain("the cat sat on the changer\n").trouble is Trouble.UNCLEAR
    assert explain("").trouble is Trouble.UNCLEAR
    assert explain(print_sense(Sense("Aborted Command", 0x4B, 0), "x")).trouble is Trouble.UNCLEAR


def test_sense_data_survive_printing():
    sense = Sense("Hardware Error", 0x15, 0x01)
    assert print_sense(sense, "MOVE MEDIUM from Element Address 2001 to 1005 Failed") == golden("positioning.err")
    assert find_sense(golden("positioning.err")) == sense


@settings(derandomize=True)
@given(reports())
def test_what_is_printed_is_parsed(report):
    assert parse_status(print_status("/dev/sg3", report)) == report


@settings(derandomize=True)
@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    explain(text)
    for parse in (parse_status, parse_inquiry):
        try:
            parse(text)
        except BadOutputError:
            continue
