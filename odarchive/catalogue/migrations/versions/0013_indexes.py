"""Indexes hold what finds a row and nothing else: four bytes of a digest, and no sectors."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("content_digest", "content")
    op.create_index("content_digest", "content", [sa.text("substr(digest, 1, 4)")], unique=False)
    op.drop_index("piece_segment", "piece")
    op.create_index("piece_segment", "piece", ["segment"], unique=False)
