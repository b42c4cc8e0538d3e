"""The catalogue's invariants as code: what must hold after every transaction of every part, whatever was interrupted.

Each rule is a question whose answers are violations. Not for what discs hold (verification) nor for repairing.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

from odarchive.catalogue.database import Catalogue, driver
from odarchive.catalogue.rules import RULES, Rule
from odarchive.catalogue.shown import differences
from odarchive.catalogue.sources import printable
from odarchive.catalogue.words import missing

LISTED = 50
"""Violations of one rule that are told one by one."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold, and where."""

    rule: str
    detail: str


def check(catalogue: Catalogue, *, deep: bool = True, index: bool = True) -> list[Violation]:
    """Every violation, at most ``LISTED`` of each rule; none: the catalogue is sound.

    Takes some seconds per million entries. ``deep`` also has SQLite verify the
    file's own structure, which reads all of it; ``index`` has the words of all names compared with the full-text index.
    """
    with catalogue.read() as connection:
        try:
            damage = _few("file", _integrity(connection)) if deep else []
            return damage or _all(connection, index=index)  # in a damaged file no other answer means anything
        except (DatabaseError, sqlite3.DatabaseError) as error:
            return [Violation("file", f"SQLite: {getattr(error, 'orig', error)}")]


def _all(connection: Connection, *, index: bool) -> list[Violation]:
    found = _few("reference", _references(connection))
    for rule in RULES:
        found += _few(rule.name, _answers(connection, rule))
    found += _few("shown", _shown(connection))
    return found + (_few("words", _words(connection)) if index else [])


def _few(rule: str, details: Iterator[str]) -> list[Violation]:
    found = [Violation(rule, detail) for detail in islice(details, LISTED)]
    rest = sum(1 for _ in details)
    return [*found, Violation(rule, f"and {rest} more")] if rest else found


def _integrity(connection: Connection) -> Iterator[str]:
    for (answer,) in connection.execute(text("PRAGMA integrity_check")):
        if answer != "ok":
            yield f"SQLite: {answer}"


def _references(connection: Connection) -> Iterator[str]:
    for table, _, parent, _ in connection.execute(text("PRAGMA foreign_key_check")):
        yield f"a row of {table} refers to a row of {parent} that is not there"
    # Snapshots are named by 0 and by key, so no foreign key can say this.
    unknown = "SELECT {0}, count(*) FROM entry WHERE {0} <> 0 AND {0} NOT IN (SELECT id FROM snapshot) GROUP BY {0}"
    answers = (connection.execute(text(unknown.format(column))) for column in ("since", "until"))
    for snapshot, count in chain.from_iterable(answers):
        yield f"{count} entries refer to snapshot {snapshot}, which is not there"


def _answers(connection: Connection, rule: Rule) -> Iterator[str]:
    for row in connection.execute(text(rule.question)).mappings():
        values = (f"{name} {printable(value) if isinstance(value, bytes) else value}" for name, value in row.items())
        yield f"{', '.join(values)}: {rule.meaning}"


def _shown(connection: Connection) -> Iterator[str]:
    for parent, name, since, wanted in differences(driver(connection)):
        state = "hidden but should be in the mount" if wanted else "in the mount but should be hidden"
        yield f"entry {parent}/{printable(name)} since {since} is {state}"


def _words(connection: Connection) -> Iterator[str]:
    for ino, word in missing(driver(connection)):
        yield f"inode {ino} has a name with the word {word!r}, which the index of names does not lead to"
