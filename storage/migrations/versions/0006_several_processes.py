"""Deliveries held by one courier at a time, and duties that one process does for all."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("delivery", sa.Column("owner", sa.BigInteger(), nullable=True))
    op.add_column("delivery", sa.Column("held_until", sa.BigInteger(), nullable=True))
    op.create_table(
        "duty",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("duty")
    op.drop_column("delivery", "held_until")
    op.drop_column("delivery", "owner")
