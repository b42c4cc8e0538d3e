"""Sets of segments that get parity discs."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "parity_set",
        sa.Column("id", big, nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("data", sa.Integer(), nullable=False),
        sa.Column("parity", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("closed_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_table(
        "parity_member",
        sa.Column("segment", big, autoincrement=False, nullable=False),
        sa.Column("parity_set", big, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["segment"], ["segment.id"]),
        sa.ForeignKeyConstraint(["parity_set"], ["parity_set.id"]),
        sa.PrimaryKeyConstraint("segment"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parity_member_parity_set", "parity_member", ["parity_set"], unique=False)
