"""What a person reads and types."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.changers.manual import ManualChanger, TerminalPerson
from robot.changers.people import Board, Several
from robot.errors import PositionUnknown, SourceEmpty
from robot.ports import Element, ElementKind, MachineState, drive, slot
from robot.transport import memory_pair
from robot.wire.errand import Answer, Errand, Said, read_answer, read_errands, show

GOLDEN = """
== errand 7 ==
Take the disc from slot 3 and put it to drive 0.
  done    the disc lies there
  empty   there was no disc to take
  full    there is a disc already
  closed  the tray is closed
  failed  it cannot be done
  unsure  I do not know what happened
  stop    something is broken (say what)
answer> """


def test_what_a_person_reads():
    assert show(Errand(7, slot(3), drive(0))) == GOLDEN


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("done", Said(Answer.DONE)),
        ("  Done \r", Said(Answer.DONE)),
        ("7 ok", Said(Answer.DONE, 7)),
        ("7: empty", Said(Answer.EMPTY, 7)),
        ("stop it smells of smoke", Said(Answer.STOP, None, "it smells of smoke")),
        ("dnoe", Said(None)),
        ("7", Said(None)),
        ("", Said(None)),
    ],
)
def test_what_a_person_types(line, said):
    assert read_answer(line) == said


ELEMENTS = st.builds(Element, st.sampled_from(ElementKind), st.integers(0, 999))
ERRANDS = st.one_of(
    st.builds(Errand, st.integers(1, 9999), ELEMENTS, ELEMENTS),
    st.builds(Errand, st.integers(1, 9999), st.none(), st.none()),
)


@settings(derandomize=True)
@given(st.lists(ERRANDS))
def test_what_is_shown_is_read(errands):
    assert read_errands("".join(map(show, errands))) == errands


@settings(derandomize=True)
@given(st.text())
def test_anything_may_be_typed(text):
    read_answer(text)
    read_errands(text)


async def test_a_conversation(autojump_clock):
    """Byte for byte what a terminal sees; the person types without numbers, once wrongly, once for another errand."""
    host, terminal = memory_pair()
    changer = ManualChanger(TerminalPerson(host), slots=3, drives=1, patience=60)
    await terminal.send(b"done\n")  # typed before anything was asked: it answers nothing
    async with trio.open_nursery() as nursery:
        seen = ""

        async def read_and_type(answers: list[str]) -> None:
            nonlocal seen
            for answer in answers:
                seen += (await terminal.receive()).decode()
                await terminal.send(answer.encode())

        nursery.start_soon(read_and_type, ["what?\n", "9 empty\n", "DONE\r\n", "2 empty\n"])
        await changer.move(slot(3), drive(0))
        with pytest.raises(SourceEmpty, match="errand 2"):
            await changer.move(slot(1), drive(0))
    second = GOLDEN.replace("errand 7", "errand 2").replace("slot 3", "slot 1")
    assert seen == 3 * GOLDEN.replace("errand 7", "errand 1") + second


async def test_a_person_who_does_not_come_leaves_the_position_unknown(autojump_clock):
    host, _terminal = memory_pair()
    with pytest.raises(PositionUnknown, match="not answered"):
        await ManualChanger(TerminalPerson(host), slots=3, drives=1).move(slot(1), drive(0))
    assert trio.current_time() > 86_000


INPUT, OUTPUT, REJECT = (Element(kind, 1) for kind in ElementKind if kind.value.endswith("-bin"))


@pytest.mark.parametrize(
    ("errand", "sentence"),
    [
        (Errand(1, slot(3), drive(0), "disc ODA_0001"), "Take disc ODA_0001 from slot 3 and put it to drive 0."),
        (Errand(1, INPUT, drive(0)), "Put the next disc into drive 0."),
        (Errand(1, INPUT, drive(1), "a blank disc"), "Put a blank disc into drive 1."),
        (Errand(1, drive(1), OUTPUT, "disc ODA_0001"), "Take disc ODA_0001 out of drive 1 and put it on the shelf."),
        (Errand(1, drive(0), REJECT), "Take the disc out of drive 0 and put it aside: it is of no use."),
    ],
)
def test_discs_are_named_and_shelves_need_no_numbers(errand, sentence):
    assert show(errand).splitlines()[2] == sentence
    assert read_errands(show(errand)) == [errand]


async def test_a_shelf_without_numbers_is_bins(autojump_clock):
    host, far = memory_pair()
    captions = {}
    changer = ManualChanger(TerminalPerson(host), slots=0, drives=1, captions=captions)
    can = await changer.capabilities()
    assert (can.random_access, can.has_reject, can.slots) == (False, True, 0)
    assert [state.element for state in (await changer.status()).elements] == [INPUT, OUTPUT, REJECT, drive(0)]
    captions[INPUT] = "disc ODA_0007"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(changer.move, INPUT, drive(0))
        assert b"Put disc ODA_0007 into drive 0." in await far.receive()
        await far.send(b"ok\n")


async def test_a_person_on_a_board_is_not_waited_for_when_the_program_stops(autojump_clock):
    board = Board()
    changer = ManualChanger(Several([board]), slots=3, drives=1)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def stop() -> None:
            await trio.sleep(10)
            board.leave()

        nursery.start_soon(stop)
        with pytest.raises(PositionUnknown, match="the program is stopped"):
            await changer.move(slot(1), drive(0))
        with pytest.raises(PositionUnknown, match="the program is stopped"):
            await changer.move(slot(1), drive(0))
    assert trio.current_time() - began < 11


async def test_a_person_reached_in_two_ways_answers_once(autojump_clock):
    board = Board()
    host, terminal = memory_pair()
    changer = ManualChanger(Several([TerminalPerson(host), board]), slots=3, drives=1)
    async with trio.open_nursery() as nursery:

        async def answers() -> None:
            await trio.sleep(5)
            assert board.say(1, Answer.DONE)
            assert not board.say(1, Answer.DONE)
            await trio.sleep(5)
            await terminal.send(b"2 empty\n")

        nursery.start_soon(answers)
        await changer.move(slot(1), drive(0))
        assert board.asked is None
        with pytest.raises(SourceEmpty):
            await changer.move(slot(2), drive(0))
        assert board.asked is None
    await terminal.aclose()
    with trio.move_on_after(5):
        await changer.move(slot(3), drive(0))  # the terminal is gone, the page is still there
    assert board.asked is not None
    assert (await changer.status()).state is MachineState.BUSY
    assert board.say(3, Answer.DONE)
    assert (await changer.status()).state is MachineState.READY
