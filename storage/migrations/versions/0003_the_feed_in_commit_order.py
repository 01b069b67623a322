"""The feed in commit order: which transaction told a notification."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:

    postgres = op.get_bind().dialect.name == "postgresql"
    number = sa.text("(pg_current_xact_id()::text::bigint)" if postgres else "0")
    op.add_column("notification", sa.Column("xid", sa.BigInteger(), server_default=number, nullable=False))
    op.drop_index(op.f("ix_notification_workspace"), table_name="notification")
    op.create_index("notification_feed", "notification", ["workspace", "xid", "seq"], unique=False)


def downgrade() -> None:

    op.drop_index("notification_feed", table_name="notification")
    op.create_index(op.f("ix_notification_workspace"), "notification", ["workspace"], unique=False)
    op.drop_column("notification", "xid")
