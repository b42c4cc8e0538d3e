"""The codec of the Open Disc Jukebox Protocol: round trips, noise, and the examples of its specification."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import robot
from robot.ports import Capabilities, Element, ElementKind, ElementState, Fill, Identity, MachineState, MachineStatus
from robot.wire import odjp
from robot.wire.lines import (
    HOST_LINE_LIMIT,
    MACHINE_LINE_LIMIT,
    BadLineError,
    LineSplitter,
    checksum,
    quote,
    seal,
    unquote,
    unseal,
)
from robot.wire.odjp import Command, Failed, More, Ok, Reply, UnknownCommandError
from robot.wire.odjp_status import decode_info, decode_map, decode_status, encode_info, encode_map, encode_status

PROTOCOL = (Path(robot.__file__).parent / "PROTOCOL.md").read_text()

repeatable = settings(derandomize=True, deadline=None)

texts = st.text(max_size=12)
numbers = st.integers(1, odjp.HIGHEST_NUMBER)
places = st.builds(
    Element,
    st.sampled_from([ElementKind.SLOT, ElementKind.DRIVE, ElementKind.MAILSLOT, ElementKind.PICKER]),
    st.integers(0, 99_999),
)
requests = st.one_of(
    st.builds(odjp.Hello, st.integers(0, 2**32 - 1), st.integers(0, 99)),
    st.builds(odjp.Info),
    st.builds(odjp.Status),
    st.builds(odjp.Init),
    st.builds(odjp.Move, places, places),
)
field_lists = st.lists(st.tuples(texts.filter(bool), texts), max_size=4).map(tuple)
bodies = st.one_of(
    st.builds(odjp.Ack),
    st.builds(odjp.Running, texts.filter(bool)),
    st.builds(More, st.integers(1, 99), field_lists),
    st.builds(Ok, field_lists),
    st.builds(Failed, texts.filter(bool), field_lists),
    st.builds(odjp.Nak, texts.filter(bool)),
    st.builds(odjp.Boot, texts.filter(bool)),
)
fill_lists = st.one_of(
    st.lists(st.sampled_from(Fill), max_size=700),
    st.lists(st.tuples(st.sampled_from(Fill), st.integers(1, 300)), max_size=5).map(
        lambda runs: [fill for fill, count in runs for _ in range(count)]
    ),
)


def test_the_checksum_is_the_published_one():
    assert checksum(b"123456789") == 0x29B1


@repeatable
@given(st.builds(Command, numbers, requests))
def test_a_command_survives_the_wire(command):
    line = odjp.encode_command(command)
    assert len(line) <= HOST_LINE_LIMIT
    assert odjp.decode_command(line[:-1]) == command
    assert odjp.decode_command(line[:-1] + b"\r") == command


@repeatable
@given(st.builds(Reply, st.integers(0, odjp.HIGHEST_NUMBER), bodies))
def test_a_reply_survives_the_wire(reply):
    assert odjp.decode_reply(odjp.encode_reply(reply)[:-1]) == reply


@repeatable
@given(st.builds(Command, numbers, requests), st.data())
def test_one_wrong_byte_is_always_noticed(command, data):
    line = odjp.encode_command(command)[:-1]
    at = data.draw(st.integers(0, len(line) - 1))
    wrong = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    try:
        heard = odjp.decode_command(line[:at] + bytes([wrong]) + line[at + 1 :])
    except BadLineError:
        return
    assert heard == command, "a byte may only be lost where it says nothing"


@repeatable
@given(st.binary(max_size=300))
def test_noise_is_refused_by_name(noise):
    for decode in (odjp.decode_reply, odjp.decode_command):
        with pytest.raises((BadLineError, UnknownCommandError)):
            decode(noise)


@repeatable
@given(st.lists(st.builds(Reply, numbers, st.just(odjp.Ack())), max_size=5), st.data())
def test_lines_come_whole_however_the_bytes_are_cut(replies, data):
    stream = b"".join(odjp.encode_reply(reply) for reply in replies)
    splitter, heard, rest = LineSplitter(MACHINE_LINE_LIMIT), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        heard += splitter.feed(rest[:size])
        rest = rest[size:]
    assert [odjp.decode_reply(line) for line in heard] == replies


def test_half_a_line_does_not_spoil_the_next():
    whole = odjp.encode_reply(Reply(7, Ok()))
    lines = LineSplitter(MACHINE_LINE_LIMIT).feed(b"\x00\xff<7 O" + whole)
    assert [odjp.decode_reply(line) for line in lines] == [Reply(7, Ok())]


def test_an_endless_line_is_forgotten_and_the_next_is_heard():
    splitter = LineSplitter(80)
    assert splitter.feed(b"x" * 79) == []
    assert splitter.feed(b"x" * 100_000) == []
    assert splitter.feed(b"tail\n>ok\n") == [b">ok"]


@repeatable
@given(texts)
def test_any_text_is_one_token(text):
    token = quote(text)
    assert re.fullmatch(r"[!-~]*", token)
    assert not set(token) & set("*<>=")
    assert unquote(token) == text


@pytest.mark.parametrize("token", ["%", "%4", "%zz", "a%4g"])
def test_a_bad_escape_is_refused(token):
    with pytest.raises(BadLineError):
        unquote(token)


@pytest.mark.parametrize("body", [">1 A*B", "<1 <", "no mark", ">1 \n", ">1 é"])
def test_what_no_line_may_hold_is_not_sealed(body):
    with pytest.raises(BadLineError):
        seal(body)


@repeatable
@given(fill_lists)
def test_a_map_survives_and_is_compact(fills):
    tokens = encode_map(fills)
    back = [fill for _, token in tokens for fill in decode_map(token)]
    assert back == fills
    assert sum(len(token) for _, token in tokens) <= len(fills) // 2 + 8 * len(tokens) + 200
    assert all(len(token) <= 206 for _, token in tokens)


@pytest.mark.parametrize("token", ["", "F0", "X3", "h3:1", "h2:123", "f4", "F999999E999999", "h8:54G0", "F-1"])
def test_a_map_that_cannot_be_is_refused(token):
    with pytest.raises(BadLineError):
        decode_map(token)


@st.composite
def statuses(draw):
    kinds = ((ElementKind.SLOT, 1), (ElementKind.MAILSLOT, 1), (ElementKind.DRIVE, 0), (ElementKind.PICKER, 0))
    optional = st.none() | texts
    elements = [
        ElementState(Element(kind, first + at), fill, draw(st.none() | places), draw(optional), draw(optional))
        for kind, first in kinds
        for at, fill in enumerate(draw(st.lists(st.sampled_from(Fill), max_size=9)))
    ]
    moves = draw(st.none() | st.integers(0, 10**9))
    return MachineStatus(draw(st.sampled_from(MachineState)), tuple(elements), moves, draw(optional))


def joined(replies: list[Reply]) -> odjp.Fields:
    return tuple(pair for r in replies if isinstance(r.body, Ok | More) for pair in r.body.fields)


@repeatable
@given(statuses())
def test_a_status_survives_in_lines_of_legal_length(status):
    replies = encode_status(12, status)
    assert decode_status(joined(replies)) == status
    assert all(len(odjp.encode_reply(reply)) <= MACHINE_LINE_LIMIT for reply in replies)
    *parts, last = [reply.body for reply in replies]
    assert [part.index for part in parts] == list(range(1, len(parts) + 1))
    assert dict(last.fields).get("more", "0") == str(len(parts))


@pytest.mark.parametrize(
    ("fills", "most"),
    [
        ([Fill.FULL] * 560 + [Fill.EMPTY] * 40, 103),
        ([Fill.FULL, Fill.EMPTY] * 300, 459),
        ([Fill.UNKNOWN] * 600, 103),
    ],
)
def test_the_map_of_600_slots_is_as_small_as_the_specification_says(fills, most):
    elements = [ElementState(Element(ElementKind.SLOT, n), fill) for n, fill in enumerate(fills, 1)]
    elements += [
        ElementState(Element(ElementKind.MAILSLOT, 1), Fill.EMPTY),
        ElementState(Element(ElementKind.DRIVE, 0), Fill.FULL, Element(ElementKind.SLOT, 17)),
        ElementState(Element(ElementKind.DRIVE, 1), Fill.FULL, Element(ElementKind.SLOT, 433)),
        ElementState(Element(ElementKind.PICKER, 0), Fill.EMPTY),
    ]
    status = MachineStatus(MachineState.READY, tuple(elements), 98765, "17.3")
    assert sum(len(odjp.encode_reply(reply)) for reply in encode_status(123456, status)) <= most


def test_unknown_keys_of_a_status_are_passed_over():
    fields = (("state", "ready"), ("mood", "fine"), ("S1", "FE"), ("S1.colour", "red"))
    status = decode_status(fields)
    assert [state.fill for state in status.elements] == [Fill.FULL, Fill.EMPTY]


@pytest.mark.parametrize("fields", [(), (("state", "cheerful"),), (("state", "ready"), ("moves", "many"))])
def test_a_status_that_makes_no_sense_is_refused(fields):
    with pytest.raises(BadLineError):
        decode_status(fields)


def test_info_survives_and_may_be_short():
    identity = Identity("A & B", "juke=box", "1.0", "<7>")
    can = Capabilities(slots=600, drives=2, mailslots=3, tray_by_host=False, move_timeout=33.5)
    assert decode_info(encode_info(identity, can)) == (identity, can)
    assert decode_info((("slots", "5"), ("drives", "1")))[1].move_timeout == 120.0
    with pytest.raises(BadLineError):
        decode_info((("slots", "5"),))


@pytest.mark.parametrize(
    "text", ["JUMP", "MOVE S1", "MOVE S1 X2", "MOVE S1 D01", "HELLO 1", "HELLO 1 5f3a91c2", "STATUS NOW"]
)
def test_a_whole_line_that_is_no_command_is_answered_under_its_number(text):
    with pytest.raises(UnknownCommandError) as caught:
        odjp.decode_command(seal(f">42 {text}")[:-1])
    assert caught.value.number == 42


def test_number_zero_is_no_command():
    with pytest.raises(UnknownCommandError):
        odjp.decode_command(seal(">0 STATUS")[:-1])


@pytest.mark.parametrize(
    "body", ["<1 OK a", "<1 OK =b", "<1 OK a=b=c", "<01 OK", "<2147483648 OK", "<1 WHAT", ">1 ACK"]
)
def test_a_reply_that_breaks_the_grammar_is_refused(body):
    with pytest.raises(BadLineError):
        odjp.decode_reply(seal(body)[:-1])


def examples() -> list[str]:
    blocks = re.findall(r"```odjp\S*\n(.*?)```", PROTOCOL, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("line", sorted(set(examples())))
def test_every_example_of_the_specification_is_a_line_of_the_codec(line):
    raw = line.encode()
    if unseal(raw).startswith(">"):
        assert odjp.encode_command(odjp.decode_command(raw)) == raw + b"\n"
    else:
        assert odjp.encode_reply(odjp.decode_reply(raw)) == raw + b"\n"


def test_the_specification_names_every_error():
    named = set(re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", PROTOCOL, re.MULTILINE))
    assert {name.value for name in odjp.ErrorName} <= named
