"""Contents in part: never a wrong byte, whatever arrives in whatever order, and wherever the writer is killed."""

import itertools
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.cache import Cache, CacheOrder, CacheReader, Keeping, PartialReader
from odarchive.cache import parts as parts_module
from odarchive.chunks import CHUNK, ChunkedBlake3, Grid, Part
from odarchive.digest import content_digest
from odarchive.errors import DamageFound, NoSpace

SIZE = 4 * CHUNK + 12_345
DATA = random.Random(61).randbytes(SIZE)
DIGEST = content_digest(DATA)


def grid_of(data, cuts=()):
    ends = [0, *cuts, len(data)]
    parts = []
    for low, high in itertools.pairwise(ends):
        hasher = ChunkedBlake3(data[low:high])
        parts.append(Part(low, high - low, hasher.chunks() or hasher.digest()[:16]))
    grid = Grid.of(len(data), parts)
    assert grid is not None
    return grid


GRIDS = (grid_of(DATA), grid_of(DATA, [CHUNK + 2048, 3 * CHUNK]))


def chunk(grid, number, data=DATA):
    found = grid[number]
    return data[found.start : found.start + found.length]


def read(folder, grid, offset, length, digest=DIGEST):
    """What a mount would hand out; None if it would not."""
    reader = PartialReader.open(folder, digest, grid)
    if reader is None:
        return None
    try:
        numbers = grid.over(offset, length)
        if reader.lacks(numbers) != ([], []):
            return None
        assert reader.covers(numbers)
        return os.pread(reader.descriptor, length, offset)
    finally:
        reader.close()


def whole(folder, digest=DIGEST, size=SIZE):
    descriptor = CacheReader(folder, booted_ns=0).open(digest, size)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(GRIDS))
def test_any_order_of_arrival_and_any_reads(tmp_path_factory, data, grid):
    folder = tmp_path_factory.mktemp("cache")
    cache = Cache(folder, 1 << 30)
    part = cache.partial(DIGEST, grid)
    order = data.draw(st.permutations(range(len(grid))))
    there: set[int] = set()
    old = None
    for number in order:
        cache.put(part, number, chunk(grid, number))
        there.add(number)
        old = old or PartialReader.open(folder, DIGEST, grid)
        offset = data.draw(st.integers(0, SIZE - 1))
        length = data.draw(st.integers(1, 2 * CHUNK))
        expected = DATA[offset : offset + length] if there.issuperset(grid.over(offset, length)) else None
        assert read(folder, grid, offset, length) == expected
        assert (old.lacks(grid.over(offset, length)) == ([], [])) == (expected is not None)
        assert cache.used == part.bytes == sum(grid[n].length for n in there)
    part.check()
    cache.finish(part)
    assert whole(folder) == DATA
    assert DIGEST in cache
    assert old.lacks(range(len(grid))) == ([], []), "an open file stays what it is"
    old.close()
    assert cache.used == SIZE
    assert list((folder / "partial").iterdir()) == []


def test_wrong_bytes_are_refused_and_a_lie_on_the_disk_is_found(tmp_path):
    grid = GRIDS[0]
    cache = Cache(tmp_path, 1 << 30)
    part = cache.partial(DIGEST, grid)
    with pytest.raises(DamageFound):
        cache.put(part, 1, chunk(grid, 2))
    with pytest.raises(DamageFound):
        cache.put(part, 1, chunk(grid, 1)[:-1])
    assert 1 not in part
    cache.put(part, 1, chunk(grid, 1))
    with part.path.open("r+b") as file:  # what a power cut or a bad disk does
        file.seek(CHUNK + 5)
        file.write(b"x")
    reader = PartialReader.open(tmp_path, DIGEST, grid)
    assert reader.lacks(range(1, 2)) == ([], [1])
    assert not reader.covers(range(1, 2))
    cache.recheck(part, [0, 1])
    assert reader.lacks(range(1, 2)) == ([1], [])
    assert part.bytes == cache.used == 0
    cache.put(part, 1, chunk(grid, 1))
    assert reader.lacks(range(1, 2)) == ([], [])
    reader.close()


