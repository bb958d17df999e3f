"""The metric of a search, which is known as soon as the search is checked."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; older searches have none."""
    op.add_column("searches", sa.Column("metric", sa.JSON))
