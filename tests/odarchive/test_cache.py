"""The cache lets in what has the right digest, and nothing else."""

import os

import pytest

from odarchive.cache import Cache, CacheOrder, CacheReader
from odarchive.digest import content_digest
from odarchive.errors import DamageFound


def put(cache, data):
    with cache.begin(content_digest(data), len(data)) as filling:
        filling.write(0, data)
        filling.check()
        filling.admit()


def read(reader, data):
    descriptor = reader.open(content_digest(data), len(data))
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_what_is_admitted_can_be_read(tmp_path):
    cache = Cache(tmp_path, 1000)
    put(cache, b"hello")
    assert content_digest(b"hello") in cache
    assert read(CacheReader(tmp_path, booted_ns=0), b"hello") == b"hello"
    assert cache.used == 5


def test_wrong_bytes_are_refused_and_leave_nothing(tmp_path):
    cache = Cache(tmp_path, 1000)
    digest = content_digest(b"hello")
    with cache.begin(digest, 5) as filling:
        filling.write(0, b"hellO")
        with pytest.raises(DamageFound):
            filling.check()
        with pytest.raises(DamageFound):
            filling.admit()
    assert digest not in cache
    assert read(CacheReader(tmp_path, booted_ns=0), b"hello") is None
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_short_content_is_refused(tmp_path):
    cache = Cache(tmp_path, 1000)
    with cache.begin(content_digest(b"hello"), 5) as filling:
        filling.write(0, b"hell")
        with pytest.raises(DamageFound):
            filling.check()


def test_pieces_in_any_order(tmp_path):
    cache = Cache(tmp_path, 1000)
    with cache.begin(content_digest(b"hello world"), 11) as filling:
        filling.write(6, b"world")
        filling.write(0, b"hello ")
        filling.check()
        filling.admit()
    assert read(CacheReader(tmp_path, booted_ns=0), b"hello world") == b"hello world"


def test_eviction_by_last_use_keeps_the_quota(tmp_path):
    cache = Cache(tmp_path, 100)
    bodies = [bytes([n]) * 30 for n in range(3)]
    for age, body in enumerate(bodies):
        put(cache, body)
        name = content_digest(body).hex()
        os.utime(tmp_path / name[:2] / name[2:], ns=(age, age))
    reader = CacheReader(tmp_path, booted_ns=0)
    assert read(reader, bodies[0]) == bodies[0]  # now the youngest
    put(cache, b"x" * 30)
    assert read(reader, bodies[1]) is None
    assert read(reader, bodies[0]) == bodies[0]
    assert cache.used <= 100


def test_a_content_above_the_quota_is_let_in_alone(tmp_path):
    cache = Cache(tmp_path, 10)
    put(cache, b"small")
    put(cache, b"y" * 50)
    assert content_digest(b"small") not in cache
    assert read(CacheReader(tmp_path, booted_ns=0), b"y" * 50) == b"y" * 50


def test_stock_is_taken_and_half_fillings_are_swept(tmp_path):
    first = Cache(tmp_path, 1000)
    put(first, b"kept")
    first.begin(content_digest(b"torn"), 4).write(0, b"to")
    again = Cache(tmp_path, 1000)
    assert content_digest(b"kept") in again
    assert again.used == 4
    assert list((tmp_path / "partial").iterdir()) == []


def test_a_file_from_before_this_boot_is_hashed_before_use(tmp_path):
    cache = Cache(tmp_path, 1000)
    put(cache, b"hello")
    name = content_digest(b"hello").hex()
    file = tmp_path / name[:2] / name[2:]
    file.write_bytes(b"hellO")  # what a power cut may leave: right length, wrong bytes
    later = file.stat().st_ctime_ns + 1
    reader = CacheReader(tmp_path, booted_ns=later)
    assert reader.open(content_digest(b"hello"), 5, may_hash=False) is None
    assert read(reader, b"hello") is None
    assert not file.exists()


def test_a_right_file_from_before_this_boot_is_served(tmp_path):
    put(Cache(tmp_path, 1000), b"hello")
    assert read(CacheReader(tmp_path, booted_ns=2**62), b"hello") == b"hello"


def test_a_symlink_is_never_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"hello")
    cache = tmp_path / "cache"
    name = content_digest(b"hello").hex()
    (cache / name[:2]).mkdir(parents=True)
    (cache / name[:2] / name[2:]).symlink_to(secret)
    assert CacheReader(cache, booted_ns=0).open(content_digest(b"hello"), 5) is None


def test_what_is_pinned_stays_and_the_mark_outlives_the_librarian(tmp_path):
    cache = Cache(tmp_path, 10)
    first, second, third = (content_digest(data) for data in (b"first", b"other", b"third"))
    assert cache.order(first, CacheOrder.PIN)  # before its content is there
    assert not cache.order(first, CacheOrder.PIN)
    put(cache, b"first")
    put(cache, b"other")
    cache = Cache(tmp_path, 10)
    put(cache, b"third")
    assert (first in cache, second in cache, third in cache) == (True, False, True)
    assert not cache.order(first, CacheOrder.EVICT)
    assert cache.order(first, CacheOrder.UNPIN)
    assert not cache.order(first, CacheOrder.UNPIN)
    assert cache.order(first, CacheOrder.EVICT)
    assert not cache.order(first, CacheOrder.EVICT)
    assert (first in cache, cache.used) == (False, 5)
    assert Cache(tmp_path, 10).pinned == set()


def test_other_things_among_the_pins_are_left_alone(tmp_path):
    cache = Cache(tmp_path, 10)
    assert cache.order(content_digest(b"first"), CacheOrder.PIN)
    (tmp_path / "pinned/notes.txt").touch()
    assert Cache(tmp_path, 10).pinned == {content_digest(b"first")}
    assert (tmp_path / "pinned/notes.txt").exists()
