"""What verifications of discs found; jobs that verify a disc."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "fixity",
        sa.Column("id", big, nullable=False),
        sa.Column("disc", big, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("drive", sa.Integer(), nullable=True),
        sa.Column("sample", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("elapsed_ns", sa.BigInteger(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["disc"], ["disc.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("fixity_disc", "fixity", ["disc", "id"], unique=False)
    op.drop_index("job_state", "job")
    op.rename_table("job", "old_job")
    op.create_table(
        "job",
        sa.Column("id", big, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("segment", big, nullable=True),
        sa.Column("content", big, nullable=True),
        sa.Column("disc", big, nullable=True),
        sa.Column("sample", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("step", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["content"], ["content.id"]),
        sa.ForeignKeyConstraint(["disc"], ["disc.id"]),
        sa.ForeignKeyConstraint(["segment"], ["segment.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    names = "id, kind, state, segment, content, attempts, done_bytes, total_bytes, step, why, created_ns, updated_ns"
    op.execute(f"INSERT INTO job ({names}) SELECT {names} FROM old_job")  # noqa: S608  constants
    op.drop_table("old_job")
    op.create_index("job_state", "job", ["state", "kind", "id"], unique=False)