def test_chunks_of_another_division_are_not_believed(tmp_path):
    cache = Cache(tmp_path, 1 << 30)
    part = cache.partial(DIGEST, GRIDS[0])
    cache.put(part, 0, chunk(GRIDS[0], 0))
    cache.release(part)
    assert PartialReader.open(tmp_path, DIGEST, GRIDS[1]) is None
    part = cache.partial(DIGEST, GRIDS[1])
    assert part.bytes == 0
    assert read(tmp_path, GRIDS[0], 0, 5) is None


def test_stock_is_taken_of_parts_without_reading_them(tmp_path, monkeypatch):
    cache = Cache(tmp_path, 1 << 30)
    part = cache.partial(DIGEST, GRIDS[0])
    cache.put(part, 2, chunk(GRIDS[0], 2))
    cache.release(part)
    (tmp_path / "partial" / "left.have").write_bytes(b"")
    (tmp_path / "partial" / "left").write_bytes(b"over")
    monkeypatch.setattr(parts_module, "chunk_digest", lambda _: pytest.fail("a chunk was read"))
    again = Cache(tmp_path, 1 << 30)
    assert (again.parts(), again.used, DIGEST in again) == ((1, CHUNK), CHUNK, False)
    assert {path.name for path in (tmp_path / "partial").iterdir()} == {DIGEST.hex(), f"{DIGEST.hex()}.have"}


class Killed(BaseException):
    """The process ends here."""


STEPS = ("pwrite", "open", "ftruncate", "unlink", "rename", "setxattr", "utime")
ORDER = [3, 0, 1, 5, 2, 4]


def fill(folder, grid):
    """A writer's life: all chunks come, and the content gets its name."""
    cache = Cache(folder, 1 << 30)
    part = cache.partial(DIGEST, grid, near="1.0")
    for number in ORDER:
        cache.put(part, number, chunk(grid, number))
    part.check()
    cache.finish(part)


