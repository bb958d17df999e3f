"""What is deleted: files that are still to be removed, and trainings of deleted searches that still count."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "removals",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "spent",
        sa.Column("search", sa.String(22), primary_key=True),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("trainings", sa.Integer, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_index("spent_by_owner", "spent", ["owner", "created"])
