"""Finding names in millions: words through the full-text index, patterns through the words they contain.

``holiday beach`` (words): the path holds all of them, and the name all, or one that is not in thousands of names.
``IMG_*.jpg`` (a pattern): the whole name matches; with a slash in it the whole path. Capitals and accents do not
matter. A word is a run of letters and digits; ``*`` finds parts of words.

A pattern without any whole word or beginning of one (``*ach*``) is compared with every name: a second per million.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are always bound

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from itertools import chain, islice

from sqlalchemy import Connection

from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import COMPLETE, CURRENT
from odarchive.catalogue.paths import Paths, join
from odarchive.catalogue.runs import by_numbers
from odarchive.catalogue.schema import WORDS
from odarchive.errors import OdarchiveError

FREQUENT = 1_000
"""Names with a word from which on the word alone, with the others in folders above, is not followed: 10 ms."""

_TOGETHER = 200
"""Hits that are looked up at once: a question alone costs as much as ten rows."""
_ALIAS = "SELECT ino FROM name_alias WHERE id = ?"
_FOUND = "parent, name, ino, mode, size, mtime_ns, shown, since, until"
_ASCII_WORD = re.compile(r"[0-9A-Za-z]+")
_GLOB = re.compile(r"[*?]|\[[^]]+\]")


_Row = tuple[int, bytes, int, int, int, int, int, int, int | None, int]
"""``_FOUND`` and whether it is present."""


@dataclass(frozen=True, slots=True)
class Found:
    """A name that was found; ``present``: the last complete scan saw it."""

    path: bytes
    ino: int
    mode: int
    size: int
    mtime_ns: int
    archived: bool
    present: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. ``deleted``: also names that are gone, each once."""

    words: tuple[str, ...]
    deleted: bool = False
    limit: int = 1000


def find(connection: Connection, wanted: Wanted) -> list[Found]:
    """The names that are looked for, at most ``limit``, in the order in which they came into the archive.

    Raises:
        OdarchiveError: nothing to look for was given.
    """
    query = _pattern(wanted.words) if any(_GLOB.search(word) for word in wanted.words) else _words(wanted.words)
    paths = Paths(connection)
    raw = driver(connection)
    found: list[Found] = []
    seen: set[tuple[int, bytes]] = set()
    for row in _rows(raw, query, deleted=wanted.deleted):
        key = (row[0], row[1])
        if key in seen or not query.name(_folded(row[1])):
            continue
        seen.add(key)
        path = join(paths.of(row[0]), row[1])
        if query.path(_folded(path)):
            found.append(Found(path, row[2], row[3], row[4], row[5], bool(row[6]), bool(row[9])))
            if len(found) >= wanted.limit:
                break
    return found


class _Query:
    """``matches``: expressions for the index, tried in turn, all but the first if rare; none: every name is read."""

    def __init__(self, matches: Sequence[str]) -> None:
        self.matches = matches

    def name(self, folded: str) -> bool:
        raise NotImplementedError

    def path(self, folded: str) -> bool:
        raise NotImplementedError


class _WordQuery(_Query):
    def __init__(self, words: frozenset[str]) -> None:
        ordered = sorted(words)
        matches = [" AND ".join(map(_quoted, ordered))]
        if len(words) > 1:
            matches.extend(map(_quoted, ordered))
        super().__init__(matches)
        self._words = words

    def name(self, folded: str) -> bool:
        return not self._words.isdisjoint(split(folded))

    def path(self, folded: str) -> bool:
        return self._words <= set(split(folded))


class _PatternQuery(_Query):
    def __init__(self, patterns: Sequence[str]) -> None:
        tokens = [token for pattern in patterns for token in _tokens(pattern.rsplit("/", 1)[-1])]
        super().__init__([" AND ".join(tokens)] if tokens else [])
        self._names = [re.compile(translate(one)) for one in patterns if "/" not in one]
        self._paths = [re.compile(translate(one.strip("/"))) for one in patterns if "/" in one]

    def name(self, folded: str) -> bool:
        return all(pattern.match(folded) for pattern in self._names)

    def path(self, folded: str) -> bool:
        return all(pattern.match(folded) for pattern in self._paths)


def _words(words: Sequence[str]) -> _Query:
    found = frozenset(token for word in words for token in split(_fold(word)))
    if not found:
        raise OdarchiveError("there is no word to look for; give words, or a pattern such as '*.jpg'")
    return _WordQuery(found)


def _pattern(patterns: Sequence[str]) -> _Query:
    return _PatternQuery([_fold(pattern) for pattern in patterns])


def _rows(raw: sqlite3.Connection, query: _Query, *, deleted: bool) -> Iterator[_Row]:
    """Rows that may be meant, with whether they are present as the last column."""
    which = COMPLETE if deleted else CURRENT
    if not query.matches:
        yield from raw.execute(f"SELECT {_FOUND}, {CURRENT} FROM entry WHERE parent <> 0 AND {which}")
        return
    numbers = "(SELECT value AS id FROM json_each(?1))"
    asked = f"{' UNION ALL '.join(by_numbers(f'{_FOUND}, {CURRENT}', numbers, f'parent <> 0 AND {which}'))}"
    asked += " ORDER BY since DESC"
    for turn, match in enumerate(query.matches):
        hits = raw.execute(f"SELECT rowid FROM {WORDS} WHERE {WORDS} MATCH ?", (match,))
        few = hits.fetchmany(FREQUENT + 1)
        if turn and len(few) > FREQUENT:
            continue
        keys = chain(few, hits)
        while some := list(islice(keys, _TOGETHER)):
            inodes = [key if key > 0 else raw.execute(_ALIAS, (-key,)).fetchone()[0] for (key,) in some]
            found: dict[int, list[_Row]] = {ino: [] for ino in inodes}
            for row in raw.execute(asked, (json.dumps(list(found)),)):
                found[row[2]].append(row)
            for ino in inodes:
                yield from found[ino]


def _tokens(pattern: str) -> Iterator[str]:
    """Words of the index that every match must hold: those that no wildcard touches, or only behind them."""
    runs = re.split(r"([*?]|\[[^]]+\])", pattern)
    for place in range(0, len(runs), 2):
        text = runs[place]
        parts = split(text)
        open_left = place > 0 and bool(text) and _is_word(text[0])
        open_right = place + 1 < len(runs) and bool(text) and _is_word(text[-1])
        for number, part in enumerate(parts):
            if open_left and number == 0:
                continue
            yield _quoted(part) + ("*" if open_right and number == len(parts) - 1 else "")


def split(text: str) -> list[str]:
    """The words of a folded text, as the index divides it: runs of letters, digits and private characters."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return "".join(character if _is_word(character) else " " for character in text).split()


def _is_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Co", "Nl", "No")


def _fold(text: str) -> str:
    """Lower case, without accents."""
    if text.isascii():
        return text.lower()
    return "".join(one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one) != "Mn").lower()


def _folded(name: bytes) -> str:
    return _fold(name.decode("utf-8", "replace"))


def _quoted(word: str) -> str:
    return f'"{word}"'
