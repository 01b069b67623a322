"""The log's epoch of each write, and instances by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("write_own", "write_packed"):
        # what is there came from the database's first log, unless another was adopted in the last 7 days
        op.add_column(name, sa.Column("epoch", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("instance_by_age", "instance", ["workspace", "rule", "last_fired"], unique=False)


def downgrade() -> None:
    op.drop_index("instance_by_age", table_name="instance")
    for name in ("write_own", "write_packed"):
        op.drop_column(name, "epoch")
