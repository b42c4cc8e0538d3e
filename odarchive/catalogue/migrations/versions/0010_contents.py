"""Contents are found by the first bytes of their digest, and most names by their inode: a third less of index."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # References to `content` are by name; nothing checks them while the table is away (``archive.open_catalogue``).
    op.create_table(
        "new_content",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO new_content (id, digest, size) SELECT id, digest, size FROM content")
    op.drop_table("content")
    op.rename_table("new_content", "content")
    op.create_index("content_digest", "content", [sa.text("substr(digest, 1, 6)")], unique=False)
    op.drop_index("entry_content", "entry")
    op.create_index("entry_content", "entry", ["content"], unique=False, sqlite_where=sa.text("content <> ino"))
    op.execute(
        "UPDATE counter SET value = max(value, (SELECT coalesce(max(id), 0) + 1 FROM content)) WHERE name = 'ino'"
    )
