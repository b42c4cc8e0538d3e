"""Rimage RAS-13: the sniffed bytes, there and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.changers.ras13 import Ras13Changer
from robot.ports import ElementKind
from robot.transport import memory_pair
from robot.wire.ras13 import (
    DONE,
    FAILED,
    HOME,
    SETTINGS,
    STATUS,
    Act,
    Motion,
    Place,
    State,
    cut_command,
    cut_reply,
    decode_motion,
    decode_state,
    decode_version,
    encode_motion,
    encode_state,
    encode_version,
    is_motion_reply,
)

SNIFFED = {
    Motion(Place.BIN, 1, Act.GRAB): b"\x1b!f12002C",
    Motion(Place.BIN, 2, Act.GRAB): b"\x1b!f12012C",
    Motion(Place.BIN, 3, Act.GRAB): b"\x1b!f12022C",
    Motion(Place.BIN, 1, Act.PUT): b"\x1b!f12001C",
    Motion(Place.BIN, 3, Act.PUT): b"\x1b!f12021C",
    Motion(Place.DRIVE, 1, Act.PUT): b"\x1b!f12411C",
    Motion(Place.DRIVE, 4, Act.PUT): b"\x1b!f12441C",
    Motion(Place.DRIVE, 1, Act.GRAB): b"\x1b!f12412C",
    Motion(Place.DRIVE, 4, Act.GRAB): b"\x1b!f12442C",
    Motion(Place.HOME): b"\x1b!f12600C",
}


@pytest.mark.parametrize(("motion", "command"), SNIFFED.items())
def test_orders(motion, command):
    assert encode_motion(motion) == command
    assert decode_motion(command) == motion


def test_there_are_three_bins_and_four_drives():
    for motion in (Motion(Place.BIN, 4, Act.PUT), Motion(Place.DRIVE, 5, Act.GRAB), Motion(Place.BIN, 0, Act.PUT)):
        with pytest.raises(ValueError, match="no "):
            encode_motion(motion)
    assert decode_motion(b"\x1b!f12032C") is None
    assert decode_motion(STATUS) is None


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (b"\x1b!e1000000C\x04", State.READY),
        (b"\x1b!e1002000C\x04", State.BUSY),
        (b"\x1b!e1003000C\x04", State.NO_DISC),
        (b"\x1b!e1007000C\x04", State.NO_TRAY),
        (b"\x1b!e1042000C\x04", 42),
        (DONE, None),
        (b"\x1b!e10020C\x04", None),
    ],
)
def test_states(reply, state):
    assert decode_state(reply) == state
    if state is not None:
        assert encode_state(state) == reply


def test_version_and_settings():
    assert decode_version(b"\x1b!e032CLIBERTY 4 VERSION 6.014E\x04") == "LIBERTY 4 VERSION 6.014E"
    assert encode_version("LIBERTY 4 VERSION 6.014E") == b"\x1b!e032CLIBERTY 4 VERSION 6.014E\x04"
    assert decode_version(DONE) is None
    assert SETTINGS == {"baudrate": 38400, "rtscts": True}
    assert is_motion_reply(DONE)
    assert is_motion_reply(FAILED)
    assert not is_motion_reply(encode_state(0))


def test_replies_are_cut_out_of_noise():
    buffer = bytearray(b"\x00\x7f" + DONE + b"zz\x1b!e10\x1b!e1000000C\x04\x04\x1b!f1")
    assert [cut_reply(buffer), cut_reply(buffer), cut_reply(buffer)] == [DONE, encode_state(0), None]
    buffer += b"0C\x04"
    assert cut_reply(buffer) == FAILED


@settings(derandomize=True)
@given(st.lists(st.sampled_from([*SNIFFED.values(), STATUS, HOME])), st.integers(1, 9))
def test_commands_arrive_in_any_pieces(commands, size):
    data, buffer, seen = b"".join(commands), bytearray(), []
    for start in range(0, len(data), size):
        buffer += data[start : start + size]
        while (command := cut_command(buffer)) is not None:
            seen.append(command)
    assert seen == commands


@settings(derandomize=True)
@given(st.binary())
def test_any_bytes_are_taken(data):
    for cut in (cut_reply, cut_command):
        buffer = bytearray(data)
        while (frame := cut(buffer)) is not None:
            decode_motion(frame)
            decode_state(frame)
            decode_version(frame)


async def test_bins_have_the_roles_they_are_given():
    roles = (ElementKind.INPUT_BIN, ElementKind.INPUT_BIN, ElementKind.OUTPUT_BIN)
    changer = Ras13Changer(memory_pair()[0], drives=4, roles=roles)
    can = await changer.capabilities()
    assert (can.drives, can.has_reject) == (4, False)
    assert [str(place) for place in changer._places][:4] == ["input-bin 1", "input-bin 2", "output-bin 1", "drive 0"]
