"""Reads through the mount's side while a librarian that forgets, lies and dies fills the cache: never a wrong byte."""

import os
import random

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.cache import Cache, CacheOrder, CacheReader, Keeping
from odarchive.chunks import CHUNK, ChunkedBlake3, Grid, Part
from odarchive.digest import content_digest
from odarchive.errors import NoLibrarian
from odarchive.model import Content, ContentId
from odarchive.mount import contents as contents_module
from odarchive.mount import parts as parts_module
from odarchive.mount.contents import CachedContents
from odfs.errors import ContentUnavailable, RecallRefused, RecallTimedOut
from odfs.ports import Attributes, Inode, Recall

SIZE = 5 * CHUNK + 4321
DATA = random.Random(5).randbytes(SIZE)
CONTENT = Content(ContentId(7), content_digest(DATA), SIZE)
FILE = Attributes(Inode(9), 0o100444, 1, 0, 0, SIZE, 0, 0, content=7)


def grid():
    hasher = ChunkedBlake3(DATA)
    made = Grid.of(SIZE, [Part(0, SIZE, hasher.chunks())])
    assert made is not None
    return made


GRID = grid()


@pytest.fixture(autouse=True, scope="module")
def inline():
    """No threads: a virtual clock would not wait for them."""

    async def run_sync(function, *arguments, **_):
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.to_thread, "run_sync", run_sync)
        yield


class Names:
    """As much of a namespace as reading needs."""

    def content(self, number):
        return CONTENT if number == CONTENT.id else None

    def path(self, ino):
        return b"photos/film.mkv"

    def grid(self, content):
        return GRID


class Librarian:
    """Answers as ``moods`` say, one after the other; then it is well."""

    def __init__(self, folder, moods=()):
        self.cache = Cache(folder, Keeping(1 << 30))
        self.moods = list(moods)
        self.asked = []
        self.memory = {}

    def chunk_of(self, number):
        return DATA[GRID[number].start :][: GRID[number].length]

    async def recall(self, content, wait, part=None):
        assert content == CONTENT.id
        self.asked.append(part)
        await trio.lowlevel.checkpoint()
        mood = self.moods.pop(0) if self.moods else "well"
        numbers = GRID.over(part["start"], part["length"])
        if mood == "dead":
            raise NoLibrarian("nobody")
        if mood == "waiting":
            await trio.sleep(wait)
            return {"state": "waiting", "why": "the disc is on its way"}
        if mood == "failed":
            return {"state": "failed", "why": "damaged"}
        if mood == "memory":
            self.memory = {number: self.chunk_of(number) for number in numbers}
            return {"state": "done", "why": "", "in_memory": True}
        if mood == "memory-lies":
            self.memory = {number: bytes(GRID[number].length) for number in numbers}
            return {"state": "done", "why": "", "in_memory": True}
        if mood == "forgets":
            return {"state": "done", "why": ""}
        self.fill(range(len(GRID)) if mood == "whole" else numbers, lie=mood == "lies")
        if mood == "evicts":
            self.cache.order(CONTENT.digest, CacheOrder.EVICT)
        return {"state": "done", "why": ""}

    def fill(self, numbers, *, lie=False):
        if CONTENT.digest in self.cache:
            return
        held = self.cache.partial(CONTENT.digest, GRID)
        self.cache.recheck(held, numbers)
        for number in numbers:
            self.cache.put(held, number, self.chunk_of(number))
        if lie:
            with held.path.open("r+b") as file:
                file.seek(GRID[numbers[0]].start + 17)
                file.write(b"lie")
        if held.complete and not lie:
            held.check()
            self.cache.finish(held)
        else:
            self.cache.release(held)

    async def chunk(self, content, number):
        return self.memory.get(number)


MOODS = ("well", "dead", "waiting", "memory", "memory-lies", "forgets", "lies", "whole", "evicts")
READS = st.tuples(st.integers(0, SIZE - 1), st.integers(1, CHUNK + 5))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(MOODS), max_size=12), st.lists(READS, min_size=1, max_size=8), st.booleans())
def test_every_read_gives_the_true_bytes_or_an_error(tmp_path_factory, moods, reads, two_mounts):
    folder = tmp_path_factory.mktemp("cache")

    async def story():
        librarian = Librarian(folder, moods)
        mounts = [contents(folder, librarian) for _ in range(1 + two_mounts)]
        for number, (offset, length) in enumerate(reads):
            mount = mounts[number % len(mounts)]
            expected = DATA[offset : offset + length]
            now = mount.read_now(FILE, offset, min(length, SIZE - offset))
            assert now is None or bytes(now) == expected
            with trio.fail_after(500):
                assert await mount.read(FILE, offset, length, Recall.WAIT) == expected
        for mount in mounts:
            mount.forget(FILE)
            mount.close()

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))


