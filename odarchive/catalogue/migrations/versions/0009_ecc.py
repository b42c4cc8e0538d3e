"""Error correction behind the images of segments."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("segment", sa.Column("ecc_size", sa.BigInteger(), nullable=True))
