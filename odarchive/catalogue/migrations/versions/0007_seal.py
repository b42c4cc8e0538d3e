"""Encrypted archives: the secret of an image while it may be built again, and what its disc holds in place of bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segment", sa.Column("seal", sa.LargeBinary(), nullable=True))
    op.add_column("piece", sa.Column("stored_digest", sa.LargeBinary(), nullable=True))
