"""Discs made by other programs join the union."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "content_alias",
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", big, nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["content.id"]),
        sa.PrimaryKeyConstraint("algorithm", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_content_alias_content"), "content_alias", ["content"], unique=False)
    op.create_table(
        "foreign_disc",
        sa.Column("id", big, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("imported_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "foreign_place",
        sa.Column("content", big, autoincrement=False, nullable=False),
        sa.Column("disc", big, autoincrement=False, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("checked_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["content"], ["content.id"]),
        sa.ForeignKeyConstraint(["disc"], ["foreign_disc.id"]),
        sa.PrimaryKeyConstraint("content", "disc"),
        sqlite_with_rowid=False,
    )
