"""The MicroPython robot: calibration, what is typed for a move, and what the board answers."""

import json

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.changers.odrobot import OdRobotChanger
from robot.errors import MachineFault, PositionUnknown, SourceEmpty
from robot.ports import Element, ElementKind, Fill, drive
from robot.transport import memory_pair
from robot.wire.odrobot import (
    IMPORT,
    SETTINGS,
    STATE,
    BadAnswerError,
    BadCalibrationError,
    Bin,
    Calibration,
    approach,
    cut_answer,
    decode_answer,
    decode_call,
    drop,
    encode_line,
    is_error,
    make_safe,
    parse_calibration,
    take,
)

INPUT, OUTPUT = Element(ElementKind.INPUT_BIN, 1), Element(ElementKind.OUTPUT_BIN, 1)
FILE = {
    "z_axis_down_setting": 51,
    "z_axis_up_setting": 44,
    "bins": {
        "in": [86, 0, 0, 10, 150],
        "out": [14, 0, 0, 10, 150],
        "od": [51.0, -0.2, 0.5, 40, 70],
        "waste": [0, 0, 0, 10, 0],
    },
    "toolhead_speed_up": 10,
    "toolhead_speed_down": 10,
}
"""The file as the ancestor writes it when there is none."""
SAFE = [
    "control1.th.park()",
    "control1.th.shutdown()",
    "control1.z_axis.nudge(44, run_time=200)",
    "control1.z_axis.shutdown()",
]
LOAD = [
    *SAFE,
    "control1.rotate.wait_set_position(81)",
    "control1.rotate.wait_set_position(86)",
    "control1.th.release()",
    "control1.z_axis.nudge(51, run_time=150)",
    STATE,
    "control1.th.grip()",
    "control1.z_axis.nudge(44, run_time=200)",
    "control1.z_axis.shutdown()",
    "control1.rotate.wait_set_position(45.8)",
    "control1.rotate.wait_set_position(50.8)",
    "control1.z_axis.nudge(51, run_time=40)",
    "control1.th.release()",
    *SAFE,
]
"""Everything typed to load a disc."""


def test_the_calibration_file():
    assert parse_calibration(json.dumps(FILE)) == Calibration()
    assert Calibration().bins["od"] == Bin(51.0, -0.2, 0.5, 40, 70)
    assert SETTINGS == {"baudrate": 115200}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({**FILE, "bins": {"in": [1, 2, 3, 4, 5]}}),
        json.dumps({**FILE, "bins": {**FILE["bins"], "od": [1, 2, 3]}}),
        json.dumps({**FILE, "toolhead_speed_down": 0}),
    ],
)
def test_a_calibration_that_is_none(text):
    with pytest.raises(BadCalibrationError):
        parse_calibration(text)


def test_what_is_typed_for_a_load():
    calibration = Calibration()
    steps = [*make_safe(calibration), *approach(calibration, "in")]
    steps += [*take(calibration), *drop(calibration, "od")]
    assert [step.text for step in steps] == [text for text in LOAD if text != STATE]
    assert all(decode_call(text) for text in LOAD)


def test_answers():
    buffer = bytearray(b"control1.z_axis.state()\r\n2\r\n>>> control1.th")
    answer = cut_answer(buffer)
    assert decode_answer(answer, STATE) == "2"
    assert cut_answer(buffer) is None
    assert decode_answer(b"import control1\r\n>>> ", IMPORT) == ""
    with pytest.raises(BadAnswerError):
        decode_answer(b"import contrl1\r\n>>> ", IMPORT)
    failed = b'import control1\r\nTraceback (most recent call last):\r\n  File "<stdin>"\r\nOSError: 5\r\n>>> '
    assert is_error(failed)
    assert decode_answer(failed, IMPORT) == "OSError: 5"
    assert encode_line("x") == b"x\r\n"


@settings(derandomize=True)
@given(st.binary(), st.text())
def test_anything_may_be_on_the_line(data, text):
    cut_answer(bytearray(data))
    decode_call(text)
    try:
        decode_answer(data, text)
    except BadAnswerError:
        return


class Board:
    """Prints a prompt after every line; ``states`` are the answers about the axis, in their order."""

    def __init__(self, *states: int, spoil: str = "") -> None:
        self.states = list(states)
        self.typed: list[str] = []
        self._spoil = spoil

    async def serve(self, line) -> None:
        buffer = b""
        while True:
            buffer += await line.receive()
            *lines, buffer = buffer.split(b"\r\n")
            for raw in lines:
                text = raw.decode()
                self.typed.append(text)
                printed = f"{self.states.pop(0)}\r\n" if text == STATE else ""
                echo = text.replace("release", self._spoil) if self._spoil else text
                await line.send(f"{echo}\r\n{printed}>>> ".encode())


async def prepared(nursery, board, **options) -> OdRobotChanger:
    host, far = memory_pair()
    nursery.start_soon(board.serve, far)
    changer = OdRobotChanger(host, **options)
    await changer.initialize()
    assert board.typed == ["", IMPORT, *SAFE, STATE]
    board.typed.clear()
    return changer


async def test_a_load_as_the_board_sees_it(autojump_clock):
    async with trio.open_nursery() as nursery:
        board = Board(2, 1)
        changer = await prepared(nursery, board)
        await changer.move(INPUT, drive(0))
        assert board.typed == LOAD
        nursery.cancel_scope.cancel()


async def test_an_empty_pile_is_not_gripped(autojump_clock):
    async with trio.open_nursery() as nursery:
        board = Board(2, 0)
        changer = await prepared(nursery, board)
        with pytest.raises(SourceEmpty):
            await changer.move(INPUT, drive(0))
        assert board.typed[-4:] == SAFE
        assert "control1.th.grip()" not in board.typed
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("fill", "error"), [(Fill.EMPTY, SourceEmpty), (Fill.UNKNOWN, MachineFault)])
async def test_a_drive_that_may_be_empty_is_never_unloaded(autojump_clock, fill, error):
    async def look(_):
        return fill

    async with trio.open_nursery() as nursery:
        board = Board(2)
        changer = await prepared(nursery, board, look=look)
        with pytest.raises(error):
            await changer.move(drive(0), OUTPUT)
        assert board.typed == [], "not a single line"
        nursery.cancel_scope.cancel()


async def test_a_spoiled_echo_stops_everything(autojump_clock):
    async with trio.open_nursery() as nursery:
        board = Board(2, 1, spoil="re1ease")
        changer = await prepared(nursery, board)
        with pytest.raises(PositionUnknown, match="echoes"):
            await changer.move(INPUT, drive(0))
        assert board.typed[-1] == "control1.th.release()"
        nursery.cancel_scope.cancel()
