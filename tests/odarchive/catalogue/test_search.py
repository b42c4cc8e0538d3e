"""Finding names: against a plain look at every name; nothing is missing from the index after any history."""

import os
import random
import unicodedata
from fnmatch import fnmatchcase

import pytest
from catalogue_kit import rows, run, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import scanned, write

from odarchive.catalogue import search
from odarchive.catalogue.check import check
from odarchive.catalogue.search import Wanted, find
from odarchive.errors import OdarchiveError


def found(catalogue, *words, **options):
    with catalogue.read() as connection:
        return [one.path for one in find(connection, Wanted(words, **options))]


@pytest.fixture
def tree(catalogue, tmp_path):
    source = tmp_path / "source"
    for path in ("2023/Beach/IMG_1.jpg", "2023/Beach/IMG_22.JPG", "2023/note.txt", "Früh am Morgen.txt", "beach.txt"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        write(source / path, path.encode())
    (source / "linked").hardlink_to(source / "beach.txt")
    write(os.fsencode(source) + b"/odd\xffname", b"x")
    scanned(catalogue, source)
    return source


def test_words(catalogue, tree):
    assert sorted(found(catalogue, "beach")) == [b"source/2023/Beach", b"source/beach.txt"]
    assert sorted(found(catalogue, "beach", "jpg")) == [b"source/2023/Beach/IMG_1.jpg", b"source/2023/Beach/IMG_22.JPG"]
    assert found(catalogue, "fruh") == found(catalogue, "FRÜH morgen") == ["source/Früh am Morgen.txt".encode()]
    assert found(catalogue, unicodedata.normalize("NFD", "früh")) == ["source/Früh am Morgen.txt".encode()]
    assert found(catalogue, "bea") == []
    assert found(catalogue, "linked") == [b"source/linked"]
    assert found(catalogue, "name") == [b"source/odd\xffname"]
    assert len(found(catalogue, "txt", limit=2)) == 2
    with pytest.raises(OdarchiveError, match="no word"):
        found(catalogue, "-- !")


def test_patterns(catalogue, tree):
    assert sorted(found(catalogue, "*.jpg")) == [b"source/2023/Beach/IMG_1.jpg", b"source/2023/Beach/IMG_22.JPG"]
    assert found(catalogue, "img_?.jpg") == [b"source/2023/Beach/IMG_1.jpg"]
    assert sorted(found(catalogue, "*eac*")) == [b"source/2023/Beach", b"source/beach.txt"]
    assert found(catalogue, "source/2023/*.txt") == [b"source/2023/note.txt"]
    assert found(catalogue, "b[e]ach.*") == [b"source/beach.txt"]


def test_what_is_gone_is_found_when_asked_for(catalogue, tree):
    (tree / "beach.txt").unlink()
    (tree / "2023" / "note.txt").rename(tree / "2023" / "other.txt")
    scanned(catalogue, tree)
    assert found(catalogue, "beach", "txt") == []
    assert found(catalogue, "note") == []
    assert found(catalogue, "other") == [b"source/2023/other.txt"]
    assert sorted(found(catalogue, "beach", deleted=True)) == [b"source/2023/Beach", b"source/beach.txt"]
    sound(catalogue)


def test_a_gap_in_the_index_is_told(catalogue, tree):
    run(catalogue, "INSERT INTO name_words (name_words) VALUES ('delete-all')")
    assert {violation.rule for violation in check(catalogue)} == {"words"}


ALPHABET = ["a", "b", "B", "é", "_", ".", "1", " ", "漢"]


@pytest.mark.parametrize("seed", range(4))
def test_patterns_against_a_plain_comparison(catalogue, tmp_path, seed):
    rng = random.Random(seed)
    source = tmp_path / "s"
    source.mkdir()
    for _ in range(60):
        name = "".join(rng.choices(ALPHABET, k=rng.randrange(1, 7)))
        if name not in (".", ".."):
            write(source / name, b"")
    scanned(catalogue, source)
    names = {bytes(row[0]).decode() for row in rows(catalogue, "SELECT name FROM entry WHERE parent <> 0")}
    for _ in range(120):
        pattern = "".join(rng.choices([*ALPHABET, "*", "*", "?"], k=rng.randrange(1, 6))) + "*"
        expected = {one for one in names if fnmatchcase(search._fold(one), search._fold(pattern))}
        got = {path.rsplit(b"/", 1)[-1].decode() for path in found(catalogue, pattern)}
        assert got == expected, (seed, pattern)


@given(st.text(max_size=20))
@settings(derandomize=True, max_examples=300)
def test_words_of_any_text_are_words(text):
    for word in search.split(search._fold(text)):
        assert search.split(word) == [word]
