"""Names can be searched and forgotten; extended attributes and holes are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("snapshot", sa.Column("forgotten_ns", sa.BigInteger(), nullable=True))
    op.add_column("entry", sa.Column("xattrs", sa.LargeBinary(), nullable=True))
    op.create_table(
        "xattrs",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holes",
        sa.Column("content", big, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["content.id"]),
        sa.PrimaryKeyConstraint("content"),
    )
    op.create_table(
        "forgotten",
        sa.Column("source", big, autoincrement=False, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"]),
        sa.PrimaryKeyConstraint("source", "path"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "name_alias",
        sa.Column("id", big, nullable=False),
        sa.Column("ino", big, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(
        "CREATE VIRTUAL TABLE name_words USING fts5(name, content='', detail=none, columnsize=0,"
        " tokenize='unicode61 remove_diacritics 2')"
    )
    _index_names()


def _index_names() -> None:
    connection = op.get_bind()
    rows = connection.exec_driver_sql("SELECT DISTINCT ino, parent, name FROM entry WHERE parent <> 0 ORDER BY ino")
    last = 0
    for ino, _, name in rows.fetchall():
        key = ino
        if ino == last:
            connection.exec_driver_sql("INSERT INTO name_alias (ino) VALUES (?)", (ino,))
            key = -connection.exec_driver_sql("SELECT max(id) FROM name_alias").scalar_one()
        last = ino
        text = name.decode("utf-8", "replace")
        connection.exec_driver_sql("INSERT INTO name_words (rowid, name) VALUES (?, ?)", (key, text))
