"""The feed of all workspaces together, for the `alerts` topic."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:

    op.create_index("notification_feed_of_all", "notification", ["xid", "seq"], unique=False)


def downgrade() -> None:

    op.drop_index("notification_feed_of_all", table_name="notification")
