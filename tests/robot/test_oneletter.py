"""The one-letter set: its bytes, and what an E may mean."""

import logging

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.changers.oneletter import OneLetterChanger
from robot.errors import MachineFault, PickFailed, PositionUnknown, SourceEmpty
from robot.ports import PICKER, Element, ElementKind, Fill, MachineState, drive
from robot.transport import memory_pair
from robot.wire.oneletter import SETTINGS, Code, Letter, cut_reply, decode_status, describe, encode, is_reply

INPUT, OUTPUT = Element(ElementKind.INPUT_BIN, 1), Element(ElementKind.OUTPUT_BIN, 1)
REJECT = Element(ElementKind.REJECT_BIN, 1)


def test_bytes():
    assert SETTINGS == {"baudrate": 9600}
    assert "".join(Letter) == "VCIAGRS"
    assert encode(Letter.INSERT) == b"I"
    buffer = bytearray(b"XE")
    assert [cut_reply(buffer), cut_reply(buffer), cut_reply(buffer)] == [b"X", b"E", None]
    assert [answer for answer in (b"X", b"E", b"x", b"\x00") if is_reply(answer)] == [b"X", b"E"]


@pytest.mark.parametrize(
    ("answer", "code"), [(b"22", 22), (b"S22\r\n", 22), (b"00X", 0), (b"", None), (b"X", None), (b" 77 ", 77)]
)
def test_numbers_in_whatever_form_they_come(answer, code):
    assert decode_status(answer) == code
    assert describe(code)


@settings(derandomize=True)
@given(st.binary())
def test_any_bytes_are_taken(data):
    decode_status(data)
    buffer = bytearray(data)
    assert b"".join(iter(lambda: cut_reply(buffer), None)) == data


class Transcript:
    """A machine that says what it said once, and holds the driver to the letters it sent then."""

    def __init__(self, *turns: tuple[bytes, bytes]) -> None:
        self.turns = list(turns)

    async def serve(self, line) -> None:
        for letter, answer in self.turns:
            assert await line.receive() == letter
            await trio.sleep(1 if letter == b"S" else 5)
            if answer:
                await line.send(answer)
        self.turns.clear()


async def converse(nursery, *turns, **options) -> tuple[OneLetterChanger, Transcript]:
    host, far = memory_pair()
    machine = Transcript((b"V", b"X"), (b"C", b"X"), *turns)
    nursery.start_soon(machine.serve, far)
    changer = OneLetterChanger(host, **options)
    await changer.initialize()
    return changer, machine


async def seen_full(_):
    return Fill.FULL


async def seen_empty(_):
    return Fill.EMPTY


async def test_a_burnt_disc_and_a_bad_one(autojump_clock):
    async with trio.open_nursery() as nursery:
        turns = [(b"I", b"X"), (b"A", b"X"), (b"I", b"X"), (b"G", b"X"), (b"R", b"X")]
        changer, machine = await converse(nursery, *turns)
        await changer.move(INPUT, drive(0))
        await changer.move(drive(0), OUTPUT)
        await changer.move(INPUT, drive(0))
        await changer.move(drive(0), REJECT)
        assert machine.turns == []


async def test_machines_that_want_a_get_before_an_accept(autojump_clock):
    async with trio.open_nursery() as nursery:
        changer, machine = await converse(nursery, (b"I", b"X"), (b"G", b"X"), (b"A", b"X"), get_first=True)
        await changer.move(INPUT, drive(0))
        await changer.move(drive(0), OUTPUT)
        assert machine.turns == []


async def test_an_e_with_few_discs_left_may_be_a_success(autojump_clock):
    async with trio.open_nursery() as nursery:
        changer, _ = await converse(nursery, (b"I", b"E"), (b"S", b"00"), look=seen_full)
        await changer.move(INPUT, drive(0))
        assert (await changer.status()).of(drive(0)).fill is Fill.FULL


async def test_an_e_nobody_can_look_behind_leaves_the_position_unknown(autojump_clock):
    async with trio.open_nursery() as nursery:
        changer, _ = await converse(nursery, (b"I", b"E"), (b"S", b"22"))
        with pytest.raises(PositionUnknown, match="input empty"):
            await changer.move(INPUT, drive(0))
        assert (await changer.status()).of(drive(0)).fill is Fill.UNKNOWN


@pytest.mark.parametrize(
    ("code", "error"),
    [(b"22", SourceEmpty), (b"", PickFailed), (b"00", PickFailed), (b"18", MachineFault), (b"77", MachineFault)],
)
async def test_an_e_that_the_drive_confirms(autojump_clock, code, error):
    async with trio.open_nursery() as nursery:
        changer, _ = await converse(nursery, (b"I", b"E"), (b"S", code), look=seen_empty)
        with pytest.raises(error):
            await changer.move(INPUT, drive(0))
        expected = MachineState.FAULT if error is MachineFault else MachineState.READY
        assert (await changer.status()).state is expected
        assert (await changer.status()).of(drive(0)).fill is Fill.EMPTY


async def test_a_disc_held_blocks_the_picker(autojump_clock):
    async with trio.open_nursery() as nursery:
        changer, _ = await converse(nursery, (b"I", b"X"), (b"G", b"X"), (b"R", b"X"))
        await changer.move(INPUT, drive(0))
        await changer.move(drive(0), PICKER)
        with pytest.raises(PickFailed) as caught:
            await changer.move(INPUT, drive(0))
        assert caught.value.held is True
        await changer.move(PICKER, REJECT)


async def test_a_driver_never_tried_on_its_machine_warns_once(caplog):
    with caplog.at_level(logging.WARNING):
        changer = OneLetterChanger(memory_pair()[0])
        await changer.status()
        await changer.capabilities()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "never tried" in caplog.text
    assert OneLetterChanger.proven is False
    assert Code.INPUT_EMPTY == 22
