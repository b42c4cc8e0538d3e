"""What is remembered of the robot: its epoch, the queue's pause, how each drive has done; where discs outside lie."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drive",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("burns", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spoiled", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "whereabouts",
        sa.Column("disc", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["disc"], ["disc.id"]),
        sa.PrimaryKeyConstraint("disc"),
    )
    op.create_table(
        "machine",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
