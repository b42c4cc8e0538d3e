"""How many copies are wanted, and in how many places, is said of each segment; archive.toml says it of all others."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segment", sa.Column("copies", sa.Integer(), nullable=True))
    op.add_column("segment", sa.Column("places", sa.Integer(), nullable=True))
    op.execute("DELETE FROM archive WHERE key = 'copies'")
