"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite numbers rows by itself only where the column is called INTEGER; that has 64 bits there
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:

    op.create_table(
        "alert",
        sa.Column("seq", SERIAL, sa.Identity(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("alert_by_origin", "alert", ["partition", "offset", "item"], unique=False)
    op.create_index("alert_by_time", "alert", ["workspace", "at", "seq"], unique=False)
    op.create_table(
        "claim",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("write_id", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("refusals", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key"),
    )
    op.create_index(op.f("ix_claim_at"), "claim", ["at"], unique=False)
    op.create_table(
        "dataset",
        sa.Column("id", SERIAL, sa.Identity(), nullable=False),
        sa.Column("live", sa.String(), nullable=True),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("live"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_dataset_workspace"), "dataset", ["workspace"], unique=False)
    op.create_table(
        "dataset_ended",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "partition"),
    )
    op.create_table(
        "delivery",
        sa.Column("notification_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "subscription_id"),
    )
    op.create_index("delivery_due", "delivery", ["due_at"], unique=False)
    op.create_index("delivery_of", "delivery", ["subscription_id", "due_at"], unique=False)
    op.create_table(
        "delivery_attempt",
        sa.Column("notification_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("notification_id", "subscription_id", "attempt"),
    )
    op.create_table(
        "instance",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("named", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("last_fired", sa.BigInteger(), nullable=False),
        sa.Column("last_alert", sa.String(), nullable=False),
        sa.Column("fired", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "rule", "key"),
    )
    op.create_table(
        "lane_run",
        sa.Column("id", SERIAL, sa.Identity(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "log",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("identity"),
    )
    op.create_table(
        "notification",
        sa.Column("seq", SERIAL, sa.Identity(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notification_workspace"), "notification", ["workspace"], unique=False)
    op.create_table(
        "offsets",
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("last_epoch", sa.Integer(), nullable=False),
        sa.Column("last_offset", sa.BigInteger(), nullable=False),
        sa.Column("last_item", sa.BigInteger(), nullable=False),
        sa.Column("last_now", sa.BigInteger(), nullable=False),
        sa.Column("aside_row", sa.Integer(), nullable=False),
        sa.Column("aside_recent", sa.Integer(), nullable=False),
        sa.Column("seen_recent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("log", "role", "partition"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", SERIAL, sa.Identity(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("write_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("handling", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_quarantine_record_id"), "quarantine", ["record_id"], unique=False)
    op.create_index(op.f("ix_quarantine_workspace"), "quarantine", ["workspace"], unique=False)
    op.create_index(op.f("ix_quarantine_write_id"), "quarantine", ["write_id"], unique=False)
    op.create_table(
        "revision",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.create_table(
        "rule",
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("named", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", "version"),
    )
    op.create_index(op.f("ix_rule_pending"), "rule", ["pending"], unique=False)
    op.create_table(
        "rule_in_force",
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("log", "partition", "workspace", "rule"),
    )
    op.create_table(
        "secret",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=False),
        sa.Column("named", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=True),
        sa.Column("severities", sa.String(), nullable=True),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("disabled", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_subscription_workspace"), "subscription", ["workspace"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("workspace", sa.String(), nullable=True),
        sa.Column("dataset", sa.String(), nullable=True),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "workspace",
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("folded"),
    )
    op.create_table(
        "write_own",
        sa.Column("write_id", sa.String(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("write_id", "part"),
    )
    op.create_index(op.f("ix_write_own_stored_at"), "write_own", ["stored_at"], unique=False)
    op.create_table(
        "write_packed",
        sa.Column("id", SERIAL, sa.Identity(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("lo", sa.BigInteger(), nullable=False),
        sa.Column("hi", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("write_packed_age", "write_packed", ["stored_at"], unique=False)
    op.create_index("write_packed_range", "write_packed", ["run", "hi"], unique=False)


def downgrade() -> None:

    op.drop_index("write_packed_range", table_name="write_packed")
    op.drop_index("write_packed_age", table_name="write_packed")
    op.drop_table("write_packed")
    op.drop_index(op.f("ix_write_own_stored_at"), table_name="write_own")
    op.drop_table("write_own")
    op.drop_table("workspace")
    op.drop_table("token")
    op.drop_index(op.f("ix_subscription_workspace"), table_name="subscription")
    op.drop_table("subscription")
    op.drop_table("secret")
    op.drop_table("rule_in_force")
    op.drop_index(op.f("ix_rule_pending"), table_name="rule")
    op.drop_table("rule")
    op.drop_table("revision")
    op.drop_index(op.f("ix_quarantine_write_id"), table_name="quarantine")
    op.drop_index(op.f("ix_quarantine_workspace"), table_name="quarantine")
    op.drop_index(op.f("ix_quarantine_record_id"), table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_table("offsets")
    op.drop_index(op.f("ix_notification_workspace"), table_name="notification")
    op.drop_table("notification")
    op.drop_table("log")
    op.drop_table("lane_run")
    op.drop_table("instance")
    op.drop_table("delivery_attempt")
    op.drop_index("delivery_of", table_name="delivery")
    op.drop_index("delivery_due", table_name="delivery")
    op.drop_table("delivery")
    op.drop_table("dataset_ended")
    op.drop_index(op.f("ix_dataset_workspace"), table_name="dataset")
    op.drop_table("dataset")
    op.drop_index(op.f("ix_claim_at"), table_name="claim")
    op.drop_table("claim")
    op.drop_index("alert_by_time", table_name="alert")
    op.drop_index("alert_by_origin", table_name="alert")
    op.drop_table("alert")
