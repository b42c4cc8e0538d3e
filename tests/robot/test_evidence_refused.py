"""What a machine's "there is nothing to take" proves: all there is to know of a bin, nothing against a sensor."""

from itertools import product

import pytest

from robot.evidence import Witnesses, find
from robot.ports import (
    PICKER,
    Element,
    ElementKind,
    ElementState,
    Fill,
    MachineState,
    MachineStatus,
    MotionOutcome,
    drive,
)

BIN = Element(ElementKind.INPUT_BIN, 1)


def status(here: Fill, there: Fill, picker: Fill = Fill.EMPTY, state: MachineState = MachineState.READY):
    fills = {BIN: here, drive(0): there, PICKER: picker}
    return MachineStatus(state, tuple(ElementState(place, fill) for place, fill in fills.items()), None)


def outcome(before, after, *, refused: bool):
    witnesses = Witnesses(before, after, confirmed=False, hint="machine: SourceEmpty", refused=refused)
    return find(BIN, drive(0), witnesses).outcome


@pytest.mark.parametrize(("was", "there"), list(product((Fill.EMPTY, Fill.UNKNOWN), repeat=2)))
@pytest.mark.parametrize("picker", [Fill.EMPTY, Fill.UNKNOWN])
def test_an_empty_bin_that_nobody_sees_is_proven_by_the_reply(was, there, picker):
    before, after = status(Fill.UNKNOWN, was), status(Fill.UNKNOWN, there, picker)
    assert outcome(before, after, refused=True) is MotionOutcome.FAILED
    assert outcome(before, after, refused=False) is MotionOutcome.UNKNOWN


@pytest.mark.parametrize(
    "after",
    [
        status(Fill.UNKNOWN, Fill.EMPTY, Fill.FULL),
        status(Fill.UNKNOWN, Fill.EMPTY, state=MachineState.BUSY),
        status(Fill.UNKNOWN, Fill.EMPTY, state=MachineState.UNINITIALISED),
        status(Fill.EMPTY, Fill.EMPTY),
        None,
    ],
)
def test_no_sensor_is_talked_down(after):
    assert outcome(status(Fill.UNKNOWN, Fill.EMPTY), after, refused=True) is MotionOutcome.UNKNOWN


def test_a_disc_that_is_seen_to_have_come_is_not_talked_away():
    before, after = status(Fill.UNKNOWN, Fill.EMPTY), status(Fill.UNKNOWN, Fill.FULL)
    assert outcome(before, after, refused=True) is not MotionOutcome.FAILED
