"""What is known of the cache folder, against the folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.mount import residency
from odarchive.mount.residency import Residency

DIGESTS = [bytes([folder, number]) + bytes(30) for folder in (0, 1, 255) for number in range(4)]
NUMBERS = {digest: position + 1 for position, digest in enumerate(DIGESTS[:-1])}  # one is not in the catalogue


def numbers(digests):
    return {digest: NUMBERS[digest] for digest in digests if digest in NUMBERS}


def place(cache: Path, digest: bytes) -> Path:
    return cache / digest.hex()[:2] / digest.hex()[2:]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache/partial").mkdir(parents=True)
    return tmp_path / "cache"


def put(cache: Path, digest: bytes) -> None:
    place(cache, digest).parent.mkdir(exist_ok=True)
    place(cache, digest).touch()


def test_it_tells_what_came_and_went(cache: Path) -> None:
    seen = Residency(cache, numbers)
    assert seen.look() == set()
    put(cache, DIGESTS[0])
    put(cache, DIGESTS[5])
    put(cache, DIGESTS[-1])
    (cache / "partial" / DIGESTS[1].hex()).touch()
    assert seen.look() == {1, 6}
    assert 1 in seen
    assert 2 not in seen
    place(cache, DIGESTS[0]).unlink()
    put(cache, DIGESTS[4])
    assert seen.look() == {1, 5}
    assert 1 not in seen
    assert seen.look() == set()


def test_folders_that_did_not_change_are_not_listed_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache, DIGESTS[0])
    os.utime(cache / "00", ns=(0, 10**18))
    seen = Residency(cache, numbers)
    assert seen.look() == {1}
    monkeypatch.setattr(os, "listdir", lambda _: pytest.fail("listed again"))
    assert seen.look() == set()


def test_a_young_mtime_is_not_believed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache, DIGESTS[0])
    mtime = (cache / "00").stat().st_mtime_ns
    monkeypatch.setattr(residency.time, "time_ns", lambda: mtime + 1)
    seen = Residency(cache, numbers)
    assert seen.look() == {1}
    put(cache, DIGESTS[1])
    os.utime(cache / "00", ns=(mtime, mtime))  # within the same tick of the clock
    assert seen.look() == {2}


def test_a_cache_that_is_gone_or_holds_other_things_is_empty(cache: Path) -> None:
    (cache / "00").mkdir()
    (cache / "00" / "notes.txt").touch()
    (cache / "01").touch()
    seen = Residency(cache, numbers)
    assert seen.look() == set()
    assert Residency(cache / "nowhere", numbers).look() == set()


@settings(derandomize=True, max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(DIGESTS), st.booleans()), max_size=30))
def test_it_is_what_the_folder_is(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bytes, bool]]) -> None:
    cache = tmp_path_factory.mktemp("cache")
    seen = Residency(cache, numbers)
    for digest, there in steps:
        if there:
            put(cache, digest)
        else:
            place(cache, digest).unlink(missing_ok=True)
        seen.look()
        truth = {NUMBERS[digest] for digest in NUMBERS if place(cache, digest).exists()}
        assert {number for number in NUMBERS.values() if number in seen} == truth