def contents(folder, librarian, deadline=300.0):
    return CachedContents(Names(), CacheReader(folder), librarian, deadline, set())


def answers_at_once(folder):
    """Whether a file system can be asked for what is in memory alone; one in memory cannot (EOPNOTSUPP)."""
    (folder / "asked").write_bytes(b"1")
    with (folder / "asked").open("rb") as file:
        try:
            return os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT) == 1
        except OSError:
            return False


async def test_what_was_seen_is_read_again_without_a_question(tmp_path):
    librarian = Librarian(tmp_path)
    mount = contents(tmp_path, librarian)
    assert mount.read_now(FILE, 0, 10) is None
    assert await mount.read(FILE, CHUNK + 5, 10, Recall.WAIT) == DATA[CHUNK + 5 : CHUNK + 15]
    now = mount.read_now(FILE, CHUNK + 100, 50)
    assert now is not None or not answers_at_once(tmp_path)
    assert now is None or bytes(now) == DATA[CHUNK + 100 : CHUNK + 150]
    assert await mount.read(FILE, CHUNK, CHUNK, Recall.NEVER) == DATA[CHUNK : 2 * CHUNK]
    assert len(librarian.asked) == 1
    mount.close()


async def test_who_reads_in_a_row_has_ever_more_asked_for(tmp_path):
    librarian = Librarian(tmp_path)
    mount = contents(tmp_path, librarian)
    for number in (4, 0, 1, 2, 3):
        await mount.read(FILE, number * CHUNK, 10, Recall.WAIT)
    assert [part["ahead"] for part in librarian.asked] == [0, 0, 0, parts_module.MORE * CHUNK, SIZE]
    mount.close()


async def test_past_the_deadline_it_is_a_time_out_and_the_next_try_succeeds(autojump_clock, tmp_path):
    librarian = Librarian(tmp_path, ["waiting"] * 3)
    mount = contents(tmp_path, librarian, deadline=45.0)
    with pytest.raises(RecallTimedOut, match="on its way"):
        await mount.read(FILE, 0, 10, Recall.WAIT)
    assert trio.current_time() - 45.0 < 1.0
    librarian.moods.clear()
    assert await mount.read(FILE, 0, 10, Recall.WAIT) == DATA[:10]
    mount.close()


async def test_who_must_not_wait_is_refused_until_it_is_there(autojump_clock, tmp_path):
    librarian = Librarian(tmp_path, ["waiting"])
    mount = contents(tmp_path, librarian)
    with pytest.raises(RecallRefused):
        await mount.read(FILE, 0, 10, Recall.NEVER)
    assert librarian.asked == []
    with pytest.raises(RecallRefused, match="it is being brought"):
        await mount.read(FILE, 0, 10, Recall.START)
    assert trio.current_time() < 1.0
    librarian.fill(range(1))
    assert await mount.read(FILE, 0, 10, Recall.START) == DATA[:10]
    mount.close()


async def test_a_crowd_takes_turns_at_asking_and_all_are_served(autojump_clock, tmp_path):
    readers = 5 * contents_module.ASKING

    class Counting(Librarian):
        now = most = 0

        async def recall(self, content, wait, part=None):
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                return await super().recall(content, wait, part)
            finally:
                self.now -= 1

    librarian = Counting(tmp_path, ["waiting"] * readers)
    mount = contents(tmp_path, librarian)
    served = []

    async def reader(number):
        offset = number % len(GRID) * CHUNK + 5
        assert await mount.read(FILE, offset, 10, Recall.WAIT) == DATA[offset : offset + 10]
        served.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(readers):
            nursery.start_soon(reader, number)
    assert len(served) == readers
    assert librarian.most == contents_module.ASKING
    assert readers / contents_module.ASKED <= trio.current_time() < 60
    mount.close()


async def test_what_no_disc_gives_is_an_error_at_once(tmp_path):
    mount = contents(tmp_path, Librarian(tmp_path, ["failed"]))
    with pytest.raises(ContentUnavailable, match=r"film\.mkv.*damaged"):
        await mount.read(FILE, 0, 10, Recall.WAIT)
    mount.close()


async def test_a_reader_that_is_interrupted_returns_at_once_and_spoils_nothing(autojump_clock, tmp_path):
    librarian = Librarian(tmp_path, ["waiting"])
    mount = contents(tmp_path, librarian)
    with trio.move_on_after(1) as scope:
        await mount.read(FILE, 0, 10, Recall.WAIT)
    assert scope.cancelled_caught
    assert trio.current_time() < 1.5
    assert await mount.read(FILE, 0, 10, Recall.WAIT) == DATA[:10]
    mount.close()
