"""Error correction behind the images of segments."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segment", sa.Column("ecc_size", sa.BigInteger(), nullable=True))
