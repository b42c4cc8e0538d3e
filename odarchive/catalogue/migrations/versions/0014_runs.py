"""Most names are found by their inode through runs of numbers, which takes the index of all numbers away.

The tree is written anew, in order, so that its pages are full. Some seconds per million names.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_LONGEST, _SHORTEST = 32, 3
_COLUMNS = (
    "parent, name, since, until, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino, content,"
    " target, carrier, shown, xattrs"
)
_APART = (
    "(mode & 61440) = 16384 OR NOT EXISTS (SELECT 1 FROM run WHERE first = (SELECT max(first) FROM run"
    " WHERE first <= ino) AND folder = parent AND name BETWEEN low AND high)"
)
_Run = tuple[int, int, bytes, bytes]


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "run",
        sa.Column("first", big, autoincrement=False, nullable=False),
        sa.Column("folder", big, nullable=False),
        sa.Column("low", sa.LargeBinary(), nullable=False),
        sa.Column("high", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first"),
    )
    connection = op.get_bind()
    for found in _runs(connection):
        connection.exec_driver_sql("INSERT OR IGNORE INTO run (first, folder, low, high) VALUES (?, ?, ?, ?)", found)
    op.create_table(
        "new_entry",
        sa.Column("parent", big, autoincrement=False, nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("since", big, autoincrement=False, nullable=False),
        sa.Column("until", big, nullable=True),
        sa.Column("ino", big, nullable=False),
        sa.Column("mode", sa.Integer(), nullable=False),
        sa.Column("nlink", sa.Integer(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("gid", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("src_dev", sa.BigInteger(), nullable=False),
        sa.Column("src_ino", sa.BigInteger(), nullable=False),
        sa.Column("content", big, nullable=True),
        sa.Column("target", sa.LargeBinary(), nullable=True),
        sa.Column("carrier", big, nullable=True),
        sa.Column("shown", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("xattrs", sa.LargeBinary(), nullable=True),
        sa.Column("apart", sa.Integer(), nullable=False, server_default="1"),
        sa.ForeignKeyConstraint(["content"], ["content.id"]),
        sa.PrimaryKeyConstraint("parent", "name", "since"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO new_entry ({_COLUMNS}, apart) SELECT {_COLUMNS}, {_APART} FROM entry ORDER BY parent, name, since"  # noqa: S608
    )
    op.drop_table("entry")
    op.rename_table("new_entry", "entry")
    op.create_index("entry_apart", "entry", ["ino"], unique=False, sqlite_where=sa.text("apart = 1"))
    op.create_index("entry_content", "entry", ["content"], unique=False, sqlite_where=sa.text("content <> ino"))
    op.create_index("entry_carrier", "entry", ["carrier"], unique=False, sqlite_where=sa.text("content IS NULL"))


def _runs(connection: sa.Connection) -> Iterator[_Run]:
    """Names of one directory, ascending, whose numbers follow one another."""
    rows = connection.exec_driver_sql(
        "SELECT parent, ino, name FROM entry WHERE (mode & 61440) <> 16384 ORDER BY parent, name, since"
    )
    for folder, group in groupby(rows, itemgetter(0)):
        first = last = 0
        names: list[bytes] = []
        for _, ino, name in sorted(set(map(tuple, group))):
            if not names or ino != last + 1 or name <= names[-1]:
                yield from _cut(folder, first, names)
                first, names = ino, []
            names.append(name)
            last = ino
        yield from _cut(folder, first, names)


def _cut(folder: int, first: int, names: list[bytes]) -> Iterator[_Run]:
    for at in range(0, len(names) if len(names) >= _SHORTEST else 0, _LONGEST):
        yield first + at, folder, names[at], names[min(at + _LONGEST, len(names)) - 1]
