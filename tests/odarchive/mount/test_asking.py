"""A mount that asks: one question for an open file, however often it is read; the answer of a person is this test's."""

import errno

import pytest
import trio

from odarchive.asked import FOLDER, Box, Question, Verdict
from odarchive.mount.asking import PERIOD, AskingContents
from odfs.errors import RecallRefused, RecallTimedOut
from odfs.ports import Attributes, Inode, Recall

FILE = Attributes(Inode(9), 0o100444, 1, 0, 0, 100, 0, 0, content=7)
DEADLINE = 30.0


class Names:
    """As much of a namespace as asking needs."""

    def path(self, ino):
        return b"photos/film.mkv"


class Contents:
    """In part on a disc: who may not have it loaded gets nothing."""

    def __init__(self):
        self.here = set()
        self.forgotten = []
        self.recalled = []

    def read_now(self, file, offset, length):
        return None

    backing = None

    def resident(self, content):
        return content in self.here

    async def read(self, file, offset, length, recall):
        await trio.lowlevel.checkpoint()
        if file.content not in self.here and recall is Recall.NEVER:
            raise RecallRefused("on a disc")
        self.recalled.append(recall)
        return bytes(length)

    def forget(self, file):
        self.forgotten.append(file.ino)


class Counted(Box):
    """Counts the questions that are put, not those kept alive."""

    put = 0

    def ask(self, question):
        self.put += question not in self.questions()
        super().ask(question)


@pytest.fixture
def box(tmp_path):
    return Counted(tmp_path)


@pytest.fixture
def inner():
    return Contents()


@pytest.fixture
def asking(inner, box):
    return AskingContents(inner, Names(), box, DEADLINE)


async def answered(box, verdict):
    while not box.questions():
        await trio.sleep(PERIOD)
    box.answer(7, verdict)


async def test_leave_holds_while_the_file_is_open(autojump_clock, asking, inner, box):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answered, box, Verdict.ALLOWED)
        assert await asking.read(FILE, 0, 10, Recall.ASK) == bytes(10)
    with trio.fail_after(PERIOD):
        assert await asking.read(FILE, 50, 10, Recall.ASK) == bytes(10)
    assert (box.put, inner.recalled) == (1, [Recall.WAIT] * 2)
    asking.forget(FILE)
    assert inner.forgotten == [FILE.ino]
    with pytest.raises(RecallTimedOut, match="odarchive asked"):
        await asking.read(FILE, 0, 10, Recall.ASK)
    assert box.put == 2


async def test_all_readers_of_a_file_wait_for_one_answer(autojump_clock, asking, inner, box):
    got = []

    async def read(offset):
        got.append(await asking.read(FILE, offset, 10, Recall.ASK))

    async with trio.open_nursery() as nursery:
        for offset in range(5):
            nursery.start_soon(read, offset)
        nursery.start_soon(answered, box, Verdict.ALLOWED)
    assert (len(got), box.questions(), box.verdict(7)) == (5, [], None)


async def test_who_was_refused_has_no_leave(autojump_clock, asking, inner, box):
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answered, box, Verdict.REFUSED)
            with pytest.raises(RecallRefused, match="was refused"):
                await asking.read(FILE, 0, 10, Recall.ASK)
    assert (box.put, inner.recalled) == (2, [])


async def test_what_comes_meanwhile_is_served_and_gives_no_leave(autojump_clock, asking, inner, box):
    async with trio.open_nursery() as nursery:

        async def bring():
            await trio.sleep(3)
            inner.here.add(7)

        nursery.start_soon(bring)
        assert await asking.read(FILE, 0, 10, Recall.ASK) == bytes(10)
    inner.here.clear()
    with pytest.raises(RecallTimedOut):
        await asking.read(FILE, 0, 10, Recall.ASK)


async def test_an_answer_from_before_the_question_is_not_believed(autojump_clock, asking, inner, box):
    box.ask(Question(7, "photos/film.mkv", 100, "x", 1.0))
    box.forget(7)
    box.answer(7, Verdict.ALLOWED)
    with pytest.raises(RecallTimedOut):
        await asking.read(FILE, 0, 10, Recall.ASK)


async def test_where_nobody_can_be_asked_nothing_is_loaded(asking, inner, box, tmp_path, monkeypatch):
    (tmp_path / FOLDER).write_text("no folder")
    with pytest.raises(RecallRefused, match="nobody can be asked"):
        await asking.read(FILE, 0, 10, Recall.ASK)

    def broken(_content):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / FOLDER).unlink()
    monkeypatch.setattr(box, "verdict", broken)
    with pytest.raises(RecallRefused, match="nobody can be asked"):
        await asking.read(FILE, 0, 10, Recall.ASK)
    assert inner.recalled == []