def killed_at(monkeypatch, at, torn, life):
    """Whether a life was ended at its step ``at``."""
    count = 0

    def step(name, real):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == at and torn and name == "pwrite":
                real(args[0], args[1][: len(args[1]) // 2], args[2])
            if count >= at:
                raise Killed  # nothing runs after a kill, not even what tidies up
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, step(name, getattr(os, name)))
        try:
            life()
        except Killed:
            return True
    return False


def readable(folder, grid):
    """Chunks a mount would hand out, each of which is right."""
    found = {n: read(folder, grid, grid[n].start, grid[n].length) for n in range(len(grid))}
    found = {number: data for number, data in found.items() if data is not None}
    assert all(data == chunk(grid, number) for number, data in found.items())
    return set(found)


@pytest.mark.parametrize("torn", [False, True])
def test_a_kill_at_every_step_costs_at_most_a_chunk(tmp_path, monkeypatch, torn):
    """N = 1, 2, 3 ... until a life passes. ``torn``: the step it dies in has done half of what it should."""
    grid = GRIDS[1]
    assert sorted(ORDER) == list(range(len(grid)))
    most = 0
    for at in range(1, 200):
        folder = tmp_path / str(at)
        died = killed_at(monkeypatch, at, torn, lambda folder=folder: fill(folder, grid))
        left = readable(folder, grid)
        most = max(most, len(left))
        assert whole(folder) in (None, DATA)
        again = Cache(folder, 1 << 30)
        assert again.used == (SIZE if DIGEST in again else again.parts()[1])
        if DIGEST not in again:
            part = again.partial(DIGEST, grid)
            assert {n for n in range(len(grid)) if n in part} == left, "what was readable still counts, and no more"
            again.release(part)
            fill(folder, grid)
        assert whole(folder) == DATA
        if not died:
            assert at > 2 * len(grid)
            assert most == len(grid)
            return
    pytest.fail("no life passed")


def put_whole(cache, data, near=""):
    with cache.begin(content_digest(data), len(data), near) as filling:
        filling.write(0, data)
        filling.check()
        filling.admit()


def age(folder, data, when):
    name = content_digest(data).hex()
    os.utime(folder / name[:2] / name[2:], ns=(when, when))


def test_what_lies_together_on_a_disc_goes_together(tmp_path):
    cache = Cache(tmp_path, 100)
    bodies = {number: bytes([number]) * 20 for number in range(5)}
    for number, near in enumerate(["1.0", "2.0", "1.0", "2.0", "3.0"]):
        put_whole(cache, bodies[number], near)
    for number, when in enumerate([1, 2, 3, 50, 4]):
        age(tmp_path, bodies[number], when)
    cache = Cache(tmp_path, 100)  # the groups outlive the librarian
    put_whole(cache, b"x" * 35, "4.0")
    here = {number for number, body in bodies.items() if content_digest(body) in cache}
    assert here == {1, 3, 4}, "2.0 was used last, although one of it is older than what lies on 1.0"


def test_heads_and_small_files_stay_until_nothing_else_is_left(tmp_path):
    keeping = Keeping(quota=2 * SIZE, small=10, head=256_000)
    cache = Cache(tmp_path, keeping, lambda digest: GRIDS[0] if digest == DIGEST else None)
    put_whole(cache, DATA)
    put_whole(cache, b"small")
    for body in (DATA, b"small"):
        age(tmp_path, body, 1)
    other = bytes(SIZE + CHUNK)
    put_whole(cache, other)
    assert DIGEST not in cache
    assert read(tmp_path, GRIDS[0], 0, 256_000) == DATA[:256_000]
    assert read(tmp_path, GRIDS[0], CHUNK, 10) is None
    assert content_digest(b"small") in cache
    age(tmp_path, other, 2)
    again = Cache(tmp_path, keeping, lambda _: None)
    put_whole(again, b"y" * (SIZE - CHUNK))
    assert read(tmp_path, GRIDS[0], 0, 10) == DATA[:10], "the large one went, although it was used later"
    assert content_digest(other) not in again
    put_whole(again, b"z" * 2 * SIZE)
    assert again.parts() == (0, 0)


def test_a_person_evicts_all_but_the_head_and_open_readers_keep_theirs(tmp_path):
    cache = Cache(tmp_path, 1 << 30, lambda _: GRIDS[0])
    part = cache.partial(DIGEST, GRIDS[0])
    for number in (0, 1, 3):
        cache.put(part, number, chunk(GRIDS[0], number))
    assert not cache.order(DIGEST, CacheOrder.EVICT), "something is coming"
    cache.release(part)
    reader = PartialReader.open(tmp_path, DIGEST, GRIDS[0])
    assert cache.order(DIGEST, CacheOrder.EVICT, 2 * CHUNK)
    assert cache.used == 2 * CHUNK
    assert read(tmp_path, GRIDS[0], 0, 2 * CHUNK) == DATA[: 2 * CHUNK]
    assert read(tmp_path, GRIDS[0], 3 * CHUNK, 1) is None
    assert reader.lacks(range(3, 4)) == ([], [])
    assert os.pread(reader.descriptor, 10, 3 * CHUNK) == DATA[3 * CHUNK : 3 * CHUNK + 10]
    reader.close()
    assert cache.order(DIGEST, CacheOrder.EVICT)
    assert (cache.used, cache.parts()) == (0, (0, 0))


def test_a_content_that_comes_as_a_whole_does_not_empty_the_parts_a_reader_has_open(tmp_path):
    cache = Cache(tmp_path, 1 << 30)
    part = cache.partial(DIGEST, GRIDS[0])
    cache.put(part, 1, chunk(GRIDS[0], 1))
    cache.release(part)
    reader = PartialReader.open(tmp_path, DIGEST, GRIDS[0])
    assert reader.lacks(range(1, 2)) == ([], [])
    filling = cache.begin(DIGEST, SIZE)
    assert os.pread(reader.descriptor, 10, CHUNK) == DATA[CHUNK : CHUNK + 10]
    filling.abort()
    reader.close()


def test_a_chunk_that_is_there_needs_no_room(tmp_path, monkeypatch):
    cache = Cache(tmp_path, 1 << 30)
    part = cache.partial(DIGEST, GRIDS[0])
    cache.put(part, 0, chunk(GRIDS[0], 0))
    monkeypatch.setattr(Cache, "_short", lambda *_: 1 << 40)
    cache.put(part, 0, chunk(GRIDS[0], 0))
    with pytest.raises(NoSpace):
        cache.put(part, 1, chunk(GRIDS[0], 1))
    assert cache.used == CHUNK


def test_a_filling_that_is_given_up_leaves_the_chunks_that_come_meanwhile(tmp_path):
    """Read-ahead fills a content, a reader asks for that very one, and read-ahead is interrupted."""
    cache = Cache(tmp_path, 1 << 30)
    filling = cache.begin(DIGEST, SIZE)
    filling.write(0, DATA[:CHUNK])
    part = cache.partial(DIGEST, GRIDS[0])
    cache.put(part, 0, chunk(GRIDS[0], 0))
    filling.write(CHUNK, b"what the drive makes of it")
    filling.abort()
    assert read(tmp_path, GRIDS[0], 0, CHUNK) == DATA[:CHUNK]
    for number in range(1, len(GRIDS[0])):
        cache.put(part, number, chunk(GRIDS[0], number))
    part.check()
    cache.finish(part)
    assert whole(tmp_path) == DATA
    assert (cache.used, DIGEST in cache) == (SIZE, True)


def test_two_fillings_of_one_content_do_not_share_a_byte(tmp_path):
    cache = Cache(tmp_path, 1 << 30)
    first = cache.begin(DIGEST, SIZE)
    first.write(0, DATA[: 2 * CHUNK])
    with cache.begin(DIGEST, SIZE) as second:
        first.write(2 * CHUNK, DATA[2 * CHUNK :])
        first.check()
        first.admit()
        assert whole(tmp_path) == DATA, "the second one emptied what the first had written"
        second.write(0, DATA[:CHUNK])
    assert whole(tmp_path) == DATA
    with cache.begin(DIGEST, SIZE) as third:
        third.write(0, DATA)
        third.check()
        third.admit()
    assert whole(tmp_path) == DATA
    assert cache.used == SIZE
    assert list((tmp_path / "partial").iterdir()) == []


@pytest.mark.parametrize("evicted", [False, True])
def test_a_content_that_came_as_a_whole_is_not_thrown_out_with_its_chunks(tmp_path, evicted):
    cache = Cache(tmp_path, 1 << 30)
    part = cache.partial(DIGEST, GRIDS[0])
    cache.put(part, 0, chunk(GRIDS[0], 0))
    put_whole(cache, DATA)
    assert not cache.order(DIGEST, CacheOrder.EVICT), "its chunks still come"
    if evicted:
        os.unlink(tmp_path / DIGEST.hex()[:2] / DIGEST.hex()[2:])  # by hand
    cache.put(part, 1, chunk(GRIDS[0], 1))
    cache.recheck(part, [0, 1])
    assert cache.used == (0 if evicted else SIZE)
    cache.release(part)
    assert whole(tmp_path) == (None if evicted else DATA)
    again = cache.partial(DIGEST, GRIDS[0])
    cache.put(again, 1, chunk(GRIDS[0], 1))
    if not evicted:
        cache.finish(again)
    cache.release(again)
    assert (DIGEST in cache, cache.used) == ((False, CHUNK) if evicted else (True, SIZE))


def test_a_file_that_somebody_put_in_the_place_of_a_checked_one_gets_no_name(tmp_path):
    cache = Cache(tmp_path, 1 << 30)
    with cache.begin(DIGEST, SIZE) as filling:
        filling.write(0, DATA)
        filling.check()
        (path,) = (tmp_path / "partial").iterdir()
        path.unlink()
        path.write_bytes(bytes(SIZE))
        with pytest.raises(NoSpace, match="another file than was filled"):
            filling.admit()
    assert whole(tmp_path) is None
    assert DIGEST not in cache


def test_bytes_that_are_written_twice_are_hashed_as_they_lie_there(tmp_path):
    cache = Cache(tmp_path, 1 << 30)
    with cache.begin(DIGEST, SIZE) as filling:
        filling.write(0, DATA)
        filling.write(5, b"other")
        with pytest.raises(DamageFound):
            filling.check()
        filling.write(0, DATA)
        filling.check()


def test_the_disk_is_never_filled_to_its_end(tmp_path, monkeypatch):
    cache = Cache(tmp_path, Keeping(quota=1 << 40, free=1 << 60))
    disk = os.statvfs(tmp_path)
    twentieth = disk.f_blocks * disk.f_frsize // 20

    def full(_path):
        return os.statvfs_result((*disk[:4], (twentieth - 10 * CHUNK) // disk.f_frsize, *disk[5:]))

    part = cache.partial(DIGEST, GRIDS[0])
    monkeypatch.setattr(os, "statvfs", full)
    with pytest.raises(NoSpace):
        cache.put(part, 0, chunk(GRIDS[0], 0))
    assert 0 not in part
    with pytest.raises(NoSpace):
        cache.begin(content_digest(b"abc"), 3)
