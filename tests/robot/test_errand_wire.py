"""What a person reads and types."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.changers.manual import ManualChanger, TerminalPerson
from robot.errors import PositionUnknown, SourceEmpty
from robot.ports import Element, ElementKind, drive, slot
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
