"""What a drive told of the blank of a slot."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("slot", sa.Column("maker", sa.Text(), nullable=False, server_default=""))
    op.add_column("slot", sa.Column("capacity", sa.BigInteger(), nullable=True))
