"""Catalogues for tests, and faults in their transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from odarchive.catalogue.archive import Facts, create
from odarchive.catalogue.check import check
from odarchive.catalogue.database import Catalogue
from odarchive.catalogue.runs import LONGEST

FACTS = Facts(uuid="6b1f6f0e-0000-4000-8000-000000000001", label_prefix="TEST", created_ns=1_000)

MANY = 2 * LONGEST + 5
"""Files in a folder of ``grown``: two full runs and a short one."""


def new_catalogue(folder: Path) -> Catalogue:
    folder.mkdir(parents=True, exist_ok=True)
    return create(folder / "catalogue.db", FACTS)


def rows(catalogue: Catalogue, statement: str, **values: object) -> list[tuple]:
    from sqlalchemy import text

    with catalogue.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def run(catalogue: Catalogue, statement: str, *values: object, loose: bool = False) -> None:
    """Change something by hand; ``loose``: even what foreign keys forbid."""
    with catalogue.look() as raw:
        raw.execute(f"PRAGMA foreign_keys = {'OFF' if loose else 'ON'}")
        raw.execute(statement, values)
        raw.execute("PRAGMA foreign_keys = ON")


def sound(catalogue: Catalogue) -> None:
    assert check(catalogue) == []


class Crash(BaseException):
    """The process dies here, as far as can be had without a process."""


class Faulty(Catalogue):
    """Dies at its Nth write transaction: before it, or right after its commit; then writes no more."""

    def __init__(self, path: Path, at: int, *, after: bool) -> None:
        super().__init__(path)
        self.left = at
        self.after = after
        self.hit = False

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self.hit:
            raise Crash
        self.left -= 1
        if self.left == 0 and not self.after:
            self.hit = True
            raise Crash
        with super().write() as connection:
            yield connection
        if self.left == 0:
            self.hit = True
            raise Crash
