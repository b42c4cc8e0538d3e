"""Contents in part read by many at once, in real threads: no descriptor is left open, none is closed in use."""

import errno
import os
import random
import threading

import pytest
import trio
import trio.testing

from odarchive.cache import Cache, Keeping, PartialReader
from odarchive.cache.files import partial_place
from odarchive.chunks import CHUNK, ChunkedBlake3, Grid
from odarchive.chunks import Part as Cut
from odarchive.digest import content_digest
from odarchive.model import Content, ContentId
from odarchive.mount.parts import Part

SIZE = 2 * CHUNK + 99
DATA = random.Random(6).randbytes(SIZE)
CONTENT = Content(ContentId(7), content_digest(DATA), SIZE)


@pytest.fixture
def grid():
    return Grid.of(SIZE, [Cut(0, SIZE, ChunkedBlake3(DATA).chunks())])


@pytest.fixture
def part(tmp_path, grid):
    fill(tmp_path, grid)
    return Part(CONTENT, grid, tmp_path, client=None)


def fill(folder, grid):
    with Cache(folder, Keeping(1 << 30)).partial(CONTENT.digest, grid) as partial:
        for number in range(2):
            partial.put(number, DATA[grid[number].start :][: grid[number].length])


def descriptors():
    return set(os.listdir("/proc/self/fd"))


class Gate:
    """A method that waits in its thread until it is let through."""

    def __init__(self, method):
        self.method, self.open, self.calls = method, threading.Event(), []

    def __call__(self, *arguments):
        self.calls.append(arguments)
        assert self.open.wait(20)
        return self.method(*arguments)


@pytest.fixture
def slow_open(monkeypatch):
    gate = Gate(PartialReader.open)
    monkeypatch.setattr(PartialReader, "open", gate)
    return gate


async def all_threads_wait(gate):
    await trio.testing.wait_all_tasks_blocked(0.02)
    while not gate.calls:
        await trio.testing.wait_all_tasks_blocked(0.02)


async def test_eight_who_begin_at_once_open_the_file_once(part, slow_open):
    before = descriptors()
    got = []

    async def read(number):
        got.append(await part.read(number, 10) == DATA[number : number + 10])

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(read, number)
            await all_threads_wait(slow_open)
            slow_open.open.set()
    assert got == [True] * 8
    assert len(slow_open.calls) == 1
    assert len(descriptors()) == len(before) + 2
    part.close()
    assert descriptors() == before


async def test_what_is_forgotten_while_it_is_opened_is_closed(part, slow_open):
    before = descriptors()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(part.read, 0, 10)
            await all_threads_wait(slow_open)
            part.close()
            slow_open.open.set()
    assert descriptors() == before


async def test_a_file_that_another_one_takes_the_place_of_stays_open_while_a_thread_reads_it(
    tmp_path, grid, part, monkeypatch
):
    before = descriptors()
    gate = Gate(PartialReader.lacks)

    def lacks(reader, numbers):
        return gate(reader, numbers)

    monkeypatch.setattr(PartialReader, "lacks", lacks)
    got = []

    async def read():
        got.append(await part.read(CHUNK, 10))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await all_threads_wait(gate)
            (tmp_path / partial_place(CONTENT.digest)).rename(tmp_path / "evicted")
            fill(tmp_path, grid)
            nursery.start_soon(read)
            while len(gate.calls) < 2:
                await trio.testing.wait_all_tasks_blocked(0.02)
            old, new = (reader for reader, _ in gate.calls)
            assert old is not new
            assert os.fstat(old.descriptor).st_ino == old.inode
            part.close()
            assert os.fstat(new.descriptor).st_ino == new.inode
            gate.open.set()
    assert got == [DATA[CHUNK : CHUNK + 10]] * 2
    assert descriptors() == before


def broken(*_):
    raise OSError(errno.EIO, "Input/output error")


async def test_what_the_disk_cannot_read_is_asked_for_as_wrong(part, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(PartialReader, "lacks", broken)
        assert await part.read(5, 10) is None
    assert part.order(5, 10)["wrong"]
    assert not part.order(CHUNK, 10)["wrong"]
    assert await part.read(5, 10) == DATA[5:15]
    assert not part.order(5, 10)["wrong"]
    part.close()


async def test_what_was_right_and_cannot_be_read_any_more_is_asked_for_as_wrong(part, monkeypatch):
    assert await part.read(0, 10) == DATA[:10]
    with monkeypatch.context() as patch:
        patch.setattr("odarchive.mount.parts.os.pread", broken)
        assert await part.read(5, 10) is None
    assert part.at_hand(5, 10) is None
    assert part.order(5, 10)["wrong"]
    assert await part.read(5, 10) == DATA[5:15]
    part.close()


async def test_one_who_finds_a_chunk_wrong_is_not_contradicted_by_another_reader(tmp_path, part):
    with (tmp_path / partial_place(CONTENT.digest)).open("r+b") as file:
        file.write(b"wrong")
    assert await part.read(0, 10) is None
    assert await part.read(CHUNK, 10) == DATA[CHUNK : CHUNK + 10]
    assert part.order(0, 10)["wrong"]
    part.close()


async def test_a_list_of_chunks_that_the_disk_cannot_read_leaves_nothing_open(part, monkeypatch):
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr("odarchive.cache.parts.os.pread", broken)
        assert await part.read(0, 10) is None
    assert descriptors() == before
    assert await part.read(0, 10) == DATA[:10]
    part.close()
